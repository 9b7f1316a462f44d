"""The files behind a cell of a table, from the table back to the data, and what made each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from os.path import relpath
from pathlib import Path
from typing import Any

from plumbline.artifacts import file_digest, read_json, read_rows
from plumbline.config import Experiment
from plumbline.layout import Auxiliary, Evaluation, Run, SettingFolder, ledger, selected
from plumbline.plugins import SFT, MethodSpec
from plumbline.provenance import trace_of

Row = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One file of a chain. what: its kind in a word; facts: what it says of itself, by name;
    sources: what it was made from, last the one that the chain goes on with."""

    what: str
    path: Path
    facts: Row = field(default_factory=dict)
    sources: tuple[Step, ...] = ()

    @cached_property
    def digest(self) -> str | None:
        """sha256 of the file as it is now; None where it is gone. A ledger has none: it grows."""
        whole = self.path.is_file() and self.path != ledger()
        return file_digest(self.path) if whole else None

    @cached_property
    def trace(self) -> Row | None:
        """Who made it; None where nobody said, and for files that were written by hand."""
        return trace_of(self.path)


def ordered(root: Step) -> list[Step]:
    """Every file of a chain once, sources before what was made from them."""
    found: dict[Path, Step] = {}

    def visit(step: Step) -> None:
        for source in reversed(step.sources):
            visit(source)
        found.setdefault(step.path, step)

    visit(root)
    return list(found.values())


def commands(steps: list[Step]) -> list[str]:
    """The commands that made the files, each once, in the order to type them in."""
    return list(dict.fromkeys(step.trace["command"] for step in steps if step.trace))


@dataclass(frozen=True)
class Chains:
    """The chains of one setting of an experiment."""

    experiment: Experiment
    folders: SettingFolder

    def cell(self, table: Path, rows: list[Row]) -> Step:
        """The chain behind a cell. table: its file; rows: its numbers, `rows.RESULT`."""
        collected = self.experiment.folder.rows
        whole = Step("rows", collected, {}, tuple(self.scores(row) for row in rows))
        return Step("table", table, {}, (whole,))

    def scores(self, row: Row) -> Step:
        """One number, from its items; of a test row, from the selection too."""
        spec = self.experiment.benchmark(row["benchmark"])
        where = self.where(row)
        names = ("point", "seed", "metric", "value", "n", "status", "reason", "decoding")
        facts = {name: row[name] for name in names}
        judge = " ".join(filter(None, (row["judge"], row["judge_version"])))
        facts |= {"judge": judge or None, "version": row["version"]}
        file = Step("benchmark", Path(relpath(spec.path)), {"code": spec.digest})
        sources = (file, *self.items(row, where))
        return Step("scores", where.rows(spec.name), facts, sources)

    def where(self, row: Row) -> Evaluation:
        """Where a row's answers and scores lie."""
        if row["split"] == "test":
            name = self.experiment.experiment
            return selected(self.folders, name, row["method"], row["seed"])
        return self.run_of(row).evaluation()

    def run_of(self, row: Row) -> Run:
        """The run that a row is of."""
        return self.folders.run(row["method"], row["point"], row["seed"])

    def selection(self, method: str) -> Step:
        """The file that chose the point, from the validation scores of all points."""
        path = self.folders.selection(self.experiment.experiment, method)
        choice = read_json(path)
        facts = {name: choice[name] for name in ("point", "benchmark", "metric")}
        tried = [self.scores(row) for row in self.candidates(method, choice)]
        return Step("selection", path, facts, tuple(tried))

    def candidates(self, method: str, choice: Row) -> Iterator[Row]:
        """The validation rows that a selection looked at."""
        for run in self.experiment.runs(self.folders, method):
            for row in read_rows(run.evaluation().rows(choice["benchmark"])):
                if row["metric"] == choice["metric"]:
                    yield row

    def items(self, row: Row, where: Evaluation) -> Iterator[Step]:
        """A row's items, from judgments and answers, or from the model; none of a run that has
        diverged."""
        path = where.items(row["benchmark"])
        if row["status"] == "diverged" or not path.is_file():
            return
        mine = [item for item in read_rows(path) if item["metric"] == row["metric"]]
        keys = sorted({item["judgment"] for item in mine if item["judgment"]})
        judged = [Step("judgments", ledger(), {"keys": keys})] if keys else []
        yield Step("items", path, {"items": len(mine)}, (*judged, *self.answers(row, where)))

    def answers(self, row: Row, where: Evaluation) -> list[Step]:
        """What was scored: answers of a model, or the model itself, with what chose it."""
        chosen = [self.selection(row["method"])] if row["split"] == "test" else []
        sources = [*chosen, self.model(self.run_of(row))]
        if self.experiment.benchmark(row["benchmark"]).needs == "model":
            return sources
        found = read_json(where.answered(row["benchmark"]))
        facts = {"answered_by": found["answered_by"], **found["turns"]}
        return [Step("responses", where.responses(row["benchmark"]), facts, tuple(sources))]

    def model(self, run: Run) -> Step:
        """A run, from its method's file and what training read."""
        record = read_json(run.record)
        facts = {"method": run.method, "point": run.point, "seed": run.seed}
        facts |= {name: record.get(name) for name in ("status", "model")}
        facts["engine"] = record["parts"].get("engine")
        if self.experiment.is_trained(run.method):
            sources = self.trained(self.experiment.method(run.method))
        else:
            sources = [self.sft()] if run.method == SFT else []
        return Step("model", run.record, facts, tuple(sources))

    def trained(self, spec: MethodSpec) -> list[Step]:
        """What a method's training reads."""
        passes = [self.folders.reference(name) for name in spec.references]
        passes += [self.folders.embeddings(spec.feedback)] if spec.embedded else []
        annotated = [self.annotation(spec.feedback, need) for need in spec.annotated]
        facts = {"code": spec.digest, "paper": spec.card.paper}
        file = Step("method", Path(relpath(spec.path)), facts)
        return [file, *map(self.reference, passes), *annotated]

    def reference(self, path: Path) -> Step:
        """What the SFT model says of the training rows."""
        return Step("reference", path, {}, (self.sft(),))

    def annotation(self, feedback: str, need: str) -> Step:
        """What a pass says of each token, and the models that it asked."""
        models = [self.auxiliary(item) for item in self.folders.auxiliaries(need)]
        sources = tuple(models or [self.sft()])
        return Step("annotation", self.folders.annotation(feedback, need), {}, sources)

    def auxiliary(self, model: Auxiliary) -> Step:
        """A model that only serves the training of others."""
        facts = {"model": read_json(model.record)["model"]}
        source = self.reference(self.folders.reference("pairs"))
        return Step("auxiliary", model.record, facts, (source,))

    def sft(self) -> Step:
        """The model that alignment starts from, back to the data."""
        base, tuned = self.folders.pretrain, self.folders.sft
        data = self.data()
        first = Step("pretrain", base.record, {"model": read_json(base.record)["model"]}, (data,))
        return Step("sft", tuned.record, {"model": read_json(tuned.record)["model"]}, (first,))

    def data(self) -> Step:
        """The data, where every chain ends."""
        record = read_json(self.folders.data_record)
        rows = {split: item["rows"] for split, item in record["splits"].items()}
        return Step("data", self.folders.data_record, {"source": record["source"], **rows})
