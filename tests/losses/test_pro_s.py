"""PRO-S: golden numbers, the older losses it contains, and the bound on alpha, by enumeration."""

from itertools import combinations, product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from plumbline.plugins import method_spec

nats = st.floats(-60, 60)


@pytest.fixture(scope="module")
def pro_s(load):
    return load("pro_s")


def bound(responses: int) -> float:
    """The smallest alpha the method file declares safe for N responses in [0, 1]."""
    return (responses + 1) * (responses - 1) / responses**2


def test_by_hand(pro_s, make):
    """Two responses at the reference: s = +-1/2, L = alpha log 2, dL/dlogp = -beta s / 2."""
    batch = make.lists([[0.0, 0.0]], [[1.0, 0.0]])
    losses = pro_s(batch, beta=0.1, alpha=2.0)
    assert losses.item() == pytest.approx(2 * 0.6931471805599453, abs=1e-12)
    found = make.gradient(losses, batch.completions)[0].tolist()
    assert found == pytest.approx([-0.025, 0.025], abs=1e-12)


def test_golden(pro_s, make, golden_pro):
    """Source: golden_pro.json (mpmath, 50 digits). Its N = 1 row has s = 1/2; centred it is 0."""
    for row in golden_pro["lists"]:
        batch = make.lists([row["logp"]], [row["s"]], [row["ref"]])
        losses = pro_s(batch, beta=row["beta"], alpha=row["alpha"])
        slopes = make.gradient(losses, batch.completions)[0]
        if len(row["s"]) == 1:
            push = row["beta"] * row["s"][0]
            losses = losses - push * batch.completions.logratio[0]
            slopes = slopes - push
        assert losses.item() == pytest.approx(float(row["PRO-S"]["loss"]), abs=1e-13)
        expected = [float(value) for value in row["PRO-S"]["dloss"]]
        assert slopes.tolist() == pytest.approx(expected, abs=1e-14)


@given(chosen=nats, rejected=nats)
def test_two_responses_are_half_of_pro_p(pro_s, load, make, chosen, rejected):
    """Source: Theorem 4.3: at alpha = 3/2 and s = +-1/2 every pair weighs as in PRO-P, halved."""
    found = pro_s(make.lists([[chosen, rejected]], [[1.0, 0.0]]), beta=0.1, alpha=1.5)
    pairwise = load("pro_p")(make.pairs([chosen], [rejected]), beta=0.1)
    torch.testing.assert_close(found, pairwise / 2)


@given(policy=nats, score=st.floats(0, 1))
def test_one_response_is_pro_b_without_a_push(pro_s, load, make, policy, score):
    """One response has no other to be better than: s = 0, the mean of PRO-B under both labels."""
    found = pro_s(make.lists([[policy]], [[score]]), beta=0.1, alpha=2.5)
    both = load("pro_b")(make.singles([policy, policy], [True, False]), beta=0.1, alpha=2.5)
    torch.testing.assert_close(found, both.mean(0, keepdim=True))


@given(
    rows=st.lists(st.tuples(nats, st.floats(0, 1)), min_size=1, max_size=5),
    alpha=st.floats(0.5, 5),
)
def test_gradient_formula(pro_s, make, rows, alpha):
    """Source: the derivative of Appendix D's loss, by hand, term by term."""
    ratios, scores = zip(*rows, strict=True)
    count, beta = len(rows), 0.1
    batch = make.lists([list(ratios)], [list(scores)])
    found = make.gradient(pro_s(batch, beta=beta, alpha=alpha), batch.completions)[0]
    reward = beta * torch.tensor(ratios).double()
    score = torch.tensor(scores).double()
    differences = reward[:, None] - torch.cat([reward, torch.zeros(1)])
    pulls = (differences.sigmoid() - 0.5).sum(1)
    push = (score - score.mean()) / count
    expected = beta * (-push + 2 * alpha / (count * (count + 1)) * pulls)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("responses", [2, 3, 4, 5, 6])
def test_declared_bound_is_the_worst_case_over_scores(responses):
    """Enumerates every set Y0 and every corner of the cube of scores.

    Source: along a joint collapse of the m responses of Y0 the push is |sum of s over Y0| / N and
    the regularizer's slope alpha m (N + 1 - m) / (N (N + 1)); the bound on alpha is their ratio,
    convex in the scores, hence largest at a corner.
    """
    worst = max(
        (responses + 1)
        * abs(sum(scores[item] for item in chosen) - size * sum(scores) / responses)
        / (size * (responses + 1 - size))
        for scores in product((0, 1), repeat=responses)
        for size in range(1, responses + 1)
        for chosen in combinations(range(responses), size)
    )
    assert worst == pytest.approx(bound(responses), abs=1e-12)
    spec = method_spec("pro_s")
    assert spec.unbounded({"alpha": worst - 1e-9}, responses)
    assert not spec.unbounded({"alpha": worst + 1e-9}, responses)


def far_slopes(pro_s, make, directions, scores, alpha) -> torch.Tensor:
    """How much the loss rises between 1000 and 2000 steps along each direction."""
    near, far = (
        pro_s(make.lists((distance * directions).tolist(), scores), beta=1.0, alpha=alpha)
        for distance in (1000, 2000)
    )
    return (far - near).detach()


@pytest.mark.parametrize("responses", [2, 3, 4])
def test_loss_is_bounded_exactly_above_the_bound(pro_s, make, responses):
    """The loss itself, far out along every collapse, at every corner of the scores."""
    corners = list(product((0.0, 1.0), repeat=responses))
    directions = [item for item in product((-1.0, 0.0, 1.0), repeat=responses) if any(item)]
    cases = list(product(directions, corners))
    rows = torch.tensor([case[0] for case in cases], dtype=torch.float64)
    scores = [case[1] for case in cases]
    assert far_slopes(pro_s, make, rows, scores, 1.01 * bound(responses)).min() > 0
    assert far_slopes(pro_s, make, rows, scores, 0.99 * bound(responses)).min() < 0


@given(
    direction=st.lists(st.floats(-1, 1), min_size=4, max_size=4).filter(
        lambda values: max(map(abs, values)) > 0.1
    ),
    scores=st.lists(st.floats(0, 1), min_size=4, max_size=4),
)
def test_no_other_direction_runs_away(pro_s, make, direction, scores):
    rows = torch.tensor([direction], dtype=torch.float64)
    assert far_slopes(pro_s, make, rows, [scores], 1.01 * bound(4)).item() > 0


def test_defaults(pro_s, make):
    batch = make.lists([[-10.0, -3.0]], [[1.0, 0.0]])
    assert torch.equal(pro_s(batch), pro_s(batch, beta=0.1, alpha=2.5))
