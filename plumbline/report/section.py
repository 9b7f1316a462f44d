"""One setting's part of the report, from its rows: table, grid, figures, samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.figure import Figure

from plumbline.aggregate import (
    Column,
    Grid,
    Protocol,
    TableOne,
    points_matching,
    records,
    validation_grid,
)
from plumbline.aggregate.uncertainty import Uncertainty
from plumbline.report import figures, rank_figures
from plumbline.report.canvas import to_png, to_svg
from plumbline.report.page import Picture, Section, samples
from plumbline.report.styles import Style, method_styles
from plumbline.schema import Prompts

SAMPLES = 4
LOG_RATIO_CAPTION = (
    "Log-probability of held-out completions under the policy minus that under the reference, per "
    "completion; mean over seeds, band from the least to the greatest seed. Both panels share one "
    "scale. A chosen line below zero says that training made even the preferred completions less "
    "likely. A cross marks a line that ends early."
)
LIKELIHOOD_CAPTION = (
    "Log-probability of held-out completions under the policy, on one scale, by what methods learn "
    "from (arXiv:2505.23316v2, Figures 4 and 5); mean over seeds, band from the least to the "
    "greatest seed. Grey line: where training starts."
)
PROGRESS_CAPTION = (
    "Answers to the same validation prompts while training. Above, levels; below, each seed's "
    "change since its own first evaluation, as in the paper's Figure 2. Mean and range over seeds."
)
FRONTIER_CAPTION = (
    "Validation, mean over seeds, one panel a method; its path runs over its whole grid. Ring: the "
    "selected point. Cross: SFT. Grey: the other methods."
)
RANK_CAPTION = (
    "Small dots: a method's place in each column, larger where it had that place more often. "
    "Diamond: their mean."
)
INTERVALS_CAPTION = (
    "Intervals that hold for all methods and columns at once with 95 %, over items and seeds. "
    "Where two overlap, their order is open. At the right: probability of the best average rank."
)
CRITICAL_CAPTION = (
    "Friedman's mean places, benchmarks as blocks; a bar joins methods that lie nearer than "
    "Nemenyi's critical difference at 95 %. Few blocks tell little apart, whatever their items say."
)
SHARES_CAPTION = (
    "Test, mean and standard deviation over seeds. Prompts by their preference variance under the "
    "panel's reward (arXiv:2510.13022v1), which labels their pairs too; the fewer, the more often "
    "each is seen: the steps are the same. Dotted: methods that learn from all prompts as the data "
    "label them."
)
PRO_CAPTION = (
    "The regularizer over the difference δ of two log-ratios, divided by β (arXiv:2505.23316v2, "
    "Figure 3): (α/β) K(βδ), with K(d) the divergence of Bernoulli(σ(d)) from a fair coin. Equal "
    "products αβ start alike; equal α end at the same slope, α/2."
)


@dataclass(frozen=True)
class Choices:
    """What an experiment's report shows.

    select: the validation metric that chose the points; length: the validation metric drawn
    against it; against: more of them. dynamics_point: the point that training curves are shown at
    ("beta=0.1"), besides each method's selected one; "" for none. methods: all of them, in order;
    titles: their names; feedback: what those that are trained learn from; prompts: of variants
    whose prompts a reward chose.
    """

    select: Column
    length: Column
    methods: tuple[str, ...]
    titles: Mapping[str, str]
    feedback: Mapping[str, str]
    dynamics_point: str = ""
    prompts: Mapping[str, Prompts] = field(default_factory=dict)
    against: tuple[Column, ...] = ()


def section(
    title: str,
    table: TableOne,
    choices: Choices,
    *,
    rows: Any,
    dynamics: Any,
    selected: Mapping[str, str],
    responses: Mapping[str, Sequence[Mapping[str, Any]]],
    protocol: Protocol | None = None,
    uncertainty: Uncertainty | None = None,
    stamp: str = "",
) -> Section:
    """A setting's section, ready for `page.page`.

    rows, dynamics: this setting's, as dicts or DataFrames. selected: method -> its point.
    responses: method -> `rows.RESPONSE` dicts of its selected point, first seed; {} for no samples.
    protocol: where the whole grid was tested. uncertainty: how sure the table is. stamp: printed
    in every cell of the grid.
    """
    rows, dynamics = records(rows), records(dynamics)
    names = {"methods": choices.methods, "titles": choices.titles, "stamp": stamp}
    quality, *others = (
        validation_grid(rows, column, selected=selected, **names)
        for column in (choices.select, choices.length, *choices.against)
    )
    styles = method_styles(choices.methods, choices.titles)
    training = [
        picture
        for where, points in training_points(choices, quality, selected).items()
        for picture in training_pictures(choices, dynamics, points, styles, where)
    ]
    answers = {styles[name].title: found for name, found in responses.items()}
    return Section(
        title=title,
        table=table,
        grid=quality if filled(quality) else None,
        protocol=protocol,
        uncertainty=uncertainty,
        pictures=(
            *training,
            *summary_pictures(table, quality, others, styles),
            *rank_pictures(uncertainty, styles),
            *shares_pictures(table, choices.prompts),
        ),
        samples=samples(answers, SAMPLES),
    )


def training_points(
    choices: Choices, grid: Grid, selected: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """Where training curves are drawn: words for it -> method -> point."""
    tried = {row.method: [selected.get(row.method, ""), *row.points.values()] for row in grid.rows}
    places = {
        f"at {choices.dynamics_point}": points_matching(tried, choices.dynamics_point),
        "at each method's selected point": {name: p for name, p in selected.items() if p},
    }
    if not choices.dynamics_point:
        del places[f"at {choices.dynamics_point}"]
    return places


def training_pictures(
    choices: Choices,
    dynamics: Sequence[dict[str, Any]],
    points: Mapping[str, str],
    styles: Mapping[str, Style],
    where: str,
) -> list[Picture]:
    """Likelihoods, and length and quality, at some points; those for which there are rows."""
    there = [row for row in dynamics if points.get(row["method"]) == row["point"]]
    found = {(row["split"], row["metric"]) for row in there}
    metrics = {
        column.metric: column.title
        for column in (choices.length, choices.select)
        if ("validation", column.metric) in found
    }
    suffix = where.replace("at ", "").replace("each method's ", "").replace(" ", "_")
    pictures = []
    if ("probe", "chosen_logratio") in found:
        figure = figures.log_ratios(there, points, styles)
        title = f"Chosen and rejected log-ratios {where}"
        pictures.append(picture(f"log_ratios_{suffix}", title, LOG_RATIO_CAPTION, figure))
    kinds = {choices.feedback[row["method"]] for row in there}
    if ("probe", "chosen_logprob") in found and len(kinds) > 1:
        figure = figures.likelihoods(there, points, styles, choices.feedback)
        title = f"Likelihood by kind of feedback {where}"
        pictures.append(picture(f"likelihoods_{suffix}", title, LIKELIHOOD_CAPTION, figure))
    if metrics:
        figure = figures.progress(there, points, styles, metrics)
        title = f"Answers during training {where}"
        pictures.append(picture(f"progress_{suffix}", title, PROGRESS_CAPTION, figure))
    return pictures


def summary_pictures(
    table: TableOne, quality: Grid, others: Sequence[Grid], styles: Mapping[str, Style]
) -> list[Picture]:
    """Quality against length and the like over the grid, and the ranks; those for which there are
    numbers."""
    pictures = []
    for number, other in enumerate(others):
        if filled(quality) and filled(other):
            name = f"frontier_{other.column.metric}" if number else "frontier"
            title = f"{quality.column.title} against {other.column.title} over the whole grid"
            figure = figures.frontier(quality, other, styles)
            pictures.append(picture(name, title, FRONTIER_CAPTION, figure))
    if any(line.rank.places for line in table.lines):
        figure = figures.ranks(table, styles)
        pictures.append(picture("ranks", "Ranks", RANK_CAPTION, figure))
    return pictures


def rank_pictures(found: Uncertainty | None, styles: Mapping[str, Style]) -> list[Picture]:
    """How sure the ranks are, where methods were ranked."""
    contest = found.contest if found else None
    if contest is None:
        return []
    figure = rank_figures.rank_intervals(contest, styles)
    title = "Average ranks with simultaneous intervals"
    pictures = [picture("rank_intervals", title, INTERVALS_CAPTION, figure)]
    if contest.friedman:
        figure = rank_figures.critical_differences(contest, contest.friedman, styles)
        title = "Mean places over blocks and their critical difference"
        pictures.append(picture("critical_difference", title, CRITICAL_CAPTION, figure))
    return pictures


def shares_pictures(table: TableOne, prompts: Mapping[str, Prompts]) -> list[Picture]:
    """What a choice of prompts does, where there was one and a number came of it."""
    if not any(line.method in prompts and figures.has_value(line.cells[0]) for line in table.lines):
        return []
    title = f"{table.headings[0].column.title} by share of the prompts"
    return [picture("shares", title, SHARES_CAPTION, figures.shares(table, prompts))]


def pro_picture() -> Picture:
    """The paper's Figure 3, which needs no run."""
    title = "The PRO regularizer and its gradient"
    return picture("pro_regularizer", title, PRO_CAPTION, figures.pro_figure())


def picture(name: str, title: str, caption: str, figure: Figure) -> Picture:
    """A figure as files, with its words."""
    return Picture(name, title, caption, to_svg(figure), to_png(figure))


def filled(grid: Grid) -> bool:
    """Whether any aligned method has a number in the grid."""
    return any(
        cell.value is not None
        for row in grid.rows
        if row.method != "sft"
        for cell in row.cells.values()
    )
