"""`make pages`: put what finished experiments printed into docs/results.md (the twins of the
paper's) and docs/studies.md."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
IMAGES = Path("images")


def whole(text: str) -> str:
    """All of a file of tables."""
    return text.strip()


def first_part(text: str) -> str:
    """A file of tables up to its second table."""
    tables = [match.start() for match in re.finditer(r"(?m)(?<=\n\n)\|", text)]
    return (text[: tables[0]] if tables else text).strip()


def first_table(text: str) -> str:
    """The first table of a file, without what is said of it."""
    return text.split("\n\n")[0].strip()


@dataclass(frozen=True)
class Page:
    """A page of docs/. tables: of each file of tables, what is shown. figures: of each experiment,
    what is shown and what it is, by the files' names."""

    name: str
    tables: Mapping[str, Callable[[str], str]]
    figures: Mapping[str, Mapping[str, str]]

    @property
    def path(self) -> Path:
        return HOME / "docs" / self.name


PAGES = (
    Page(
        "results.md",
        {"table1.md": whole, "uncertainty.md": first_part, "protocol.md": whole},
        {
            "toyland_table1": {
                "rank_intervals": "Intervals of average ranks that hold at once with 95 %."
            },
            "toyland_table2": {},
            "toyland_table3": {},
            "toyland_appendix_h": {},
            "toyland_figure2": {
                "progress_beta=0.1": "Figure 2, training: levels, and change since the first "
                "evaluation.",
                "frontier": "Figure 2, grid: win rate against length.",
            },
            "toyland_figures4_5": {
                "likelihoods_beta=0.1": "Figures 4 and 5: likelihood of held-out answers."
            },
        },
    ),
    Page(
        "studies.md",
        {"table1.md": first_table},
        {
            "open_questions": {
                "rank_intervals": "Average ranks, with intervals that hold at once."
            },
            "regularizer": {"sweep": "Test scores by the number of samples."},
            "label_noise": {"sweep": "Test scores by the share of pairs mislabelled."},
            "length_bias": {"sweep": "Test scores by the annotator's utility for each word."},
            "pairs": {"sweep": "Test scores by the number of pairs."},
            "kl": {"frontier_kl": "Validation win rate against divergence, over each grid."},
            "imbalance": {"rank_intervals": "Average ranks, with intervals that hold at once."},
            "pvar": {"shares": "Win rate by the share of prompts that is trained on."},
        },
    ),
)


def block(page: Page, experiment: Path) -> str:
    """All settings of a finished experiment, then its figures, which are copied beside the page."""
    settings = sorted(path.parent for path in experiment.glob("tables/*/table1.md"))
    parts = [f"Setting `{folder.name}`:\n\n{printed(page, folder)}" for folder in settings]
    for name, words in page.figures[experiment.name].items():
        for found in sorted(experiment.glob(f"figures/**/{name}.png")):
            place = found.relative_to(experiment / "figures").parts
            image = IMAGES / "_".join((experiment.name, *place))
            shutil.copyfile(found, page.path.parent / image)
            told = f"`{place[0]}`: {words}" if len(place) > 1 and len(settings) > 1 else words
            parts.append(f"![{words}]({image})\n\n{told}")
    return "\n\n".join(parts)


def printed(page: Page, folder: Path) -> str:
    """What a setting's folder of tables has to show."""
    paths = [(folder / name, cut) for name, cut in page.tables.items()]
    return "\n\n".join(cut(path.read_text("utf-8")) for path, cut in paths if path.is_file())


def fill(page: Page) -> None:
    """Fill the marks of every experiment that has finished; the others stay as they are."""
    text = page.path.read_text("utf-8")
    for name in page.figures:
        experiment = HOME / "results" / "experiments" / name
        if (experiment / "report.html").is_file():
            marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.S)
            made = block(page, experiment)
            text = marks.sub(lambda found, made=made: f"{found[1]}{made}\n{found[2]}", text)
            print(f"{name}: into {page.name}")
    page.path.write_text(text, "utf-8")


if __name__ == "__main__":
    for each in PAGES:
        fill(each)
