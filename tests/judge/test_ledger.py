import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from multiprocessing import get_context
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.artifacts import canonical_json
from plumbline.errors import DataError, IntegrityError
from plumbline.judge.ledger import End, Ledger
from plumbline.judge.wire import Asked, NoJudgment


def asked(text: str, **more) -> Asked:
    request = {"model": "m", "messages": [{"role": "user", "content": text}]}
    return Asked("judge", "1", request, **more)


def answer(text: str) -> dict:
    return {"choices": [{"message": {"content": text}}]}


@pytest.fixture
def ledger(tmp_path):
    with closing(Ledger(tmp_path / "ledger.sqlite")) as book:
        yield book


def test_what_was_committed_is_found_again_by_another(ledger):
    assert ledger.find(asked("a").key) is None
    ledger.commit(asked("a"), answer("yes"))
    with closing(Ledger(ledger.path)) as other:
        assert other.find(asked("a").key) == answer("yes")


def test_the_first_answer_stays(ledger):
    ledger.commit(asked("a"), answer("first"))
    ledger.commit(asked("a"), answer("second"))
    assert ledger.find(asked("a").key) == answer("first")


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=4))
def test_equal_questions_have_one_key_in_whatever_order_they_are_written(request):
    turned = dict(reversed(request.items()))
    assert Asked("j", "1", request).key == Asked("j", "1", turned).key
    assert Asked("j", "1", request).key != Asked("j", "2", request).key
    assert Asked("j", "1", request).key != Asked("j", "1", request, 1).key


def test_a_question_is_what_decides_the_answer_and_nothing_else():
    body = {"messages": [], "temperature": 0}
    one = Asked.of("j", "1", "m", body | {"model": "alias", "user": "me", "stream": False})
    assert one == Asked("j", "1", body | {"model": "m"})
    assert Asked.of("j", "1", "m", body | {"draw": 2}).draw == 2


def test_nothing_written_can_be_changed(ledger):
    ledger.commit(asked("a"), answer("yes"))
    with closing(sqlite3.connect(ledger.path)) as base:
        for change in ("UPDATE judgments SET answer = 'no'", "DELETE FROM judgments"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                base.execute(change)


def test_a_budget_is_not_passed_whatever_became_of_the_calls(ledger):
    """By hand: 3 answered, 2 perhaps paid and 4 under way are 9 of 10; 1 fits, 1.01 does not."""
    for number, end in enumerate((End("answered", 3.0), End("unknown", 2.0), End("refused"))):
        call = ledger.begin(asked(str(number)), 5.0, None)
        ledger.end(call, end)
    ledger.begin(asked("under way"), 4.0, 10.0)
    with pytest.raises(NoJudgment, match="budget: 10 US dollars") as refused:
        ledger.begin(asked("more"), 1.01, 10.0)
    assert refused.value.status == 402
    ledger.begin(asked("more"), 1.0, 10.0)


def test_costs_by_hand(ledger):
    ends = [End("answered", 0.5, None, 100, 7), End("unknown", 2.0, "cut"), End("refused")]
    for number, end in enumerate(ends):
        call = ledger.begin(asked(str(number)), 9.0, None)
        ledger.end(call, end) if end.cost != 0.5 else ledger.answer(
            call, asked(str(number)), answer("x"), end
        )
    ledger.begin(asked("open"), 4.0, None)
    [row] = ledger.costs()
    assert row == {
        "judge": "judge",
        "judgments": 1,
        "calls": 4,
        "answered": 1,
        "refused": 1,
        "unknown": 1,
        "cut": 1,
        "prompt_tokens": 100,
        "completion_tokens": 7,
        "cost": 0.5,
        "charged": 6.5,
    }
    assert [(row["outcome"], row["reason"]) for row in ledger.failures()] == [
        ("refused", None),
        ("unknown", "cut"),
    ]


BEGIN = """
import os, sys
from pathlib import Path
from plumbline.judge.ledger import Ledger
from plumbline.judge.wire import Asked
ledger = Ledger(Path(sys.argv[1]))
question = Asked("judge", "1", {"model": "m"})
assert ledger.claim(question.key) is None
print(ledger.begin(question, 1.0, None), flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_call_of_a_killed_process_is_listed_and_its_question_asked_by_the_next(ledger):
    run = [sys.executable, "-c", BEGIN, str(ledger.path)]
    assert subprocess.run(run, stdout=subprocess.PIPE).returncode == -9
    question = Asked("judge", "1", {"model": "m"})
    ledger.begin(asked("of this process, which lives"), 1.0, None)
    [lost] = ledger.cut()
    assert (lost["key"], lost["reserved"]) == (question.key, 1.0)
    assert ledger.claim(question.key) is None, "nobody who lives is asking it"


def test_a_question_under_way_is_waited_for(ledger):
    with closing(Ledger(ledger.path)) as other:
        assert other.claim(asked("a").key) is None
        found = []
        waiting = Thread(target=lambda: found.append(ledger.claim(asked("a").key)))
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive() and not found
        other.commit(asked("a"), answer("yes"))
        other.release(asked("a").key)
        waiting.join(5)
        assert found == [answer("yes")]


def write_many(path, start):
    with closing(Ledger(path)) as book:
        for number in range(start, start + 100):
            book.commit(asked(str(number)), answer(str(number)))


def test_eight_processes_write_at_once_and_lose_nothing(tmp_path):
    path = tmp_path / "ledger.sqlite"
    context = get_context("fork")
    # Every two write the same half.
    writers = [context.Process(target=write_many, args=(path, 50 * number)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    with closing(Ledger(path)) as book:
        rows = list(book.judgments())
    assert {row["request"]["messages"][0]["content"] for row in rows} == set(map(str, range(450)))
    assert all(row["answer"] == answer(row["request"]["messages"][0]["content"]) for row in rows)


def test_what_one_ledger_gives_another_takes(ledger, tmp_path):
    ledger.commit(asked("a"), answer("ours"))
    with closing(Ledger(tmp_path / "other.sqlite")) as other:
        other.commit(asked("a"), answer("theirs"))
        other.commit(asked("b"), answer("new"))
        rows = [("x", row) for row in other.judgments()]
        assert ledger.add(rows) == (1, 1)
        assert ledger.find(asked("a").key) == answer("ours")
        assert json.loads(canonical_json(rows[0][1])) == rows[0][1], "a line of JSON"


@pytest.mark.parametrize(
    ("change", "said"),
    [({"version": "2"}, "x, key: got"), ({"answer": {}}, "x: not a judgment")],
)
def test_a_judgment_that_is_not_what_its_key_says_is_refused_with_all_others(
    ledger, tmp_path, change, said
):
    with closing(Ledger(tmp_path / "other.sqlite")) as other:
        other.commit(asked("a"), answer("yes"))
        other.commit(asked("b"), answer("yes"))
        good, bad = other.judgments()
    with pytest.raises(DataError, match=said):
        ledger.add([("w", good), ("x", bad | change)])
    assert list(ledger.judgments()) == []


def test_a_file_that_is_no_ledger_is_left_alone(tmp_path):
    path = tmp_path / "ledger.sqlite"
    path.write_text("not a database, and long enough to be looked at" * 100)
    with pytest.raises(IntegrityError, match="plumbline judge import"):
        Ledger(path)
