"""What printed numbers give away. Source of the six cells: another granularity test, by hand."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.operate.grim import counts, recomputed, suspects

ITEMS = st.integers(1, 6000)


@given(ITEMS.flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_every_true_percentage_has_its_count(pair):
    k, n = pair
    assert k in counts(round(100 * k / n, 2), n, 2)


@given(st.integers(0, 10_000), ITEMS)
def test_counts_are_those_that_a_search_finds(hundredths, n):
    exact = Fraction(hundredths, 100)
    near = [k for k in range(n + 1) if abs(Fraction(100 * k, n) - exact) <= Fraction(1, 200)]
    assert counts(float(exact), n, 2) == near


def test_a_tie_may_be_rounded_either_way():
    """By hand: 1 of 800 is 0.125 %."""
    assert counts(0.12, 800, 2) == counts(0.13, 800, 2) == [1]
    assert counts(0.11, 800, 2) == counts(0.14, 800, 2) == []


def test_the_papers_six_cells_are_found_and_no_other(pro):
    found = {(item.what, item.printed) for item in suspects(pro)}
    assert found == {
        ("NCA, n_responses 4: arc", 59.61),
        ("DPO: gpqa", 32.04),
        ("PRO-P: truthfulqa", 43.81),
        ("NCA, n_responses 4: ifeval", 28.96),
        ("PRO-S, n_responses 2: ifeval", 29.31),
        ("PRO-S, n_responses 4: ifeval", 29.43),
    }


def test_a_cell_says_where_it_is_printed_and_what_is_near(pro):
    """By hand: 143 and 144 of 448."""
    [cell] = [item for item in suspects(pro) if item.printed == 32.04]
    assert (cell.where, cell.n) == ("Table 1, Appendix H", 448)
    assert (cell.below, cell.above) == pytest.approx((31.9196, 32.1429), abs=1e-4)


def test_ranks_follow_by_the_first_reading_and_two_do_not_by_the_second(pro):
    """Source: tests/aggregate/test_ranks.py's, 5.857 and 4.0 over all rows."""
    ranks = [item for item in recomputed(pro) if "avg_rank" in item.what]
    assert all(item.agrees for item in ranks if "aligned" in item.what)
    off = {item.what: item.recomputed for item in ranks if not item.agrees}
    assert off == {
        "SFT: avg_rank (all, min)": pytest.approx(41 / 7),
        "KTO: avg_rank (all, min)": pytest.approx(4.0),
    }


def test_averages_are_plain_means(pro):
    means = [item for item in recomputed(pro) if item.what.endswith(": average")]
    assert len(means) == 10 and all(item.agrees for item in means)
