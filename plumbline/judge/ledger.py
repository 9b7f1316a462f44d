"""The ledger: every judgment that was ever given, so that none is paid for twice.

One SQLite file in WAL mode, which many processes of one machine may use at once. Judgments are
addressed by their content and never change. Before each paid call a row says that it is about to be
made; after it, another what came of it. A call without that end was cut by a kill: the upstream may
have been paid for it, and nobody has the answer.

A process shows that it lives by holding a lock on a file of its own, which dies with it. Whoever
asks the same thing meanwhile waits for its answer.
"""

from __future__ import annotations

import fcntl
import json
import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any

from plumbline.artifacts import canonical_json
from plumbline.errors import DataError, IntegrityError
from plumbline.judge.wire import Asked, Body, NoJudgment

Row = dict[str, Any]
TABLES = {
    "judgments": "key TEXT PRIMARY KEY, judge TEXT NOT NULL, version TEXT NOT NULL, "
    "request TEXT NOT NULL, draw INTEGER NOT NULL, answer TEXT NOT NULL",
    "calls": "id INTEGER PRIMARY KEY, key TEXT NOT NULL, judge TEXT NOT NULL, "
    "owner TEXT NOT NULL, reserved REAL NOT NULL",
    "ends": "call INTEGER PRIMARY KEY, outcome TEXT NOT NULL, reason TEXT, "
    "prompt_tokens INTEGER, completion_tokens INTEGER, cost REAL NOT NULL",
}
#: Nothing that was written is changed or taken back.
APPEND_ONLY = (
    "CREATE TRIGGER IF NOT EXISTS {table}_no_{verb} BEFORE {verb} ON {table} "
    "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
)
BUSY_SECONDS = 60.0
#: Between looks at a question that another process is asking.
LOOK_SECONDS = 0.05
#: Money charged or possibly charged by a judge: calls without end and without answer count in full.
CHARGED = (
    "SELECT coalesce(sum(coalesce(cost, reserved)), 0) FROM calls LEFT JOIN ends ON call = id "
    "WHERE judge = ?"
)


@dataclass(frozen=True)
class End:
    """What came of a call. outcome: answered; refused (the upstream said no, and takes no money);
    unknown (it was cut, silent or unreadable, and may have been paid). cost: US dollars."""

    outcome: str
    cost: float = 0.0
    reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Ledger:
    """The ledger in the file `path`, made where there is none.

    paid: judgments cost money, so that each commit waits for the disk.
    """

    def __init__(self, path: Path, paid: bool = False) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = RLock()
        self._owners = path.with_name(f"{path.name}.owners")
        self._owner, self._alive = _new_owner(self._owners)
        self._base = _opened(path, "FULL" if paid else "NORMAL")

    def close(self) -> None:
        """Let go of the file. What was begun and not ended counts as cut."""
        self._base.close()
        (self._owners / self._owner).unlink(missing_ok=True)
        self._alive.close()

    def find(self, key: str) -> Body | None:
        """The recorded answer."""
        rows = self._read("SELECT answer FROM judgments WHERE key = ?", key)
        return json.loads(rows[0]["answer"]) if rows else None

    def commit(self, asked: Asked, answer: Body) -> None:
        """Record an answer that cost nothing."""
        with self._write():
            self._insert_judgment(asked, answer)

    def claim(self, key: str) -> Body | None:
        """The recorded answer, or None: then the question is ours to ask, until `release`.

        Waits while another thread or process that lives is asking it.
        """
        while True:
            with self._write():
                if found := self.find(key):
                    return found
                holder = self._base.execute("SELECT owner FROM claims WHERE key = ?", (key,))
                row = holder.fetchone()
                if row is None or not self._lives(row["owner"]):
                    self._base.execute(
                        "INSERT OR REPLACE INTO claims VALUES (?, ?)", (key, self._owner)
                    )
                    return None
            time.sleep(LOOK_SECONDS)

    def release(self, key: str) -> None:
        """Let others ask what was claimed."""
        with self._write():
            self._base.execute("DELETE FROM claims WHERE key = ?", (key,))

    def begin(self, asked: Asked, reserved: float, budget: float | None) -> int:
        """Note that a call is about to be made; its number.

        reserved: the most it can cost, US dollars. Raises NoJudgment where this judge's calls
        could then have cost more than `budget`.
        """
        with self._write():
            (charged,) = self._base.execute(CHARGED, (asked.judge,)).fetchone()
            if budget is not None and charged + reserved > budget:
                raise NoJudgment(
                    402,
                    f"judge.upstream.budget: {budget:g} US dollars would be passed: {charged:.4f} "
                    f"are charged, and this call can cost {reserved:.4f}",
                )
            return self._base.execute(
                "INSERT INTO calls (key, judge, owner, reserved) VALUES (?, ?, ?, ?)",
                (asked.key, asked.judge, self._owner, reserved),
            ).lastrowid

    def end(self, call: int, end: End) -> None:
        """Note what came of a call that gave no answer."""
        with self._write():
            self._insert_end(call, end)

    def answer(self, call: int, asked: Asked, answer: Body, end: End) -> None:
        """Record the answer to a call, and its price, at one stroke."""
        with self._write():
            self._insert_end(call, end)
            self._insert_judgment(asked, answer)

    def judgments(self) -> Iterator[Row]:
        """Every judgment as a JSON-able row, by key."""
        for row in self._read("SELECT * FROM judgments ORDER BY key"):
            yield row | {name: json.loads(row[name]) for name in ("request", "answer")}

    def add(self, rows: Iterable[tuple[str, Row]]) -> tuple[int, int]:
        """Take in judgments of another ledger: (how many were new, how many were known).

        rows: (where it stands, row of `judgments`). A known question keeps the answer it has.
        Raises DataError for a row whose key is not that of its content; then none is taken.
        """
        new = seen = 0
        with self._write():
            for place, row in rows:
                seen += 1
                new += self._insert_judgment(*_checked(place, row))
        return new, seen - new

    def costs(self) -> list[Row]:
        """For each judge: judgments, calls by outcome, tokens, and US dollars charged for sure
        (`cost`) and at most (`charged`)."""
        return self._read(
            "SELECT judge, (SELECT count(*) FROM judgments j WHERE j.judge = c.judge) judgments, "
            "count(*) calls, sum(outcome = 'answered') answered, sum(outcome = 'refused') refused, "
            "sum(outcome = 'unknown') unknown, sum(outcome IS NULL) cut, "
            "coalesce(sum(prompt_tokens), 0) prompt_tokens, "
            "coalesce(sum(completion_tokens), 0) completion_tokens, "
            "coalesce(sum(CASE WHEN outcome = 'answered' THEN cost END), 0.0) cost, "
            "sum(coalesce(cost, reserved)) charged "
            "FROM calls c LEFT JOIN ends ON call = id GROUP BY judge ORDER BY judge"
        )

    def cut(self) -> list[Row]:
        """Calls without an end whose process is gone: `id`, `key`, `judge`, `reserved`."""
        rows = self._read(
            "SELECT calls.* FROM calls LEFT JOIN ends ON call = id WHERE outcome IS NULL"
        )
        return [row for row in rows if not self._lives(row["owner"])]

    def failures(self) -> list[Row]:
        """Calls that ended without an answer: `judge`, `outcome`, `reason`, how many (`calls`)."""
        return self._read(
            "SELECT judge, outcome, reason, count(*) calls FROM calls JOIN ends ON call = id "
            "WHERE outcome != 'answered' GROUP BY judge, outcome, reason ORDER BY 1, 2, 3"
        )

    @contextmanager
    def _write(self) -> Iterator[None]:
        """A transaction of this thread: all of it or nothing."""
        with self._lock:
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._base.execute("COMMIT")
            except BaseException:
                self._base.execute("ROLLBACK")
                raise

    def _read(self, query: str, *values: Any) -> list[Row]:
        with self._lock:
            return [dict(row) for row in self._base.execute(query, values)]

    def _insert_judgment(self, asked: Asked, answer: Body) -> int:
        values = (
            asked.key,
            asked.judge,
            asked.version,
            canonical_json(asked.request),
            asked.draw,
            canonical_json(answer),
        )
        return self._base.execute(
            "INSERT OR IGNORE INTO judgments VALUES (?, ?, ?, ?, ?, ?)", values
        ).rowcount

    def _insert_end(self, call: int, end: End) -> None:
        values = (call, end.outcome, end.reason, end.prompt_tokens, end.completion_tokens, end.cost)
        self._base.execute("INSERT INTO ends VALUES (?, ?, ?, ?, ?, ?)", values)

    def _lives(self, owner: str) -> bool:
        """Whether the process that calls itself `owner` still holds its file."""
        if owner == self._owner:
            return True
        try:
            with open(self._owners / owner, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return False
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True


def _new_owner(folder: Path) -> tuple[str, Any]:
    """A name for this process, and the open file whose lock says that it lives."""
    folder.mkdir(exist_ok=True)
    name = secrets.token_hex(8)
    file = open(folder / name, "wb")  # noqa: SIM115 - open as long as the ledger
    fcntl.flock(file, fcntl.LOCK_EX)
    return name, file


def _opened(path: Path, synchronous: str) -> sqlite3.Connection:
    """The database with its tables. Processes that start together make them one after another."""
    with open(path.with_name(f"{path.name}.open"), "wb") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        base = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        base.row_factory = sqlite3.Row
        try:
            base.execute("PRAGMA journal_mode = WAL")
            base.execute(f"PRAGMA synchronous = {synchronous}")
            for table, columns in TABLES.items():
                base.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
                for verb in ("UPDATE", "DELETE"):
                    base.execute(APPEND_ONLY.format(table=table, verb=verb))
            base.execute("CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, owner TEXT)")
            base.execute("CREATE INDEX IF NOT EXISTS calls_of ON calls (judge)")
        except sqlite3.DatabaseError as error:
            raise IntegrityError(
                f"{path} is not a ledger ({error}); move it away, and import its last export with "
                "`plumbline judge import FILE`"
            ) from error
    return base


def _checked(place: str, row: Row) -> tuple[Asked, Body]:
    """A judgment of another ledger; DataError where its key is not the address of its content."""
    try:
        asked = Asked(row["judge"], row["version"], row["request"], row["draw"])
        answer, key = row["answer"], row["key"]
        answer["choices"][0]["message"]
    except (KeyError, TypeError, IndexError) as error:
        raise DataError(
            f"{place}: not a judgment: it needs key, judge, version, request, draw, and an answer "
            "with choices"
        ) from error
    if asked.key != key:
        raise DataError(f"{place}, key: got {key!r}, but this judgment's address is {asked.key!r}")
    return asked, answer
