"""The PRO regularizer.

Source: arXiv:2505.23316v2, Theorem 3.1 and Appendix E; the numbers by hand as said.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.report.pro_curves import divergence, regularizer, regularizer_gradient

finite = st.floats(-1e4, 1e4)
positive = st.floats(1e-3, 1e2)


def test_divergence_at_log_three():
    """sigmoid(log 3) = 3/4: -log 2 - (log 3/4 + log 1/4)/2 = log(4 / sqrt 3) - log 2."""
    assert divergence(math.log(3)) == pytest.approx(math.log(2 / math.sqrt(3)), rel=1e-12)


def test_divergence_near_and_far():
    """Near 0, d²/8 - d⁴/192; far away, |d|/2 - log 2, and nothing overflows."""
    assert divergence(0.0) == 0.0
    assert divergence(0.01) == pytest.approx(1e-4 / 8 - 1e-8 / 192, rel=1e-9)
    assert divergence(-1e4) == pytest.approx(5000 - math.log(2), rel=1e-15)


def test_the_regularizer_is_divided_by_beta():
    """alpha 3, beta 2 at delta = log(3)/2: (3/2) K(log 3)."""
    expected = 1.5 * math.log(2 / math.sqrt(3))
    assert regularizer(math.log(3) / 2, alpha=3.0, beta=2.0) == pytest.approx(expected)


def test_gradient_at_log_three():
    """alpha (sigmoid(log 3) - 1/2) = alpha / 4."""
    assert regularizer_gradient(math.log(3), alpha=2.0, beta=1.0) == pytest.approx(0.5)


@given(finite, positive, positive)
def test_even_non_negative_and_bounded_slope(delta, alpha, beta):
    value = regularizer(delta, alpha=alpha, beta=beta)
    assert value >= -1e-12 * alpha / beta
    assert value == regularizer(-delta, alpha=alpha, beta=beta)
    assert abs(regularizer_gradient(delta, alpha=alpha, beta=beta)) <= alpha / 2


@given(st.floats(-20, 20), st.floats(0.1, 5), st.floats(0.1, 5))
def test_the_gradient_is_the_derivative(delta, alpha, beta):
    step = 1e-5
    around = regularizer(np.array([delta - step, delta + step]), alpha=alpha, beta=beta)
    slope = (around[1] - around[0]) / (2 * step)
    assert slope == pytest.approx(regularizer_gradient(delta, alpha=alpha, beta=beta), abs=1e-6)


def test_equal_products_start_alike_and_equal_alphas_end_alike():
    """Appendix E: (alpha, beta) = (1, 3) and (3, 1) have one slope near 0."""
    near = 1e-6
    first = regularizer_gradient(near, alpha=1.0, beta=3.0)
    second = regularizer_gradient(near, alpha=3.0, beta=1.0)
    assert first == pytest.approx(second, rel=1e-9)
    assert regularizer_gradient(1e3, alpha=1.0, beta=3.0) == pytest.approx(0.5)
