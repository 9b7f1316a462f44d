"""What the stages aggregate and report ask of an experiment: rows, columns and facts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from plumbline.aggregate import (
    Column,
    Control,
    Heading,
    Protocol,
    RankRule,
    TableOne,
    at_selected,
    protocol,
    table_one,
)
from plumbline.aggregate.uncertainty import Source, Uncertainty, uncertainty
from plumbline.artifacts import read_json, read_rows
from plumbline.config import Experiment
from plumbline.errors import ConfigError, IntegrityError
from plumbline.layout import SettingFolder, point_name
from plumbline.plugins import SFT, load_benchmark
from plumbline.provenance import versions_words
from plumbline.schema import (
    CONTROLS,
    LABELS,
    FileData,
    Prompts,
    ScratchModel,
    Setting,
    entry,
)
from plumbline.schema import Column as Choice
from plumbline.score import means
from plumbline.targets import Target, test_targets

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
    barred |= dict.fromkeys(controls(experiment), "a control")
    return RankRule(rows, rank.ties, rank.unranked, barred)


def controls(experiment: Experiment) -> dict[str, Control]:
    """The methods that learn from other labels than they should, and what they are controls of."""
    entries = {name: entry(experiment.methods, name)[0] for name in experiment.methods}
    return {
        name: Control(variant.like, variant.labels)
        for name, variant in entries.items()
        if variant.labels in CONTROLS
    }


def single(experiment: Experiment) -> list[str]:
    """The entrants that are one model, whatever the seed."""
    return [name for name in experiment.entrants if not experiment.is_trained(name)]


def shown_titles(experiment: Experiment, folders: SettingFolder) -> dict[str, str]:
    """How each entrant is printed in a setting's tables; a selection that was made again when test
    scores existed stands beside the name."""
    files = {name: selection(experiment, folders, name) for name in experiment.entrants}
    again = {name for name, file in files.items() if file.get("reopened")}
    plain = titles(experiment)
    return {name: f"{text} (reopened)" if name in again else text for name, text in plain.items()}


def titles(experiment: Experiment) -> dict[str, str]:
    """How each entrant is printed."""
    named = filter(experiment.is_trained, experiment.methods)
    given = {name: model.title or name for name, model in experiment.models.items()}
    return {SFT: "SFT"} | {name: title(experiment, name) for name in named} | given


def feedback(experiment: Experiment) -> dict[str, str]:
    """What each method that is trained learns from."""
    named = filter(experiment.is_trained, experiment.methods)
    return {name: experiment.method(name).feedback for name in named}


def title(experiment: Experiment, method: str) -> str:
    """A method's own title; a variant has its labels or prompts, or else its name, beside it."""
    spec, changed = experiment.method(method), experiment.relabelling(method)
    if spec.name == method:
        return spec.card.title
    words = [LABELS[changed["labels"]]] if "labels" in changed else []
    words += [f"{100 * changed['flip']:g} % of labels flipped"] if "flip" in changed else []
    if prompts := experiment.prompts(method):
        words.append(f"{100 * prompts.share:g} % {prompts.order} by {prompts.reward}")
    return f"{spec.card.title} ({', '.join(words) or method})"


def prompts(experiment: Experiment) -> dict[str, Prompts]:
    """Whom variants learn from whose prompts a reward chose."""
    found = {name: experiment.prompts(name) for name in experiment.methods}
    return {name: choice for name, choice in found.items() if choice}


def rows_of(experiment: Experiment, folders: SettingFolder) -> list[Row]:
    """The experiment's result rows of one setting, of every point that was tested."""
    rows = read_rows(experiment.folder.rows)
    return [row for row in rows if row["setting"] == folders.name]


def shown_rows(experiment: Experiment, folders: SettingFolder) -> list[Row]:
    """The rows that tables show: test scores at selected points only."""
    return at_selected(rows_of(experiment, folders), selected_points(experiment, folders))


def table(experiment: Experiment, setting: Setting, folders: SettingFolder) -> TableOne:
    """Table 1 of one setting."""
    return table_one(
        shown_rows(experiment, folders),
        [column(experiment, choice) for choice in experiment.report.columns],
        rank_rule(experiment),
        methods=experiment.entrants,
        single=single(experiment),
        titles=shown_titles(experiment, folders),
        facts=facts(experiment, setting, folders),
        controls=controls(experiment),
        stamp=stamp(setting),
    )


def protocol_of(experiment: Experiment, folders: SettingFolder, shown: TableOne) -> Protocol | None:
    """What picking points on test would have added to a table; None where only selected points
    were tested."""
    if experiment.tested == "selected":
        return None
    items = read_rows(experiment.folder.items)
    return protocol(
        rows_of(experiment, folders),
        [item for item in items if item["setting"] == folders.name],
        shown,
        defaults={name: default_point(experiment, name) for name in experiment.entrants},
        single=single(experiment),
        budget=experiment.grid_points,
    )


def uncertainty_of(experiment: Experiment, folders: SettingFolder, shown: TableOne) -> Uncertainty:
    """How sure a table is, by its items."""
    items = read_rows(experiment.folder.items)
    return uncertainty(
        shown_rows(experiment, folders),
        [item for item in items if item["setting"] == folders.name],
        shown,
        {heading.column.benchmark: source(experiment, heading) for heading in shown.headings},
        experiment.report.baseline,
    )


def source(experiment: Experiment, heading: Heading) -> Source:
    """What a column's benchmark says of its own numbers."""
    spec = experiment.benchmark(heading.column.benchmark)
    module = load_benchmark(spec)
    return Source(
        getattr(module, "summarise", means),
        getattr(module, "pseudo_values", None),
        {metric.name: metric for metric in spec.card.metrics},
    )


def default_point(experiment: Experiment, method: str) -> str:
    """The point of a method's grid at which it has the values of its own file; "" for none."""
    if not experiment.is_trained(method):
        return point_name({})
    own = {item.name: item.default for item in experiment.method(method).hyperparameters}
    points = [point for point in experiment.points(method) if own | point == own]
    return point_name(points[0]) if points else ""


def stamp(setting: Setting) -> str:
    """What every cell has to say: a model made here has not learnt the language of real data."""
    is_scratch = isinstance(setting.model, ScratchModel)
    return "scratch model" if is_scratch and isinstance(setting.data, FileData) else ""


def facts(experiment: Experiment, setting: Setting, folders: SettingFolder) -> dict[str, str]:
    """What made the numbers, in words."""
    return {
        "Data": data_words(setting, folders),
        "Model": model_words(setting),
        "Given models": "; ".join(
            f"{model.title or name}: {model.path} at {model.revision}"
            for name, model in experiment.models.items()
        ),
        "Selection": selection_words(experiment),
        "Alignment seeds": ", ".join(map(str, experiment.seeds)),
        "Kept apart": apart_words(experiment, folders),
        "Versions": versions_words(environments(experiment)),
        "Judge audit": audit_words(experiment),
    }


def selection_words(experiment: Experiment) -> str:
    """How points were chosen, and who tried fewer than the budget."""
    select, budget, named = experiment.select, experiment.grid_points, titles(experiment)
    tried = {name: len(experiment.points(name)) for name in experiment.methods}
    fewer = [
        f"{named[name]} {count}"
        for name, count in tried.items()
        if count < budget and experiment.is_trained(name)
    ]
    words = f"best mean {select.benchmark} {select.metric} on validation, per method, of at most "
    return f"{words}{budget} points" + (f"; fewer: {', '.join(fewer)}" if fewer else "")


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
    files = {name: selection(experiment, folders, name) for name in experiment.entrants}
    return {name: file["point"] or "" for name, file in files.items()}


def selection(experiment: Experiment, folders: SettingFolder, method: str) -> Row:
    """What was selected of a method."""
    return read_json(folders.selection(experiment.experiment, method))


def selected_targets(experiment: Experiment, folders: SettingFolder) -> Iterator[Target]:
    """Each method's selected point for each seed, as it was tested; without a run where no point
    could be selected."""
    for name in experiment.entrants:
        path = folders.selection(experiment.experiment, name)
        point = read_json(path)["point"]
        for target in test_targets(experiment, [path]):
            if target.run is None or target.run.point == point:
                yield target
