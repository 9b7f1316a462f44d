"""`make readme TIME="..."`: put the demo's time, table and one figure into README.md's marks."""

import re
import shutil
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
DEMO = HOME / "results" / "experiments" / "quickstart"
TABLE = DEMO / "tables" / "toyland" / "table1.md"
FIGURE = DEMO / "figures" / "toyland" / "log_ratios_beta=0.1.png"
IMAGE = "docs/images/quickstart_log_ratios.png"
CAPTION = (
    "Log-ratios of held-out chosen and rejected completions while training, at beta 0.1: mean and "
    "range over seeds."
)
MARKED = re.compile(r"(<!-- demo table -->\n).*?(<!-- /demo table -->)", re.S)


def filled(readme: str, time: str, table: str) -> str:
    """README's text with the block between its marks made anew."""
    took = f"After set-up, `make demo` took {time}."
    parts = [took, table.strip(), f"![{CAPTION}]({IMAGE})", CAPTION]
    return MARKED.sub(lambda marks: marks[1] + "\n\n".join(parts) + "\n" + marks[2], readme)


def main() -> None:
    if len(sys.argv) != 2 or not sys.argv[1]:
        sys.exit('how long did the demo take? make readme TIME="6 min 40 s on 2 cores"')
    for path in (TABLE, FIGURE):
        if not path.is_file():
            sys.exit(f"no finished demo, {path} is missing: run `make demo` first")
    (HOME / IMAGE).parent.mkdir(exist_ok=True)
    shutil.copyfile(FIGURE, HOME / IMAGE)
    readme, table = HOME / "README.md", TABLE.read_text("utf-8")
    readme.write_text(filled(readme.read_text("utf-8"), sys.argv[1], table), "utf-8")


if __name__ == "__main__":
    main()
