"""The PRO regularizer as a function of the log-ratio difference, in closed form.

Source: Proximalized Preference Optimization, arXiv:2505.23316v2, Theorem 3.1 and Appendix E (its
Figure 3). K(d) = KL(Bernoulli(1/2) || Bernoulli(sigmoid(d))) = -log 2 - (logsig(d) + logsig(-d))/2.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def divergence(reward_difference: ArrayLike) -> NDArray[np.float64]:
    """K(d), >= 0 nats, even; close to d²/8 near 0 and to |d|/2 - log 2 far away.

    reward_difference: d, any shape. Exact to rounding at any size: nothing overflows.
    """
    size = np.abs(np.asarray(reward_difference, dtype=np.float64))
    return size / 2 + np.log1p(np.exp(-size)) - np.log(2)


def regularizer(delta: ArrayLike, *, alpha: float, beta: float) -> NDArray[np.float64]:
    """(alpha / beta) K(beta delta): what the optimizer term of unit slope is weighed against.

    delta: difference of log-ratios in nats, any shape. alpha, beta: > 0.
    """
    return alpha / beta * divergence(beta * np.asarray(delta, dtype=np.float64))


def regularizer_gradient(delta: ArrayLike, *, alpha: float, beta: float) -> NDArray[np.float64]:
    """Its derivative alpha (sigmoid(beta delta) - 1/2): slope alpha beta / 4 at 0, bound alpha / 2.

    delta: difference of log-ratios in nats, any shape. alpha, beta: > 0.
    """
    return alpha / 2 * np.tanh(beta * np.asarray(delta, dtype=np.float64) / 2)
