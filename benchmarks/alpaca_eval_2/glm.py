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
