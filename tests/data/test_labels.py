"""Controls and win rates: which completion gets which score, and what never changes."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.data.labels import RULES, scores
from plumbline.data.views import lists, pairs, singles
from plumbline.schema import CONTROLS, LABELS, Variant


def row(id: str, completions: list[str], **given: object) -> dict:
    empty = {"scores": None, "chosen": None, "rejected": None}
    prompt = [{"role": "user", "content": f"prompt {id}"}]
    return {"id": id, "prompt": prompt, "completions": completions, **empty, **given}


PAIRS = [row(f"p{n}", ["ok", "longer"], chosen=0, rejected=1) for n in range(400)]
#: One completion each: 300 desirable, 100 undesirable, all of different lengths.
ALONE = [row(f"a{n}", ["x" * (1 + 7 * n % 400)], chosen=0) for n in range(300)]
ALONE += [row(f"b{n}", ["x" * (1 + 7 * (300 + n) % 400)], rejected=0) for n in range(100)]
LISTS = [row(f"l{n}", ["a", "bbb", "cc", "dd"], scores=[0.9, 0.5, 0.2, 0.5]) for n in range(200)]
VIEWS = {
    "pairs": pairs(PAIRS),
    "singles": singles([*PAIRS, *ALONE], seed=0),
    "lists": lists(LISTS, 4, seed=0),
}


def test_the_experiment_file_and_the_rules_know_the_same_names():
    named = Variant.model_fields["labels"].annotation.__args__
    assert list(RULES) == list(named) == ["given", *LABELS]
    assert CONTROLS.items() < LABELS.items()


def test_flipped_labels_are_the_opposite():
    assert scores(VIEWS["pairs"][:2], "pairs", "flipped", 0) == [[0, 1], [0, 1]]
    [found] = scores(VIEWS["lists"][:1], "lists", "flipped", 0)
    assert found == pytest.approx([0.1, 0.5, 0.8, 0.5])
    found = scores(VIEWS["singles"], "singles", "flipped", 0)
    assert found == [[1 - item["desirable"]] for item in VIEWS["singles"]]


def test_the_longer_the_better():
    """The rejected completion of every pair is longer; of the list the second is the longest and
    the first the shortest, and two of one length are drawn."""
    assert scores(VIEWS["pairs"], "pairs", "longer", 0) == [[0, 1]] * 400
    found = Counter(map(tuple, scores(VIEWS["lists"], "lists", "longer", 0)))
    assert set(found) == {(0.2, 0.9, 0.5, 0.5)}
    uneven = [{**item, "scores": [0.9, 0.6, 0.2, 0.4]} for item in VIEWS["lists"]]
    drawn = Counter(map(tuple, scores(uneven, "lists", "longer", 0)))
    assert set(drawn) == {(0.2, 0.9, 0.4, 0.6), (0.2, 0.9, 0.6, 0.4)}
    assert min(drawn.values()) > 60


def test_of_completions_that_stand_alone_the_longest_are_desirable():
    """300 of 400 lengths, 1 to 400, are desirable: those above 100."""
    rows = singles(ALONE, seed=0)
    found = scores(rows, "singles", "longer", 0)
    assert [own[0] for own in found] == [float(len(item["completion"]) > 100) for item in rows]


def test_random_labels_are_even_and_keep_their_shares():
    """Of 400 pairs 200 are turned, give or take 4 standard deviations of 10; of the singles that
    stand alone 300 stay desirable, and of the 100 others about 75 become it."""
    found = Counter(map(tuple, scores(VIEWS["pairs"], "pairs", "random", 0)))
    assert set(found) == {(1, 0), (0, 1)} and abs(found[1, 0] - 200) < 40
    alone = [own[0] for own in scores(singles(ALONE, seed=0), "singles", "random", 0)]
    assert sum(alone) == 300 and 55 < sum(alone[300:]) < 95
    places = Counter(own.index(0.9) for own in scores(VIEWS["lists"], "lists", "random", 0))
    assert set(places) == {0, 1, 2, 3} and min(places.values()) > 25


@pytest.mark.parametrize("labels", ["random", "flipped", "longer"])
def test_a_pair_and_its_singles_agree(labels):
    twice = scores(singles(PAIRS, seed=0), "singles", labels, 3)
    flat = [first + second for first, second in zip(twice[::2], twice[1::2], strict=True)]
    assert flat == scores(pairs(PAIRS), "pairs", labels, 3)


@pytest.mark.parametrize("feedback", VIEWS)
def test_random_labels_are_fixed_by_the_seed(feedback):
    rows = VIEWS[feedback]
    first = scores(rows, feedback, "random", 1)
    assert scores(rows, feedback, "random", 1) == first != scores(rows, feedback, "random", 2)


@pytest.mark.parametrize("feedback", ["pairs", "lists"])
@pytest.mark.parametrize("labels", RULES)
def test_fewer_rows_have_the_labels_they_had_among_all(feedback, labels):
    rows = VIEWS[feedback]
    assert scores(rows[50:60], feedback, labels, 1) == scores(rows, feedback, labels, 1)[50:60]


def test_win_rates_by_hand():
    """0.9 beats three and ties itself: 3.5 of 4; 0.5 ties another, twice 1/2, and beats one."""
    [found] = scores(VIEWS["lists"][:1], "lists", "win_rate", 0)
    assert found == [3.5 / 4, 2 / 4, 0.5 / 4, 2 / 4]


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_win_rates_are_centred_and_keep_the_order(given_scores):
    """Source: E_mu[s] = 0 of Theorem 3.1, arXiv:2505.23316v2, for s = E[p] - 1/2."""
    item = {"id": "x", "completions": ["text"] * len(given_scores), "scores": given_scores}
    [found] = scores([item], "lists", "win_rate", 0)
    assert sum(found) == pytest.approx(len(found) / 2)
    ranked = sorted(zip(given_scores, found, strict=True))
    assert [rate for _, rate in ranked] == sorted(found)


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=6),
    st.sampled_from(["random", "longer"]),
    st.integers(0, 99),
)
def test_scores_only_change_hands(given_scores, labels, seed):
    texts = ["x" * (5 * n % 3) for n in range(len(given_scores))]
    item = {"id": "x", "completions": texts, "scores": given_scores}
    [found] = scores([item], "lists", labels, seed)
    assert sorted(found) == sorted(given_scores)


@pytest.mark.parametrize("rate", [0.1, 0.4])
def test_each_row_is_mislabelled_with_the_probability_asked_for(rate):
    """Of 400 pairs, give or take 4 standard deviations of a binomial count."""
    found = Counter(map(tuple, scores(VIEWS["pairs"], "pairs", "given", 0, flip=rate)))
    assert set(found) == {(1, 0), (0, 1)}
    assert abs(found[0, 1] - 400 * rate) < 4 * (400 * rate * (1 - rate)) ** 0.5


def test_who_is_mislabelled_stays_so_at_higher_rates_and_agrees_between_views():
    few, many = (scores(VIEWS["pairs"], "pairs", "given", 7, flip=rate) for rate in (0.1, 0.3))
    assert all(more == [0, 1] for less, more in zip(few, many, strict=True) if less == [0, 1])
    twice = scores(singles(PAIRS, seed=0), "singles", "given", 7, flip=0.3)
    assert [a + b for a, b in zip(twice[::2], twice[1::2], strict=True)] == many
    assert scores(VIEWS["pairs"], "pairs", "given", 8, flip=0.3) != many


def test_noise_comes_after_the_rule_and_turns_every_score_of_a_row():
    honest, noisy = (scores(VIEWS["lists"], "lists", "win_rate", 0, flip=f) for f in (0.0, 0.4))
    changed = [(old, new) for old, new in zip(honest, noisy, strict=True) if old != new]
    assert 0 < len(changed) < len(honest)
    assert all(new == [1 - score for score in old] for old, new in changed)
