"""Stage report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plumbline import config
from plumbline.artifacts import read_json, read_rows, write_atomically, write_text
from plumbline.cli import tables
from plumbline.config import Experiment
from plumbline.layout import SettingFolder
from plumbline.provenance import machine_words
from plumbline.report.page import PageContent, Picture, Section, page
from plumbline.report.section import Choices, pro_picture, section
from plumbline.report.styles import method_styles
from plumbline.report.sweep import Place, sweep_picture
from plumbline.schema import Column as Choice
from plumbline.schema import entry


def run(experiment: Path) -> None:
    """Draw every figure and write the page."""
    chosen = config.read(experiment)
    sections = {
        name: _section(chosen, name, folders) for name, folders in chosen.setting_folders().items()
    }
    pictures = [*_sweep(chosen), pro_picture()]
    for picture in pictures:
        _write(picture, chosen.folder.figures)
    for name, part in sections.items():
        for picture in part.pictures:
            _write(picture, chosen.folder.figures / name)
    report = chosen.report
    content = PageContent(
        title=report.title,
        sections=tuple(sections.values()),
        lead=report.lead,
        stamp=report.stamp,
        provenance=_provenance(chosen),
        pictures=tuple(pictures),
        differences=tuple(tuple(item.model_dump().values()) for item in chosen.differences),
        not_run=tuple(report.not_run.items()),
    )
    write_text(chosen.folder.report, page(content))


def _section(experiment: Experiment, name: str, folders: SettingFolder) -> Section:
    report = experiment.report
    choices = Choices(
        select=tables.column(experiment, Choice(**experiment.select.model_dump())),
        length=tables.column(experiment, report.length),
        methods=tuple(experiment.entrants),
        titles=tables.shown_titles(experiment, folders),
        feedback=tables.feedback(experiment),
        dynamics_point=report.dynamics_point,
        prompts=tables.prompts(experiment),
        against=tuple(tables.column(experiment, item) for item in report.against),
    )
    rows = read_rows(experiment.folder.dynamics)
    setting = experiment.settings[name]
    table = tables.table(experiment, setting, folders)
    return section(
        name,
        table,
        choices,
        rows=tables.shown_rows(experiment, folders),
        dynamics=[row for row in rows if row["setting"] == folders.name],
        selected=tables.selected_points(experiment, folders),
        responses=_responses(experiment, folders),
        protocol=tables.protocol_of(experiment, folders, table),
        uncertainty=tables.uncertainty_of(experiment, folders, table),
        stamp=tables.stamp(setting),
    )


def _sweep(experiment: Experiment) -> list[Picture]:
    """The figure over settings or variants, if one is asked for."""
    choice = experiment.report.sweep
    if choice is None:
        return []
    names = tables.titles(experiment)
    return [
        sweep_picture(
            read_rows(experiment.folder.rows),
            [tables.column(experiment, item) for item in experiment.report.columns],
            _places(experiment),
            method_styles(experiment.entrants, names),
            choice.title,
            choice.scale,
        )
    ]


def _places(experiment: Experiment) -> dict[tuple[str, str], Place]:
    """Where each method stands in the figure over settings or variants, at its selected point.

    A variant that is there for its place on the axis belongs to the line of its method.
    """
    found = {}
    for name, folders in experiment.setting_folders().items():
        for method, label in tables.selected_points(experiment, folders).items():
            point = experiment.point(method, label) if label else {}
            value = experiment.swept(name, method, point)
            found[folders.name, method] = Place(_line_of(experiment, method, value), value)
    return found


def _line_of(experiment: Experiment, method: str, value: float | None) -> str:
    """The method that a variant is like, unless it learns from labels of its own."""
    if value is None or "labels" in experiment.relabelling(method):
        return method
    return entry(experiment.methods, method)[0].like


def _responses(experiment: Experiment, folders: SettingFolder) -> dict[str, list[dict[str, Any]]]:
    """Test answers of each method's selected point, first seed, to the selecting benchmark."""
    name, seed = experiment.select.benchmark, experiment.seeds[0]
    if name not in experiment.benchmarks_on("test"):
        return {}
    paths = {
        target.method: target.evaluation.responses(name)
        for target in tables.selected_targets(experiment, folders)
        if target.seed == seed
    }
    return {method: found for method, path in paths.items() if (found := read_rows(path))}


def _provenance(experiment: Experiment) -> tuple[tuple[str, str], ...]:
    """Who ran what, where; the settings' own facts stand under their tables."""
    folders = experiment.setting_folders()
    places = tables.environments(experiment)
    machines = dict.fromkeys(machine_words(item["machine"]) for item in places)
    sizes = [read_json(item.sft.record)["model"][:12] for item in folders.values()]
    return (
        ("Experiment", experiment.experiment),
        ("Settings", ", ".join(item.name for item in folders.values())),
        ("SFT models (sha256)", ", ".join(sizes)),
        ("Judge", experiment.judge.name),
        ("Machine", "; ".join(machines)),
        ("Python", ", ".join(sorted({item["python"] for item in places}))),
    )


def _write(picture: Picture, folder: Path) -> None:
    write_text(folder / f"{picture.name}.svg", picture.svg)
    write_atomically(folder / f"{picture.name}.png", lambda path: path.write_bytes(picture.png))
