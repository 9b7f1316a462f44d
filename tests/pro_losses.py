"""PRO in 50 digits, from its definition: arXiv:2505.23316v2, section 4, Eq. (6) and Eq. (9).

An expectation over all ordered pairs of Y_H, whatever the file under test sums over; gradients are
numerical derivatives of it. Imports neither `plumbline` nor a file of `losses/`.
"""

from collections.abc import Callable, Sequence

import mpmath
from mpmath import mpf

mpmath.mp.dps = 50

Numbers = Sequence[float]


def divergence(difference: mpf) -> mpf:
    """K: the Kullback-Leibler divergence of a fair coin from one of odds exp(difference)."""
    half, odds = mpf(1) / 2, 1 / (1 + mpmath.exp(-difference))
    return half * mpmath.log(half / odds) + half * mpmath.log(half / (1 - odds))


def rest(policy: Numbers, reference: Numbers, beta: float) -> mpf:
    """r_H, where H is everything but the labelled responses of these log-probabilities."""
    policy_rest, reference_rest = (
        1 - mpmath.fsum(map(mpmath.exp, side)) for side in (policy, reference)
    )
    return beta * mpmath.log(policy_rest / reference_rest)


def loss(rewards: Sequence[mpf], scores: Numbers, hyper: mpf, alpha: float, eta: float) -> mpf:
    """The loss at rewards r_i and r_H of the labelled responses and of H, with centred scores."""
    count = len(rewards)
    everyone = [*rewards, hyper]
    masses = [mpf(eta) / count] * count + [1 - mpf(eta)]
    expected = mpmath.fsum(
        one * other * divergence(here - there)
        for one, here in zip(masses, everyone, strict=True)
        for other, there in zip(masses, everyone, strict=True)
    )
    push = mpmath.fsum(score * reward for score, reward in zip(scores, rewards, strict=True))
    return -push / count + mpf(alpha) / 2 * expected


def constant(count: int, alpha: float, eta: float) -> mpf:
    """What the files' losses are higher by: log 2 for each pair of different members of Y_H."""
    masses = [mpf(eta) / count] * count + [1 - mpf(eta)]
    return alpha * mpmath.log(2) * (1 - mpmath.fsum(mass**2 for mass in masses)) / 2


def rewards(policy: Sequence[mpf], reference: Numbers, beta: float) -> list[mpf]:
    """beta times each log-ratio."""
    return [beta * (mpf(here) - there) for here, there in zip(policy, reference, strict=True)]


def slopes(function: Callable[[list[mpf]], mpf], point: Numbers) -> list[float]:
    """The derivative of a function of several numbers by each of them."""

    def along(index: int) -> mpf:
        before, after = list(point[:index]), list(point[index + 1 :])
        return mpmath.diff(lambda value: function([*before, value, *after]), mpf(point[index]))

    return [float(along(index)) for index in range(len(point))]
