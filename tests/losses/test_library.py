"""The library as a whole: how many methods, of which papers."""

import re

from plumbline.plugins import METHODS, names_in, read_method

#: arXiv's numbers of the papers whose losses are here; cDPO's note is not on arXiv.
PAPERS = set(
    """
    2305.10425 2305.18290 2306.17492 2309.06657 2309.16240 2310.12036 2310.13639 2401.06121
    2401.08417 2402.00856 2402.01306 2402.01878 2402.05369 2402.05749 2402.10958 2402.13228
    2403.00409 2403.03419 2403.07691 2403.19159 2404.04656 2404.05868 2404.11999 2404.19733
    2405.00675 2405.14734 2405.16436 2405.19320 2406.05882 2406.07327 2406.08414 2406.09215
    2406.10957 2406.11827 2408.06266 2409.06411 2410.02197 2410.04350 2410.05102 2411.15124
    2412.09544 2412.14516 2501.03884 2504.15477 2505.19653 2505.23316 2507.00018 2510.05095
    2602.11902 2604.24953 2605.00327 2605.20834
    """.split()
)


def test_the_papers_are_these_and_no_others():
    papers = [read_method(path).card.paper for path in names_in(METHODS)]
    found = {match[0] for paper in papers if (match := re.search(r"\d{4}\.\d{5}", paper))}
    assert found == PAPERS and len(PAPERS) >= 40
    assert len(papers) >= 55


def test_files_are_short():
    """Lines without the docstring: 45 in the median, 100 at most."""
    lengths = sorted(_lines(path.read_text()) for path in names_in(METHODS))
    assert lengths[len(lengths) // 2] <= 45 and lengths[-1] <= 100


def _lines(source: str) -> int:
    return len(re.sub(r'"""[\s\S]*?"""', "", source).splitlines())
