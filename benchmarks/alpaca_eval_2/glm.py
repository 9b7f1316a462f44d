"""Our own length control, for any set of instructions."""

from __future__ import annotations

import math
from statistics import stdev
from typing import Any

Row = dict[str, Any]


def win_rate_at_equal_length(wins: list[float], differences: list[float]) -> Row:
    """The win rate at equal length (see ../alpaca_eval_2.py): `value`, `se` in percent, and `n`.

    wins: probabilities in [0, 1]; differences: answer length less reference length, in characters.
    The standard error is the delta method's on the intercept's robust (HC0) standard error.
    Value null where no fit exists: no spread in lengths, or too few or separable items.
    """
    row = {"value": None, "se": None, "n": len(wins), "reason": "no length-controlled fit exists"}
    spread = stdev(differences) if len(differences) > 2 else 0.0
    if spread == 0.0:
        return row
    fit = _logistic_fit(wins, [math.tanh(difference / spread) for difference in differences])
    if not fit.converged:
        return row
    rate = 1.0 / (1.0 + math.exp(-fit.params[0]))
    error = 100.0 * rate * (1.0 - rate) * float(fit.bse[0])
    return row | {"value": 100.0 * rate, "se": error, "reason": None}


def pseudo_values(wins: list[float], differences: list[float]) -> list[float] | None:
    """Each comparison's part in the win rate at equal length, in percent; None without a fit.

    Their mean is the win rate, and resampling them is a bootstrap of it by one Newton step: to the
    fit's value is added what the comparison's own score moves the intercept by, and what its length
    moves the spread of lengths by, which lengths are divided by.
    """
    import numpy

    whole = win_rate_at_equal_length(wins, differences)
    if whole["value"] is None:
        return None
    gaps, spread = numpy.asarray(differences), stdev(differences)
    lengths = numpy.tanh(gaps / spread)
    intercept, slope = _logistic_fit(wins, lengths).params
    chances = 1.0 / (1.0 + numpy.exp(-intercept - slope * lengths))
    errors, weights = numpy.asarray(wins) - chances, chances * (1.0 - chances)
    design = numpy.column_stack([numpy.ones(len(gaps)), lengths])
    information = design.T @ (design * weights[:, None])
    # How a length as it is read, and then the fit, change with the spread.
    moved = -(1.0 - lengths**2) * gaps / spread**2
    pull = [-(weights * slope * moved).sum(), (moved * (errors - weights * slope * lengths)).sum()]
    count = len(gaps)
    of_spread = (count / (count - 1) * (gaps - gaps.mean()) ** 2 - spread**2) / (2.0 * spread)
    scores = count * design * errors[:, None] + numpy.outer(of_spread, pull)
    moves = numpy.linalg.solve(information, scores.T)[0]
    rate = whole["value"] / 100
    return (whole["value"] + 100.0 * rate * (1.0 - rate) * moves).tolist()


def _logistic_fit(outcomes: list[float], feature: list[float]) -> Any:
    """Logistic regression of fractional outcomes on a constant and one feature."""
    import warnings

    import numpy
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM

    design = numpy.column_stack([numpy.ones(len(feature)), feature])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # separable items: told by `converged`
        return GLM(numpy.asarray(outcomes), design, family=Binomial()).fit(cov_type="HC0")
