"""PRO in general: its definition in 50 digits, the losses that it contains, and its bound."""

import math

import pro_losses
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from plumbline.plugins import method_spec

nats = st.floats(-60, 60)
unit = st.floats(0, 1)
lists = st.lists(st.tuples(nats, unit), min_size=2, max_size=5)


@pytest.fixture(scope="module")
def pro(load):
    return load("pro")


def won(better: float) -> list[float]:
    """Scores of two responses that are the win rates of one comparison; ties count half."""
    return [0.5 + better / 4, 0.5 - better / 4]


def test_by_hand(pro, make):
    """r = log 3, 0 and scores 3/4, 1/4: s = +-1/4. N = 2, eta = 1/2: masses 1/4, 1/4, 1/2.

    L = -(1/4) log(3) / 2 + 4 [ K(log 3) / 16 + K(log 3) / 8 + log(2) / 8 ], K(log 3) = -log(3/16)/2
    """
    found = pro(make.lists([[math.log(3), 0.0]], [won(1)]), beta=1.0, alpha=4.0, eta=0.5)
    far = -math.log(3 / 16) / 2
    expected = -math.log(3) / 8 + 4 * (far / 16 + far / 8 + math.log(2) / 8)
    assert found.item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("policy", "reference", "scores", "beta", "alpha", "eta"),
    [
        ([-10.0, -12.0], [-11.0, -11.5], [1.0, 0.0], 0.1, 2.25, 2 / 3),
        ([-3.0, -2.5, -9.0], [-3.5, -4.0, -7.0], [0.9, 0.2, 0.3], 0.7, 3.5, 0.55),
        ([-31.0, -42.0, -8.5, -20.0], [-35.0, -38.0, -9.0, -29.0], [0.1, 0.7, 1, 0.4], 0.3, 9, 0.9),
        ([-4.0], [-3.0], [0.8], 0.2, 5.0, 0.5),
    ],
)
def test_definition(pro, make, policy, reference, scores, beta, alpha, eta):
    """Source: `pro_losses`, mpmath at 50 digits, with r_H = 0."""
    centred = [score - sum(scores) / len(scores) for score in scores]

    def defined(values):
        found = pro_losses.rewards(values, reference, beta)
        return pro_losses.loss(found, centred, 0, alpha, eta)

    batch = make.lists([policy], [scores], [reference])
    losses = pro(batch, beta=beta, alpha=alpha, eta=eta)
    expected = defined(policy) + pro_losses.constant(len(policy), alpha, eta)
    assert losses.item() == pytest.approx(float(expected), abs=1e-12)
    found = make.gradient(losses, batch.completions)[0].tolist()
    assert found == pytest.approx(pro_losses.slopes(defined, policy), abs=1e-12)


@given(chosen=nats, rejected=nats, beta=st.floats(0.01, 1))
def test_pair_is_a_quarter_of_pro_p(pro, load, make, chosen, rejected, beta):
    """Source: Theorem 4.3: eta = 2/3, alpha = 1 / eta^2, scores that are win rates."""
    batch = make.lists([[chosen, rejected]], [won(1)])
    found = pro(batch, beta=beta, alpha=9 / 4, eta=2 / 3)
    pairwise = load("pro_p")(make.pairs([chosen], [rejected]), beta=beta)
    torch.testing.assert_close(found, pairwise / 4)


@given(chosen=nats, rejected=nats, beta=st.floats(0.01, 1))
def test_without_hyper_response_it_is_a_quarter_of_dpo(pro, load, make, chosen, rejected, beta):
    """Source: footnote 1: where both terms are estimated on the pair alone, DPO is back."""
    found = pro(make.lists([[chosen, rejected]], [won(1)]), beta=beta, alpha=1, eta=1)
    pairwise = load("dpo")(make.pairs([chosen], [rejected]), beta=beta)
    torch.testing.assert_close(found, pairwise / 4)


@given(rows=lists, beta=st.floats(0.01, 1), alpha=st.floats(0.5, 5))
def test_even_pairs_are_pro_s(pro, load, make, rows, beta, alpha):
    """Source: Appendix D: eta = N / (N + 1), alpha / (N + 1)^2 renamed 2 alpha / (N (N + 1))."""
    policy, scores = map(list, zip(*rows, strict=True))
    count = len(rows)
    batch = make.lists([policy], [scores])
    renamed = 2 * alpha * (count + 1) / count
    found = pro(batch, beta=beta, alpha=renamed, eta=count / (count + 1))
    torch.testing.assert_close(found, load("pro_s")(batch, beta=beta, alpha=alpha))


def test_defaults_are_those_of_pro_s_at_four(pro, load, make):
    batch = make.lists([[-1.0, -5.0, 2.0, 9.0]], [[0.3, 1.0, 0.0, 0.2]])
    torch.testing.assert_close(pro(batch), load("pro_s")(batch))


@given(policy=nats, alpha=st.floats(0.5, 5), eta=st.floats(0.05, 0.95))
def test_one_response_is_pro_b_without_a_push(pro, load, make, policy, alpha, eta):
    """Source: Appendix D: PRO-B's coefficient is alpha eta (1 - eta)."""
    found = pro(make.lists([[policy]], [[0.7]]), beta=0.1, alpha=alpha, eta=eta)
    pair = make.singles([policy, policy], [True, False])
    both = load("pro_b")(pair, beta=0.1, alpha=alpha * eta * (1 - eta))
    torch.testing.assert_close(found, both.mean(0, keepdim=True))


@given(rows=lists, shift=st.floats(-5, 5))
def test_scores_count_by_their_differences(pro, make, rows, shift):
    policy, scores = map(list, zip(*rows, strict=True))
    here = pro(make.lists([policy], [scores]))
    there = pro(make.lists([policy], [[score + shift for score in scores]]))
    torch.testing.assert_close(here, there)


def slopes_far_out(pro, make, alpha: float, eta: float, responses: int) -> list[float]:
    """How the loss changes from far to farther as one response of score 0 collapses, or rises."""
    scores = [[0.0] + [1.0] * (responses - 1), [1.0] + [0.0] * (responses - 1)]
    near, far = (
        pro(
            make.lists([[sign * way] + [0.0] * (responses - 1) for sign in (-1, 1)], scores),
            beta=1.0,
            alpha=alpha,
            eta=eta,
        )
        for way in (1000.0, 2000.0)
    )
    return (far - near).tolist()


@pytest.mark.parametrize("responses", [2, 3, 4])
@pytest.mark.parametrize("eta", [0.3, 0.8, 1.0])
def test_bound_is_where_the_loss_loses_its_bottom(pro, make, responses, eta):
    """Source: one response's push is (N - 1) / N^2, the regularizer's slope there (alpha / 2)
    (eta / N) (1 - eta / N)."""
    bound = 2 * (responses - 1) / (eta * (responses - eta))
    spec = method_spec("pro")
    assert not spec.unbounded({"alpha": bound * 1.01, "eta": eta}, responses)
    assert min(slopes_far_out(pro, make, bound * 1.01, eta, responses)) > 0
    assert spec.unbounded({"alpha": bound * 0.99, "eta": eta}, responses)
    assert max(slopes_far_out(pro, make, bound * 0.99, eta, responses)) < 0


def test_without_labelled_mass_there_is_no_optimum():
    assert method_spec("pro").unbounded({"alpha": 100.0, "eta": 0.0}, responses=4)


@given(
    direction=st.lists(st.floats(-1, 1), min_size=4, max_size=4).filter(
        lambda values: max(map(abs, values)) > 0.1
    ),
    scores=st.lists(unit, min_size=4, max_size=4),
    eta=st.floats(0.1, 0.95),
)
def test_nothing_runs_away_above_the_bound(pro, make, direction, scores, eta):
    alpha = 1.01 * 2 * 3 / (eta * (4 - eta))
    rows = [[way * part for part in direction] for way in (1000, 2000)]
    near, far = pro(make.lists(rows, [scores] * 2), beta=1.0, alpha=alpha, eta=eta).tolist()
    assert far > near
