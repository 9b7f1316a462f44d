"""One colour, dash and title per method, the same in every figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, product

#: Ink, secondary text, rules and paper; the page replaces them by its own, light or dark.
INK, MUTED, RULE, PAPER = "#1b1f24", "#667080", "#d6dbe1", "#ffffff"

#: Colours that colour-blind readers can tell apart (Okabe and Ito, 2008; yellow is too faint).
PAPER_METHODS = {
    "sft": MUTED,
    "dpo": "#D55E00",
    "kto": "#E69F00",
    "nca": "#009E73",
    "pro_p": "#0072B2",
    "pro_b": "#56B4E9",
    "pro_s": "#CC79A7",
}
#: For everybody else, in order: Tol's muted colours that are not near one of the above.
OTHERS = ("#882255", "#999933", "#6A5ACD", "#B15928", "#44AA99", "#AA4466", "#7A8B52", "#4477AA")
DASHES = ("-", (0, (5, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)), (0, (1, 1)))


@dataclass(frozen=True)
class Style:
    """How a method is drawn. dash: a matplotlib line style."""

    title: str
    colour: str
    dash: object = "-"


def method_styles(
    methods: Sequence[str], titles: Mapping[str, str] | None = None
) -> dict[str, Style]:
    """A style for each method of an experiment; give all methods, so that figures agree.

    The paper's methods keep their colours everywhere; others take the next (dash, colour) in turn,
    and after forty of them the turns begin again.
    """
    titles = {"sft": "SFT", **(titles or {})}
    free = cycle(product(DASHES, OTHERS))
    styles = {}
    for name in methods:
        dash, colour = ("-", PAPER_METHODS[name]) if name in PAPER_METHODS else next(free)
        styles[name] = Style(titles.get(name, name), colour, dash)
    return styles
