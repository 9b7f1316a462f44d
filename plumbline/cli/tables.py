"""What the stages aggregate and report ask of an experiment: rows, columns and facts."""

from __future__ import annotations

from typing import Any

from plumbline.aggregate import Column, RankRule, TableOne, table_one
from plumbline.artifacts import read_json, read_rows
from plumbline.config import Experiment
from plumbline.errors import ConfigError, IntegrityError
from plumbline.layout import SettingFolder
from plumbline.plugins import SFT
from plumbline.provenance import versions_words
from plumbline.schema import CONTROLS, LABELS, FileData, ScratchModel, Setting
from plumbline.schema import Column as Choice

Row = dict[str, Any]
#: Figures of an audit that stand below a table.
AUDITED = (
    "agreement",
    "kappa",
    "spearman",
    "mean_error",
    "self_agreement",
    "same_winner",
    "first_place",
)


def column(experiment: Experiment, choice: Choice) -> Column:
    """A column of the experiment file, under its benchmark's title."""
    group = experiment.benchmark(choice.benchmark).card.title
    return Column(choice.benchmark, choice.metric, choice.title, group, choice.digits)


def rank_rule(experiment: Experiment) -> RankRule:
    """The experiment's way of ranking, and the methods that it leaves out."""
    rank = experiment.report.rank
    rows = tuple(rank.rows) if isinstance(rank.rows, list) else rank.rows
    named = filter(experiment.is_trained, experiment.methods)
    cards = {name: experiment.method(name).card for name in named}
    barred = {name: card.unranked for name, card in cards.items() if card.unranked}
    barred |= {name: "a control" for name in cards if experiment.labels(name) in CONTROLS}
    return RankRule(rows, rank.ties, rank.unranked, barred)


def titles(experiment: Experiment) -> dict[str, str]:
    """How each entrant is printed."""
    named = filter(experiment.is_trained, experiment.methods)
    given = {name: model.title or name for name, model in experiment.models.items()}
    return {SFT: "SFT"} | {name: title(experiment, name) for name in named} | given


def title(experiment: Experiment, method: str) -> str:
    """A method's own title; a variant has its labels, or else its name, beside it."""
    spec, labels = experiment.method(method), experiment.labels(method)
    if spec.name == method:
        return spec.card.title
    return f"{spec.card.title} ({LABELS.get(labels, method)})"


def rows_of(experiment: Experiment, folders: SettingFolder) -> list[Row]:
    """The experiment's result rows of one setting."""
    rows = read_rows(experiment.folder.rows)
    return [row for row in rows if row["setting"] == folders.name]


def table(experiment: Experiment, setting: Setting, folders: SettingFolder) -> TableOne:
    """Table 1 of one setting."""
    return table_one(
        rows_of(experiment, folders),
        [column(experiment, choice) for choice in experiment.report.columns],
        rank_rule(experiment),
        methods=experiment.entrants,
        single=[name for name in experiment.entrants if not experiment.is_trained(name)],
        titles=titles(experiment),
        facts=facts(experiment, setting, folders),
        stamp=stamp(setting),
    )


def stamp(setting: Setting) -> str:
    """What every cell has to say: a model made here has not learnt the language of real data."""
    is_scratch = isinstance(setting.model, ScratchModel)
    return "scratch model" if is_scratch and isinstance(setting.data, FileData) else ""


def facts(experiment: Experiment, setting: Setting, folders: SettingFolder) -> dict[str, str]:
    """What made the numbers, in words."""
    select = experiment.select
    return {
        "Data": data_words(setting, folders),
        "Model": model_words(setting),
        "Given models": "; ".join(
            f"{model.title or name}: {model.path} at {model.revision}"
            for name, model in experiment.models.items()
        ),
        "Selection": f"best mean {select.benchmark} {select.metric} on validation, per method, "
        f"of at most {experiment.grid_points} points",
        "Alignment seeds": ", ".join(map(str, experiment.seeds)),
        "Kept apart": apart_words(experiment, folders),
        "Versions": versions_words(environments(experiment)),
        "Judge audit": audit_words(experiment),
    }


def apart_words(experiment: Experiment, folders: SettingFolder) -> str:
    """Why two archives' runs do not stand in one table; "" for a run of one piece."""
    path = experiment.folder.apart
    names = {item.name: name for name, item in experiment.setting_folders().items()}
    return read_json(path)[names[folders.name]] if path.is_file() else ""


def environments(experiment: Experiment) -> list[Row]:
    """Where the experiment's numbers were made, each environment once.

    Raises IntegrityError for rows that were collected before that was written down.
    """
    path = experiment.folder.provenance
    if not path.is_file():
        raise IntegrityError(
            f"no {path}, which says where these rows were made; type `plumbline aggregate` with "
            "the experiment's file"
        )
    return [*read_json(path)["environments"].values()]


def audit_words(experiment: Experiment) -> str:
    """How far the judge agrees with recorded verdicts; "" where nothing was measured.

    Raises ConfigError where the audit is of another judge.
    """
    judge = experiment.judge
    if judge.audit is None:
        return ""
    found = read_json(experiment.folder.audit)
    name, number = judge.identity
    if (found["judge"], found["version"]) != (name, number):
        raise ConfigError(
            f"judge.audit: {judge.audit} is of {found['judge']} version {found['version']}; the "
            f"judge is {name} version {number}; type `plumbline judge audit` again"
        )
    return "; ".join(figures_words(*item) for item in found["benchmarks"].items())


def figures_words(benchmark: str, figures: Row) -> str:
    """One benchmark's figures of `judge.audit.audit`."""
    told = ", ".join(
        f"{name.replace('_', ' ')} {figures[name]:.2f}"
        for name in AUDITED
        if figures.get(name) is not None
    )
    return f"{benchmark}, {figures['judged']} of {figures['cases']} recorded cases: {told}"


def data_words(setting: Setting, folders: SettingFolder) -> str:
    """The data source and how many rows each split has."""
    splits = read_json(folders.data_record)["splits"]
    counts = ", ".join(f"{item['rows']} {split}" for split, item in splits.items())
    return f"{setting.data.source}, seed {setting.data.seed} ({counts})"


def model_words(setting: Setting) -> str:
    """The model, by path or by size."""
    model = setting.model
    if not isinstance(model, ScratchModel):
        return f"{model.path} at {model.revision}"
    return (
        f"GPT-NeoX from scratch, {model.layers} layers of {model.hidden_size}, "
        f"{model.tokenizer} tokenizer"
    )


def selected_points(experiment: Experiment, folders: SettingFolder) -> dict[str, str]:
    """Each method's selected point; "" where none could be selected."""
    files = {name: folders.selection(experiment.experiment, name) for name in experiment.entrants}
    return {name: read_json(path)["point"] or "" for name, path in files.items()}
