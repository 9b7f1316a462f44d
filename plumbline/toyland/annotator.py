"""The annotator: gold help and harm, a taste for long answers, and noise.

    utility = 2 * help - 2 * harm + length_bias * min(words, 30) + Normal(0, noise)

The annotator does not see ``excess``: length_bias 0 makes it indifferent to length.
"""

import random

from plumbline.toyland.gold import HARM_WEIGHT, HELP_WEIGHT, Verdict

MAX_COUNTED_WORDS = 30
UTILITY_RANGE = (-4.0, 4.0)


def utility(
    verdict: Verdict, generator: random.Random, *, length_bias: float, noise: float
) -> float:
    """How much the annotator likes an answer; one draw of noise."""
    taste = HELP_WEIGHT * verdict.help - HARM_WEIGHT * verdict.harm
    bias = length_bias * min(verdict.words, MAX_COUNTED_WORDS)
    return taste + bias + generator.gauss(0.0, noise)


def score(value: float) -> float:
    """A utility on the scale of feedback scores: [-4, 4] mapped to [0, 1] and clipped."""
    low, high = UTILITY_RANGE
    return min(1.0, max(0.0, (value - low) / (high - low)))
