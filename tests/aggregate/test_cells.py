"""One cell. Source of the expected numbers: by hand, as said in each test."""

import pandas as pd
import pytest

from plumbline.aggregate import Clean, cell, records


def test_mean_and_sample_deviation_over_seeds(row):
    """Mean of 1, 2, 6 is 3; squared deviations 4 + 1 + 9 = 14; sqrt(14 / 2) = sqrt(7)."""
    found = cell([row("dpo", value, seed=seed, se=0.5) for seed, value in enumerate((1, 2, 6))])
    assert found.value == 3
    assert found.spread == pytest.approx(7**0.5)
    assert (found.n_seeds, found.n, found.n_expected, found.se) == (3, 300, 300, 0.5)
    assert found.complete


def test_one_seed_has_no_spread(row):
    assert cell([row("sft", 4.2)]).spread is None


def test_the_worst_status_stays_visible_beside_the_mean_of_the_rest(row):
    gone = row("kto", None, seed=2, status="diverged", reason="not finite at step 9", n=0)
    found = cell([row("kto", 1.0), row("kto", 3.0, seed=1, status="incomplete", n=90), gone])
    assert found.value == 2.0
    assert (found.status, found.reason) == ("diverged", "not finite at step 9")
    assert (found.n_seeds, found.n, found.n_expected) == (2, 190, 300)
    assert not found.complete


def test_no_row_is_not_run():
    found = cell([])
    assert (found.value, found.status, found.n_seeds) == (None, "not_run", 0)


def test_an_absent_value_is_never_a_number(row):
    """A data frame's null is NaN; it must not become a value that poisons the mean."""
    frame = pd.DataFrame([row("dpo", 2.0), row("dpo", None, seed=1, status="refused")])
    found = cell(records(frame))
    assert (found.value, found.n_seeds, found.status) == (2.0, 1, "refused")


def test_the_clean_number_is_a_mean_over_seeds_of_its_own(row):
    """By hand: clean values 1 and 3, mean 2, deviation sqrt(2); the whole values do not enter."""
    rows = [
        row("dpo", 10.0, n_contaminated=5, clean_value=1.0),
        row("dpo", 20.0, seed=1, n=99, n_contaminated=4, clean_value=3.0),
    ]
    assert cell(rows).value == 15.0
    assert cell(rows).clean == Clean(5, 100, 2.0, pytest.approx(2**0.5))


def test_a_seed_without_contaminated_items_counts_whole(row):
    """By hand: one seed lost its only contaminated item to a gap; (4 + 6) / 2 = 5."""
    rows = [
        row("dpo", 9.0, n_contaminated=1, clean_value=4.0),
        row("dpo", 6.0, seed=1, n_contaminated=0),
        row("dpo", None, seed=2, status="diverged", n=0),
    ]
    assert cell(rows).clean == Clean(1, 100, 5.0, pytest.approx(2**0.5))


def test_a_number_that_has_no_clean_one_is_marked_all_the_same(row):
    found = cell([row("dpo", 9.0, n_contaminated=3, clean_value=None)])
    assert found.clean == Clean(3, 100, None, None)


@pytest.mark.parametrize("known", [{}, {"n_contaminated": None}, {"n_contaminated": 0}])
def test_without_contaminated_items_there_is_no_clean_number(row, known):
    assert cell([row("dpo", 9.0, **known)]).clean is None


def test_a_data_frame_counts_the_same(row):
    """Its column of counts holds floats and NaN as soon as one is unknown."""
    frame = pd.DataFrame([row("dpo", 2.0, n_contaminated=3, clean_value=1.0), row("kto", 2.0)])
    marked, unknown = records(frame)
    assert cell([marked]).clean == Clean(3, 100, 1.0, None)
    assert cell([unknown]).clean is None
