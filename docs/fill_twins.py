"""`make twins`: put what finished twins of the paper's experiments printed into docs/results.md."""

import re
import shutil
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
PAGE = HOME / "docs" / "results.md"
IMAGES = Path("images")
#: Of each twin the figures that are shown, and what they are.
FIGURES = {
    "toyland_table1": {"rank_intervals": "Intervals of average ranks that hold at once with 95 %."},
    "toyland_table2": {},
    "toyland_table3": {},
    "toyland_figure2": {
        "progress_beta=0.1": "Figure 2, training: levels, and change since the first evaluation.",
        "frontier": "Figure 2, grid: win rate against length.",
    },
    "toyland_figures4_5": {
        "likelihoods_beta=0.1": "Figures 4 and 5: likelihood of held-out answers."
    },
}
#: Of each setting's tables, whether all is shown, or only what stands before a second one.
TABLES = {"table1.md": "all", "uncertainty.md": "first", "protocol.md": "all"}


def first_part(text: str) -> str:
    """A file of tables up to its second table."""
    tables = [match.start() for match in re.finditer(r"(?m)(?<=\n\n)\|", text)]
    return text[: tables[0]] if tables else text


def printed(folder: Path) -> str:
    """What a setting's folder of tables has to show."""
    shown = {"all": str, "first": first_part}
    paths = [(folder / name, shown[how]) for name, how in TABLES.items()]
    return "\n\n".join(
        cut(path.read_text("utf-8")).strip() for path, cut in paths if path.is_file()
    )


def block(experiment: Path) -> str:
    """All settings of a finished twin, then its figures, which are copied beside the page."""
    settings = sorted(path.parent for path in experiment.glob("tables/*/table1.md"))
    parts = [f"Setting `{folder.name}`:\n\n{printed(folder)}" for folder in settings]
    for name, words in FIGURES[experiment.name].items():
        for folder in settings:
            image = IMAGES / f"{experiment.name}_{folder.name}_{name}.png"
            found = experiment / "figures" / folder.name / f"{name}.png"
            if found.is_file():
                shutil.copyfile(found, PAGE.parent / image)
                parts.append(f"![{words}]({image})\n\n{words}")
    return "\n\n".join(parts)


def main() -> None:
    """Fill the marks of every twin that has finished; the others stay as they are."""
    text = PAGE.read_text("utf-8")
    for name in FIGURES:
        experiment = HOME / "results" / "experiments" / name
        if (experiment / "report.html").is_file():
            marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.S)
            made = block(experiment)
            text = marks.sub(lambda found, made=made: f"{found[1]}{made}\n{found[2]}", text)
            print(f"{name}: into {PAGE.name}")
    PAGE.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
