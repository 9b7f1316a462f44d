"""SVG files made fit to stand inside an HTML page."""

import re

from plumbline.report.styles import INK, MUTED, PAPER, RULE

#: What the page puts in place of our fixed colours, so that figures follow light and dark.
THEME = {INK: "var(--ink)", MUTED: "var(--muted)", RULE: "var(--rule)", PAPER: "var(--paper)"}


def inline(svg: str) -> str:
    """An SVG of `to_svg` made fit to stand inside an HTML page: scalable, themed, without a prolog.

    Ids that nothing refers to go, since every figure has its own `axes_1`.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' (width|height)="[\d.]+pt"', "", svg, count=2)
    svg = re.sub(r' id="[A-Za-z.]+_\d+"', "", svg)
    svg = re.sub(r"(font(?:-family)?:[^;\"]*)'DejaVu Sans', sans-serif", r"\1var(--sans)", svg)
    for colour, variable in THEME.items():
        svg = svg.replace(colour, variable)
    return svg
