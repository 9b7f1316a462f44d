"""The judge by hand: serve it, price it, hold it against the record, and its ledger."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import yaml
from rich import box
from rich.table import Table

from plumbline import config, layout
from plumbline.artifacts import write_json, write_text
from plumbline.config import Experiment
from plumbline.contracts import Judge
from plumbline.errors import ConfigError, DataError
from plumbline.judge.ledger import Ledger
from plumbline.report.terminal import printed
from plumbline.schema import LOCAL_JUDGES, JudgeChoice

Row = dict[str, Any]


def serve(choice: JudgeChoice) -> None:
    """Serve a judge until Ctrl-C."""
    from plumbline.judge.endpoint import serve as served
    from plumbline.judge.gateway import gateway

    # A shell starts what it puts into the background deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with (
        suppress(KeyboardInterrupt),
        gateway(choice, layout.ledger()) as answering,
        served(answering) as judge,
    ):
        print(greeting(judge, answering.note), flush=True)
        signal.pause()


def chosen(experiment: Path | None, name: str | None) -> JudgeChoice:
    """The judge of an experiment, or one of this machine by its name."""
    if experiment:
        return config.read(experiment).judge
    if name not in LOCAL_JUDGES:
        known = ", ".join(LOCAL_JUDGES)
        raise ConfigError(f"--name: got {name!r}; known: {known}; others need --experiment FILE")
    return JudgeChoice(name=name)


def greeting(judge: Judge, note: str) -> str:
    """Where the judge is, as lines for another shell: who answers stands in a comment."""
    who = f"{judge.name} version {judge.version}" + (f" ({note})" if note else "")
    return (
        f"# {who} answers until Ctrl-C\n"
        f"export OPENAI_BASE_URL={judge.url}\n"
        f"export OPENAI_API_KEY={judge.token}"
    )


def cost(experiment: Path) -> None:
    """Print what an experiment's judgments will cost, and what was spent."""
    from plumbline.judge.cost import estimates

    asked = config.read(experiment)
    name, version = asked.judge.identity
    title = f"Not in the ledger yet: {name}, version {version}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for head in ("setting", "benchmark", "split"):
        table.add_column(head, overflow="fold")
    for head in ("models", "calls", "prompt\ntokens", "completion\ntokens", "US\ndollars"):
        table.add_column(head, justify="right", overflow="fold")
    found = list(estimates(asked, layout.ledger()))
    for item in found:
        numbers = (item.calls, item.prompt_tokens, item.completion_tokens)
        table.add_row(
            *(item.setting, item.benchmark, item.split, str(item.models)),
            *map(counted, numbers),
            money(item.cost(asked)),
        )
    print(printed(table), end="")
    print(
        "Prompt tokens at 4 letters each, answers not given yet as long as they may be, "
        "completions as long as the judge may write."
    )
    if any(item.calls is None for item in found):
        print(
            "–: the prompts lie in the setting's data, which is not there; "
            f"type `snakemake --configfile {experiment} --until data` first, and ask again."
        )
    spent(asked)


def counted(number: int | None) -> str:
    """A count with its thousands apart."""
    return "–" if number is None else f"{number:,}"


def money(dollars: float | None) -> str:
    """US dollars to the cent, or a dash where no price is known."""
    return "–" if dollars is None else f"{dollars:,.2f}"


def spent(experiment: Experiment) -> None:
    """Print what each judge's calls came to, those that may have been paid for nothing included."""
    with closing(Ledger(layout.ledger())) as ledger:
        rows, cut, failures = ledger.costs(), ledger.cut(), ledger.failures()
    upstream = experiment.judge.upstream
    for row in rows:
        print(
            f"Spent: {row['judge']}: {row['judgments']:,} judgments, {row['calls']:,} calls "
            f"({row['answered']:,} answered, {row['refused']:,} refused, {row['unknown']:,} of "
            f"unknown end, {row['cut']:,} without end), {row['prompt_tokens']:,} + "
            f"{row['completion_tokens']:,} tokens, {row['cost']:.2f} US dollars, at most "
            f"{row['charged']:.2f}."
        )
    for row in cut:
        print(f"Cut by a kill, perhaps paid for: call {row['id']} for judgment {row['key']}")
    for row in failures:
        print(f"Failed {row['calls']} times ({row['outcome']}): {row['judge']}: {row['reason']}")
    if upstream and upstream.budget is not None:
        print(f"Budget: {upstream.budget:.2f} US dollars.")


def fill(experiment: Path) -> None:
    """Ask again for judgments that are missing, model by model."""
    from plumbline.cli.score import judge_for
    from plumbline.judge.gaps import gaps
    from plumbline.score import score

    asked = config.read(experiment)
    found = list(gaps(asked))
    with judge_for(asked, [gap.benchmark for gap in found]) as judge:
        for gap in found:
            evaluation = gap.target.evaluation
            evaluation.rows(gap.benchmark).unlink()
            status = score(asked, gap.benchmark, gap.split, gap.target, judge)
            print(f"{gap.benchmark} {evaluation.folder}: {gap.missing} were missing, now {status}")
    print("Run snakemake again for the tables." if found else "No judgment is missing.")


def audit(experiment: Path, recorded: Path, limit: int, draws: int, out: Path) -> None:
    """Hold an experiment's judge against recorded verdicts; print and keep the figures."""
    from plumbline.cli.score import judge_for
    from plumbline.judge.audit import audit as figures
    from plumbline.judge.audit import evenly
    from plumbline.plugins import load_benchmark

    asked = config.read(experiment)
    files = yaml.safe_load(recorded.read_text("utf-8"))
    name, version = asked.judge.identity
    found: Row = {"judge": name, "version": version, "benchmarks": {}}
    with judge_for(asked, list(asked.benchmarks)) as judge:
        for benchmark, options in files.items():
            module = load_benchmark(asked.benchmark(benchmark))
            cases = evenly(module.audit_cases(**options), limit)
            workers = asked.options(benchmark).get("judge_workers", 4)
            read = module.read_verdict
            found["benchmarks"][benchmark] = figures(judge, cases, read, draws, workers)
    write_json(out, found)
    print(json.dumps(found, indent=2))
    print(f"Below the tables with `judge: {{audit: {out}}}`.", file=sys.stderr)


def export(path: Path) -> None:
    """Write every judgment as a line of JSON."""
    with closing(Ledger(layout.ledger())) as ledger:
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in ledger.judgments()]
    write_text(path, "".join(lines))
    print(f"{len(lines)} judgments: {path}")


def take_in(paths: list[Path]) -> None:
    """Add the judgments of exports and of other ledgers."""
    with closing(Ledger(layout.ledger())) as ledger:
        for path in paths:
            new, known = ledger.add(read_judgments(path))
            print(f"{path}: {new} judgments are new, {known} were known")


def read_judgments(path: Path) -> Iterator[tuple[str, Row]]:
    """(where it stands, row) of every judgment in an export or in a ledger."""
    if not path.is_file():
        raise DataError(f"no file {path}; give an export (JSON lines) or a ledger (.sqlite)")
    if path.suffix == ".sqlite":
        with closing(Ledger(path)) as other:
            for row in other.judgments():
                yield f"{path}, {row['key']}", row
        return
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                yield f"{path}, line {number}", json.loads(line)
            except ValueError as error:
                raise DataError(f"{path}, line {number}: not JSON ({error})") from error


def show(key: str) -> None:
    """Print one judgment: question and answer."""
    with closing(Ledger(layout.ledger())) as ledger:
        for row in ledger.judgments():
            if row["key"].startswith(key):
                print(json.dumps(row, indent=2, ensure_ascii=False))
                return
    raise DataError(f"{layout.ledger()} has no judgment {key!r}")
