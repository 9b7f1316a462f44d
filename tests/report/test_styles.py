"""Colours."""

from plumbline.report.styles import OTHERS, method_styles


def test_the_papers_methods_keep_their_colours_in_any_company():
    alone = method_styles(["dpo"])["dpo"]
    assert method_styles(["orpo", "dpo", "simpo"], {"simpo": "SimPO"})["dpo"] == alone


def test_forty_others_differ_and_the_rest_begin_again():
    """Eight colours times five dashes."""
    styles = list(method_styles([f"m{i}" for i in range(60)]).values())
    looks = [(style.colour, style.dash) for style in styles]
    assert len(set(looks)) == 5 * len(OTHERS) == 40
    assert looks[40:] == looks[:20]
