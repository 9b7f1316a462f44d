"""Preference variance (PVar): how far a reward tells a prompt's answers apart; who is kept by it.

    PVar[x] = Var over y_i, y_j ~ pi(. | x) of sigma(r(x, y_i) - r(x, y_j))

Source: arXiv:2510.13022v1. Its abstract could be read, and this definition as a review gives it,
with the policy's implicit reward as r; to select, r is a reward model. Its estimator, its theorem
(the gradient's norm is bounded by PVar) and the theorem's constants could not: those here are ours.

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
from plumbline.splits import Message, normalise


def preference_variance(rewards: Sequence[float]) -> float:
    """The estimate from one prompt's answers, 0 to 1/4.

    rewards: of at least two answers, in nats. Two answers in either order have probabilities that
    add up to 1, so the mean is exactly 1/2, and the mean square from it over all ordered pairs of
    two different answers has no bias.
    """
    values = np.asarray(rewards, dtype=float)
    gaps = expit(values[:, None] - values) - 0.5
    return float((gaps**2).sum() / (len(values) * (len(values) - 1)))


def teaches(prompt: Sequence[Message], seed: int) -> bool:
    """Whether rewards are trained on the rows of a prompt: of three in four prompts, by a hash. A
    reward that chose among pairs which it has learnt by heart would say nothing of others."""
    return derive_seed("teaches", seed, normalise(prompt)) % 4 > 0


#: What a row is sorted by.
ORDERS = {
    "highest": lambda variance: -variance,
    "lowest": lambda variance: variance,
    "random": lambda variance: 0.0,
}


def kept(rewards: Mapping[str, Sequence[float]], choice: Prompts, seed: int) -> set[str]:
    """The ids of a share of rows.

    rewards: of the answers of each row, by its id. Of equal rows, and at random of all, the first
    by a draw that depends on the id alone: a larger share has all that a smaller one has.
    """
    rank = ORDERS[choice.order]
    found = sorted(
        (rank(preference_variance(values)), derive_seed("prompts", seed, id), id)
        for id, values in rewards.items()
    )
    return {id for *_, id in found[: max(1, round(choice.share * len(found)))]}
