"""DynamicPO: lists worked by hand, its negatives against scikit-learn's, S-DPO as a case."""

import math

import numpy as np
import pytest
from differences import slopes
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.cluster import KMeans

#: Best response first. Negatives: two as likely as it or more; none, in clusters 2, 2, 1; all.
POLICY = [
    [-10.0, -8.5, -12.0, -9.0, -30.0, -10.0],
    [-3.0, -7.0, -7.5, -15.0, -16.0, -40.0],
    [-9.0, -8.0, -7.0, -6.0, -5.0, -4.0],
]
REFERENCE = [
    [-11.0, -8.0, -12.5, -7.0, -31.0, -10.5],
    [-4.5, -6.0, -8.0, -14.0, -16.5, -38.0],
    [-9.5, -8.5, -6.0, -6.5, -4.0, -4.5],
]
SCORES = [[1.0, 0.5, 0.4, 0.3, 0.2, 0.1]] * 3
NEAR = [[1, 3, 5], [1, 2], [1, 2, 3, 4, 5]]


@pytest.fixture(scope="module")
def dynamic_po(load):
    return load("dynamic_po")


@pytest.fixture(scope="module")
def softmax_dpo(load):
    return load("softmax_dpo")


def betas(policy, near, beta, margin, swing) -> dict[int, float]:
    """Source: section 4, arXiv:2605.00327v1, negative by negative."""
    far = [place for place in range(1, len(policy)) if place not in near] or near
    mean = sum(policy[place] for place in far) / len(far)
    found = {}
    for place in near:
        first, second = policy[0] - policy[place], policy[place] - mean
        push = math.tanh((first - second - margin) / (abs(first) + abs(second)))
        found[place] = beta * (1 + swing * push)
    return found


def by_definition(policy, reference, strengths) -> float:
    """S-DPO with the given beta of each chosen negative, held fixed."""
    ratios = [one - other for one, other in zip(policy, reference, strict=True)]
    terms = [math.exp(beta * (ratios[place] - ratios[0])) for place, beta in strengths.items()]
    return math.log(1 + sum(terms))


def test_by_hand(dynamic_po, make):
    """p = -2; -1 and -6. S = {-1}: d_1 = -1, d_2 = 5, (-1 - 5 - 2) / 6 = -4/3.

    beta_l = 0.4 (1 - tanh(4/3) / 2), h_l - h_w = -1 + 2 = 1 where the reference is 0.
    """
    batch = make.lists([[-1.0, -2.0, -6.0]], [[0.5, 1.0, 0.2]])
    strength = 0.4 * (1 - math.tanh(4 / 3) / 2)
    expected = math.log(1 + math.exp(strength))
    assert dynamic_po(batch, beta=0.4).item() == pytest.approx(expected, abs=1e-12)


def test_each_list_and_its_gradient(dynamic_po, make):
    batch = make.lists(POLICY, SCORES, REFERENCE)
    losses = dynamic_po(batch, beta=0.3, margin=1.5, swing=0.7)
    found = make.gradient(losses, batch.completions)
    for row, (policy, reference, near) in enumerate(zip(POLICY, REFERENCE, NEAR, strict=True)):
        others = reference, betas(policy, near, 0.3, 1.5, 0.7)
        assert losses[row].item() == pytest.approx(by_definition(policy, *others), abs=1e-12)
        expected = slopes(lambda point, others=others: by_definition(point, *others), policy)
        assert found[row].tolist() == pytest.approx(expected, abs=1e-8)


def test_defaults_are_the_authors(dynamic_po, make):
    losses = dynamic_po(make.lists(POLICY, SCORES, REFERENCE))
    expected = [
        by_definition(policy, reference, betas(policy, near, 1.0, 2.0, 0.5))
        for policy, reference, near in zip(POLICY, REFERENCE, NEAR, strict=True)
    ]
    assert losses.tolist() == pytest.approx(expected, abs=1e-12)


def test_at_the_reference(dynamic_po, make):
    """All alike: every negative is near, d_1 = d_2 = 0, beta_l = beta (1 - swing)."""
    batch = make.lists([[-7.0] * 3], [[0.0, 1.0, 0.5]], [[-7.0] * 3])
    losses = dynamic_po(batch, beta=0.6, swing=0.5)
    assert losses.item() == pytest.approx(math.log(3))
    found = make.gradient(losses, batch.completions)[0].tolist()
    assert found == pytest.approx([0.1, -0.2, 0.1])


def test_small_differences_adjust_beta_and_none_leave_it(dynamic_po, make):
    """margin 0. One negative 0.001 above: d_1 = -0.001, d_2 = 0, their quotient -1; level: 0."""
    batch = make.lists([[-1.0, -0.999], [-1.0, -1.0]], [[1.0, 0.0]] * 2, [[-1.0, -6.0]] * 2)
    strength = 0.4 * (1 - math.tanh(1) / 2)
    expected = [math.log(1 + math.exp(strength * 5.001)), math.log(1 + math.exp(0.4 * 5))]
    assert dynamic_po(batch, beta=0.4, margin=0.0).tolist() == pytest.approx(expected, abs=1e-9)


@given(values=st.lists(st.integers(-60, -10), min_size=3, max_size=9, unique=True))
def test_without_a_violation_the_likeliest_of_three_clusters(dynamic_po, make, values):
    """Source: scikit-learn's KMeans, as the authors use it, from many starts.

    Which negatives are near shows in where the gradient is not zero.
    """
    points = np.array(values, dtype=float).reshape(-1, 1)
    cuts = KMeans(n_clusters=3, n_init=20, random_state=0).fit(points)
    assume(_best_cut_is_alone(sorted(values), cuts.inertia_))
    top = cuts.labels_ == cuts.labels_[points.argmax()]
    batch = make.lists([[-1.0, *values]], [[1.0, *[0.0] * len(values)]], [[-1.0, *values]])
    found = make.gradient(dynamic_po(batch, beta=0.1), batch.completions)[0, 1:]
    assert (found > 0).tolist() == top.tolist()


def _best_cut_is_alone(ordered: list[int], inertia: float) -> bool:
    """Whether only one division of the line in three reaches this sum of squares."""
    parts = [
        (ordered[:first], ordered[first:last], ordered[last:])
        for first in range(1, len(ordered) - 1)
        for last in range(first + 1, len(ordered))
    ]
    sums = [sum(len(part) * np.var(part) for part in cut) for cut in parts]
    return sum(total < inertia + 1e-6 for total in sums) == 1


@pytest.mark.parametrize("values", [[-5.0], [-5.0, -8.0]])
def test_fewer_than_three_negatives_are_clusters_of_their_own(dynamic_po, make, values):
    scores = [1.0, *[0.0] * len(values)]
    batch = make.lists([[-1.0, *values]], [scores], [[-1.0, *values]])
    found = make.gradient(dynamic_po(batch, beta=0.1), batch.completions)[0, 1:].tolist()
    assert found[0] > 0 and not any(found[1:])


@given(best=st.floats(-100, -50), others=st.lists(st.floats(-50, 0), min_size=1, max_size=4))
def test_is_softmax_dpo_where_all_are_near_and_beta_stays(
    dynamic_po, softmax_dpo, make, best, others
):
    batch = make.lists([[best, *others]], [[1.0, *[0.0] * len(others)]])
    expected = softmax_dpo(batch, beta=0.2)
    assert dynamic_po(batch, beta=0.2, swing=0.0).item() == pytest.approx(expected.item())


def test_closer_to_the_best_response_than_to_the_rest_weakens_beta(dynamic_po, make):
    """h = p here: a negative 1 below the best and 20 above the rest, and one midway."""
    near = make.lists([[-10.0, -11.0, -31.0]], [[1.0, 0.0, 0.0]])
    midway = make.lists([[-10.0, -20.0, -31.0]], [[1.0, 0.0, 0.0]])
    ratios = [-1.0, -10.0]
    strengths = [
        math.log(math.expm1(dynamic_po(batch).item())) / ratio
        for batch, ratio in zip((near, midway), ratios, strict=True)
    ]
    assert 0.5 < strengths[0] < strengths[1] < 1
