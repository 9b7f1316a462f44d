"""A claims file: what a paper prints or says, each with its setting and with what its noise is."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Discriminator, Field, Tag, ValidationError, model_validator

from plumbline.errors import ConfigError
from plumbline.layout import point_name
from plumbline.schema import Count, Name, Rank, Rate, Strict

#: The verdict that a claim should get; `either`: it is shown and does not count.
Expected = Literal["reproduced", "not reproduced", "either"]
Positive = Annotated[float, Field(ge=0)]


class Measure(Strict):
    """Numbers that a run measures.

    read: where a run has them: its test or validation rows, or the probes of its training logs;
    null: only tables have them. step: of probes: the first, the last, or the last minus the first.
    kind: `count`, the percentage of n items that are right; `share`, a percentage that is the mean
    of values from 0 to 100; `number`, any other. n: items; null where not told. sd: of one item's
    value, for kinds other than percentages. seed_deviation: standard deviation over seeds of one
    run; null: the run's own, none for one seed. digits: printed decimals. tolerance: how far a
    number may be off and still be reproduced, in its unit. judge, version: see `measured.Number`.
    """

    read: Literal["test", "validation", "probe"] | None = None
    benchmark: str = ""
    metric: str = ""
    step: Literal["first", "last", "change"] = "last"
    kind: Literal["count", "share", "number"] = "number"
    better: Literal["higher", "lower"] = "higher"
    n: Count | None = None
    sd: Rate | None = None
    seed_deviation: Positive | None = None
    digits: int = 2
    tolerance: Positive = 0.0
    judge: str | None = None
    version: str | None = None


class Mean(Strict):
    """The plain mean of other measures of the same row."""

    mean_of: list[str] = Field(min_length=1)
    digits: int = 2
    tolerance: Positive = 0.0


class Ranking(Strict):
    """A method's mean place over other measures, `among` methods, by names of a run.

    rules: readings of who is ranked and how ties break; all but the first are only shown.
    """

    rank_of: list[str] = Field(min_length=1)
    among: list[str] = Field(min_length=2)
    rules: list[Rank] = Field(min_length=1)
    digits: int = 1
    tolerance: Positive = 0.0


def _kind(value: Any) -> str:
    keys = value if isinstance(value, dict) else getattr(value, "model_fields_set", ())
    return next((key for key in ("mean_of", "rank_of") if key in keys), "measure")


Metric = Annotated[
    Annotated[Measure, Tag("measure")]
    | Annotated[Mean, Tag("mean_of")]
    | Annotated[Ranking, Tag("rank_of")],
    Discriminator(_kind),
]


class Table(Strict):
    """A printed table: each row has its keys, then its numbers.

    keys: `method`, the key that says the setting, if any; others are hyperparameters. setting: one
    for all rows, or key → its value → setting. methods: printed name → name in a run, before those
    of the file.
    """

    where: str
    keys: list[str] = ["method"]
    setting: str | dict[str, dict[str, str]]
    methods: dict[str, str] = {}
    columns: list[str] = Field(min_length=1)
    rows: list[list[float | str | None]]

    @model_validator(mode="after")
    def _whole(self) -> Table:
        by = [] if isinstance(self.setting, str) else list(self.setting)
        if missing := [key for key in ["method", *by] if key not in self.keys]:
            raise ValueError(f"keys: needs {', '.join(missing)}; got {', '.join(self.keys)}")
        if len(by) > 1:
            raise ValueError(f"setting: one key says it, got {', '.join(by)}")
        width = len(self.keys) + len(self.columns)
        if wrong := [row for row in self.rows if len(row) != width]:
            names = ", ".join([*self.keys, *self.columns])
            raise ValueError(f"rows: each has {names}; got {wrong[0]}")
        return self


class Inequality(Strict):
    """A claim in words: `metric` of `method`, or how far it is over that of `minus`, is above or
    below a bound.

    method, minus: names in a run. point, minus_point: parts of a point, as `beta=0.1`; without, the
    selected one. seeds: whether the mean over seeds has to obey, or each.
    """

    says: str
    where: str
    setting: str
    metric: str
    method: str
    point: str = ""
    minus: str = ""
    minus_point: str = ""
    above: float | None = None
    below: float | None = None
    seeds: Literal["mean", "each"] = "mean"
    expect: Expected = "reproduced"

    @model_validator(mode="after")
    def _one_bound(self) -> Inequality:
        if (self.above is None) == (self.below is None):
            raise ValueError(f"above, below: give one of them, got {self.above} and {self.below}")
        return self


@dataclass(frozen=True)
class Printed:
    """One printed number. what: which of its table; method: its name in a run; point: "" for
    any."""

    table: str
    where: str
    what: str
    setting: str
    method: str
    point: str
    metric: str
    value: float


class Claims(Strict):
    """The whole file. z: how many standard deviations of noise are still noise.

    settings: name → what is known of it, in the words of an experiment file. methods: printed name
    → name in a run.
    """

    claims: Name
    source: str
    z: Rate = 1.96
    settings: dict[Name, dict[str, Any]]
    methods: dict[str, str] = {}
    metrics: dict[Name, Metric]
    tables: dict[Name, Table] = {}
    inequalities: list[Inequality] = []

    @model_validator(mode="after")
    def _all_known(self) -> Claims:
        for place, name, known in self._metric_names():
            if name not in known:
                raise ValueError(f"{place}: {name!r} is not one of {', '.join(known)}")
        for place, name in self._setting_names():
            if name not in self.settings:
                raise ValueError(f"{place}: {name!r} is not one of settings")
        for index, item in enumerate(self.inequalities):
            if item.seeds == "each" and isinstance(self.metrics[item.metric], Ranking):
                raise ValueError(f"inequalities[{index}].seeds: a rank is of means over seeds")
        for name, table in self.tables.items():
            for row in table.rows:
                self.place(name, dict(zip(table.keys, row, strict=False)))
        return self

    def _metric_names(self) -> Iterator[tuple[str, str, Collection[str]]]:
        """(where, name, what it may be) of every metric that is named; means and ranks are of
        measured ones."""
        for key, metric in self.metrics.items():
            parts = getattr(metric, "mean_of", getattr(metric, "rank_of", []))
            yield from ((f"metrics.{key}", name, self.measures()) for name in parts)
        for key, table in self.tables.items():
            yield from ((f"tables.{key}.columns", name, self.metrics) for name in table.columns)
        for index, item in enumerate(self.inequalities):
            yield f"inequalities[{index}].metric", item.metric, self.metrics

    def _setting_names(self) -> Iterator[tuple[str, str]]:
        for key, table in self.tables.items():
            given = table.setting
            names = [given] if isinstance(given, str) else [*next(iter(given.values())).values()]
            yield from ((f"tables.{key}.setting", name) for name in names)
        for index, item in enumerate(self.inequalities):
            yield f"inequalities[{index}].setting", item.setting

    def measures(self) -> dict[str, Measure]:
        """The metrics that a run measures; the others are computed from them."""
        return {key: item for key, item in self.metrics.items() if isinstance(item, Measure)}

    def place(self, table: str, keys: Mapping[str, Any]) -> tuple[str, str, str]:
        """(setting, method's name in a run, point) of a row of a table, "" for any point.

        keys: the row's, by name; numbers or their text. Raises ValueError for an unknown setting.
        """
        shape = self.tables[table]
        names = {key: key_text(value) for key, value in keys.items()}
        title = names.pop("method")
        setting = shape.setting
        if not isinstance(setting, str):
            [(key, known)] = setting.items()
            if names[key] not in known:
                raise ValueError(f"{table}: {key} {names[key]!r}; known: {', '.join(known)}")
            setting = known[names.pop(key)]
        point = {key: float(value) for key, value in names.items() if value}
        method = (self.methods | shape.methods).get(title, title)
        return setting, method, point_name(point) if point else ""

    def printed(self) -> Iterator[Printed]:
        """Every number of the tables, in their order; an empty cell is none."""
        for name, table in self.tables.items():
            for row in table.rows:
                keys = dict(zip(table.keys, row, strict=False))
                who, label = self.place(name, keys), row_label(keys)
                for metric, value in zip(table.columns, row[len(keys) :], strict=True):
                    if value is not None:
                        what = f"{label}: {metric}"
                        yield Printed(name, table.where, what, *who, metric, float(value))


def rules_of(metric: Metric) -> list[tuple[int, str]]:
    """(number, words) of each rule of a ranking; (0, "") for any other metric."""
    if not isinstance(metric, Ranking):
        return [(0, "")]
    return [(i, f" ({rule.rows}, {rule.ties})") for i, rule in enumerate(metric.rules)]


def row_label(keys: Mapping[str, Any]) -> str:
    """A row's method, then its other keys."""
    others = {key: key_text(value) for key, value in keys.items() if key != "method"}
    texts = [f"{key} {text}" for key, text in others.items() if text]
    return ", ".join([keys["method"], *texts])


def key_text(value: Any) -> str:
    """One text for a key, whether it is 10, 10.0 or "10"; "" for none."""
    try:
        return f"{float(value):g}"
    except (TypeError, ValueError):
        return value or ""


def read(path: Path) -> Claims:
    """The claims in a YAML file; ConfigError lists every mistake."""
    if not path.is_file():
        raise ConfigError(f"no claims file {path}; see config/claims/ for those that ship")
    try:
        return Claims.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        lines = [f"  - {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ConfigError(
            f"{path} has {len(lines)} mistake(s); docs/certify.md has the keys:\n"
            + "\n".join(lines)
        ) from error
