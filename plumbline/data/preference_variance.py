"""Preference variance (PVar): how far a reward tells a prompt's answers apart; who is kept by it.

    PVar[x] = Var over y_i, y_j ~ pi(. | x) of sigma(r(x, y_i) - r(x, y_j))

Source: arXiv:2510.13022v1. The abstract and this definition could be read (there with the policy's
implicit reward as r, and with a reward model to select by); the estimator, the theorem and its
constants could not. The estimator and the bound here are our own derivations.

The bound. Let labels follow sigma(r_i - r_j) and let pairs be drawn from the policy pi_theta. The
gradient of DPO's loss at one prompt is the mean of beta (p_theta - p_r) (g_i - g_j), with g the
gradient of log pi_theta. Both probabilities have the mean 1/2, g has the mean 0, and so, by Cauchy
and Schwarz,

    |gradient| <= beta sqrt(2 E|g|^2) (sqrt(PVar_r) + sqrt(PVar_theta)).

At the reference PVar_theta is 0: a prompt whose answers the reward does not tell apart teaches
nothing there. PVar is at most 1/4, so that its root is at most 2^(-1/3) times its cube root.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import expit

from plumbline.artifacts import derive_seed
from plumbline.schema import Prompts


def preference_variance(rewards: Sequence[float]) -> float:
    """The estimate from one prompt's answers, 0 to 1/4.

    rewards: of at least two answers, in nats. Two answers in either order have probabilities that
    add up to 1, so the mean is exactly 1/2, and the mean square from it over all ordered pairs of
    two different answers has no bias.
    """
    values = np.asarray(rewards, dtype=float)
    gaps = expit(values[:, None] - values) - 0.5
    return float((gaps**2).sum() / (len(values) * (len(values) - 1)))


def teaches(id: str, seed: int) -> bool:
    """Whether rewards are trained on this row. It is drawn by the row's id, half of all: a reward
    that chose among the pairs it has learnt by heart would say nothing of others."""
    return derive_seed("teaches", seed, id) % 2 == 0


#: What a row is sorted by.
ORDERS = {
    "highest": lambda variance: -variance,
    "lowest": lambda variance: variance,
    "random": lambda variance: 0.0,
}


def kept(rewards: Mapping[str, Sequence[float]], choice: Prompts, seed: int) -> set[str]:
    """The ids of the rows that are trained on: a share of those that teach no reward.

    rewards: of the answers of each row, by its id. Of equal rows, and at random of all, the first
    by a draw that depends on the id alone: a larger share has all that a smaller one has.
    """
    rank = ORDERS[choice.order]
    found = sorted(
        (rank(preference_variance(values)), derive_seed("prompts", seed, id), id)
        for id, values in rewards.items()
        if not teaches(id, seed)
    )
    return {id for *_, id in found[: max(1, round(choice.share * len(found)))]}
