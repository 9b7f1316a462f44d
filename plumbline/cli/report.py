"""Stage report."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

from plumbline import config
from plumbline.artifacts import read_json, read_rows, write_atomically, write_text
from plumbline.cli import tables
from plumbline.config import Experiment
from plumbline.layout import SettingFolder, selected
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
        columns=tuple(tables.column(experiment, item) for item in report.columns),
        rank=tables.rank_rule(experiment),
        select=tables.column(experiment, Choice(**experiment.select.model_dump())),
        length=tables.column(experiment, report.length),
        methods=tuple(experiment.entrants),
        titles=tables.titles(experiment),
        dynamics_point=report.dynamics_point,
        against=tuple(tables.column(experiment, item) for item in report.against),
    )
    rows = read_rows(experiment.folder.dynamics)
    return section(
        name,
        choices,
        rows=tables.rows_of(experiment, folders),
        dynamics=[row for row in rows if row["setting"] == folders.name],
        selected=tables.selected_points(experiment, folders),
        responses=_responses(experiment, folders),
        facts=tables.facts(experiment, experiment.settings[name], folders),
        stamp=tables.stamp(experiment.settings[name]),
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
        method: selected(folders, experiment.experiment, method, seed).responses(name)
        for method in experiment.entrants
    }
    return {method: found for method, path in paths.items() if (found := read_rows(path))}


def _provenance(experiment: Experiment) -> tuple[tuple[str, str], ...]:
    """Who ran what, where; the settings' own facts stand under their tables."""
    folders = experiment.setting_folders()
    sizes = [read_json(item.sft.record)["model"][:12] for item in folders.values()]
    return (
        ("Experiment", experiment.experiment),
        ("Settings", ", ".join(item.name for item in folders.values())),
        ("SFT models (sha256)", ", ".join(sizes)),
        ("Judge", experiment.judge.name),
        ("Machine", f"{platform.system()} {platform.machine()}"),
        ("Python", platform.python_version()),
    )


def _write(picture: Picture, folder: Path) -> None:
    write_text(folder / f"{picture.name}.svg", picture.svg)
    write_atomically(folder / f"{picture.name}.png", lambda path: path.write_bytes(picture.png))
