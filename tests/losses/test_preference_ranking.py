"""Preference Ranking Optimization: lists worked by hand, temperatures, the growing weight."""

import math

import pytest
import torch
from differences import slopes
from hypothesis import given
from hypothesis import strategies as st

from plumbline import Completions, Lists

POLICY = [[-10.0, -12.5, -7.0, -9.0], [-3.0, -8.0, -2.5, -30.0]]
TOKENS = [[4, 5, 2, 8], [1, 3, 2, 9]]
SCORES = [[0.5, 1.0, 0.1, 0.7], [0.9, 0.2, 0.3, 0.4]]


@pytest.fixture(scope="module")
def preference_ranking(load):
    return load("preference_ranking")


@pytest.fixture(scope="module")
def dpo(load):
    return load("dpo")


def lists(policy, tokens, scores) -> Lists:
    policy = torch.tensor(policy, dtype=torch.float64, requires_grad=True)
    scores = torch.tensor(scores, dtype=torch.float64)
    return Lists(Completions(policy, torch.tensor(tokens)), scores)


def by_definition(policy, tokens, scores, weight) -> float:
    """Source: section 3, arXiv:2306.17492v1, with its temperatures T_k^i = 1 / (s_k - s_i)."""
    ranked = sorted(zip(scores, policy, tokens, strict=True), reverse=True)
    total = -weight * (len(ranked) - 1) ** 2 * ranked[0][1]
    for place, (score, own, count) in enumerate(ranked[:-1]):
        below = ranked[place + 1 :]
        temperatures = [1 / (score - other) for other, _, _ in below]
        top = math.exp(own / count / min(temperatures))
        others = [
            math.exp(value / length / temperature)
            for temperature, (_, value, length) in zip(temperatures, below, strict=True)
        ]
        total -= math.log(top / (top + sum(others)))
    return total


def test_by_hand(preference_ranking):
    """Means -2.5 and -2.4, scores 1 and 0: log(1 + e^0.1) + 0.05 * 10 = 0.7443967 + 0.5."""
    batch = lists([[-12.0, -10.0]], [[5, 4]], [[0.0, 1.0]])
    found = preference_ranking(batch, sft_weight=0.05).item()
    assert found == pytest.approx(0.7443966600735709 + 0.5, abs=1e-12)


def test_each_list_and_its_gradient(preference_ranking, make):
    batch = lists(POLICY, TOKENS, SCORES)
    losses = preference_ranking(batch, sft_weight=0.3)
    found = make.gradient(losses, batch.completions)
    for row, (policy, *others) in enumerate(zip(POLICY, TOKENS, SCORES, strict=True)):
        expected = by_definition(policy, *others, 0.3)
        assert losses[row].item() == pytest.approx(expected, abs=1e-12)
        expected = slopes(lambda point, others=others: by_definition(point, *others, 0.3), policy)
        assert found[row].tolist() == pytest.approx(expected, abs=1e-8)


def test_equal_means(preference_ranking, make):
    """All means 0: log 3 + log 2 + 9 * 0.05 * 0; the slopes are the inverse temperatures' shares.

    Scores 1, 0.5, 0: the best by 1 * (1/3 - 1), the last by 1 * 1/3 + 0.5 * 1/2.
    """
    batch = lists([[0.0, 0.0, 0.0]], [[1, 1, 1]], [[1.0, 0.5, 0.0]])
    losses = preference_ranking(batch, sft_weight=0.05)
    assert losses.item() == pytest.approx(math.log(6))
    found = make.gradient(losses, batch.completions)[0].tolist()
    assert found == pytest.approx([-2 / 3 - 0.05 * 4, 0.5 / 3 - 0.5 / 2, 1 / 3 + 0.5 / 2])


@given(chosen=st.floats(-50, 0), rejected=st.floats(-50, 0))
def test_a_far_pair_is_dpo_on_means(preference_ranking, dpo, make, chosen, rejected):
    pairwise = dpo(make.pairs([chosen], [rejected]), beta=1 / 5)
    found = preference_ranking(make.lists([[chosen, rejected]], [[1.0, 0.0]]), sft_weight=0.0)
    assert found.item() == pytest.approx(pairwise.item())


def test_ties_have_no_contrast(preference_ranking, make):
    """Between equals every exponent is 0: log 3 + log 2, whatever the means."""
    batch = make.lists([[-1.0, -50.0, -9.0]], [[0.4, 0.4, 0.4]])
    assert preference_ranking(batch, sft_weight=0.0).item() == pytest.approx(math.log(6))


def test_closer_scores_push_less(preference_ranking, make):
    far, near = make.lists([[-5.0, -5.0]], [[1.0, 0.0]]), make.lists([[-5.0, -5.0]], [[0.6, 0.5]])
    slopes = [
        make.gradient(preference_ranking(batch, sft_weight=0.0), batch.completions)[0, 1].item()
        for batch in (far, near)
    ]
    assert slopes == pytest.approx([0.5 / 5, 0.05 / 5])


def test_defaults(preference_ranking):
    """0.05, from the authors' train_hh.sh."""
    batch = lists(POLICY, TOKENS, SCORES)
    torch.testing.assert_close(
        preference_ranking(batch), preference_ranking(batch, sft_weight=0.05)
    )
