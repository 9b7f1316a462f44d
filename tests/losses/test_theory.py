"""PRO's theorems on a policy over a handful of responses, held against the loss files.

Source: arXiv:2505.23316v2, the theorem that each test names. The policy is a table of logits, so
optima are found to machine precision and expectations are sums. `dpo` gives the contrast of every
pair, `pro_hyper` PRO's loss; what they are compared with is written here from the paper.
"""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from plumbline import Completions, Lists, Pairs
from plumbline.plugins import method_spec

seeds = pytest.mark.parametrize("seed", range(4))


def drawn(seed: int, responses: int) -> SimpleNamespace:
    """A reference and two policies (log-probabilities), how often responses are drawn, and how
    often each beats each other."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    wins = normal(responses, responses)
    return SimpleNamespace(
        reference=normal(responses).log_softmax(0),
        policies=[normal(responses).log_softmax(0) for _ in range(2)],
        drawn=normal(responses).softmax(0),
        wins=(wins - wins.T).sigmoid(),
    )


def contrasts(dpo: Callable, policy: Tensor, reference: Tensor, beta: float) -> Tensor:
    """[n, n]: DPO's loss where the first response of a pair is chosen over the second."""
    count = torch.ones_like(policy, dtype=torch.int64)
    first, second = torch.cartesian_prod(*[torch.arange(len(policy))] * 2).unbind(-1)
    sides = (
        Completions(policy[side], count[side], {"reference": reference[side]})
        for side in (first, second)
    )
    return dpo(Pairs(*sides), beta=beta).view(len(policy), -1)


def decomposed(
    policy: Tensor, reference: Tensor, push: Tensor, drawn: Tensor, alpha: float, beta: float
) -> Tensor:
    """eDPO: the optimizer, a push (share of a response times its score) on log-probabilities, and
    the regularizer over pairs that `drawn` draws. K(d) is written as log cosh(d / 2)."""
    reward = beta * (policy - reference)
    gaps = (reward[:, None] - reward[None, :]) / 2
    return -beta * push @ policy + alpha / 2 * drawn @ gaps.cosh().log() @ drawn


def optimum(loss: Callable[[Tensor], Tensor], responses: int) -> Tensor:
    """The log-probabilities that minimise `loss`, whose gradient there is zero."""
    logits = torch.zeros(responses, dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS(
        [logits],
        max_iter=500,
        tolerance_grad=1e-13,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        solver.zero_grad()
        value = loss(logits.log_softmax(0))
        value.backward()
        return value

    solver.step(closure)
    closure()
    assert logits.grad.abs().max() < 1e-8, "no optimum was found"
    return logits.detach().log_softmax(0)


def labelled(pro_hyper: Callable, scores: Tensor, reference: Tensor, **values: float) -> Callable:
    """PRO's loss as a function of all log-probabilities; those after the scored ones are H."""

    def loss(policy: Tensor) -> Tensor:
        count = len(scores)
        tokens = torch.ones(1, count, dtype=torch.int64)
        needed = {"reference": reference[None, :count]}
        batch = Lists(Completions(policy[None, :count], tokens, needed), scores[None])
        return pro_hyper(batch, **values)[0]

    return loss


def gradient(loss: Callable[[Tensor], Tensor], policy: Tensor) -> Tensor:
    """By the logits of the policy, so that probabilities keep their sum."""
    logits = policy.clone().requires_grad_()
    (found,) = torch.autograd.grad(loss(logits.log_softmax(0)), logits)
    return found


@seeds
def test_theorem_3_1_dpo_is_optimizer_plus_regularizer(load, seed):
    """The loss over all pairs differs by a constant: log(2) / 2 and a term of the reference."""
    beta, world = 0.7, drawn(seed, 5)
    both = world.drawn[:, None] * world.drawn[None, :]
    score = world.wins @ world.drawn - 0.5
    assert (world.drawn @ score).item() == pytest.approx(0, abs=1e-12)

    def population(policy: Tensor) -> Tensor:
        return (both * world.wins * contrasts(load("dpo"), policy, world.reference, beta)).sum()

    def edpo(policy: Tensor) -> Tensor:
        push = world.drawn * score
        return decomposed(policy, world.reference, push, world.drawn, 1.0, beta)

    constant = torch.tensor(2.0).double().log() / 2 + beta * world.drawn @ (score * world.reference)
    for policy in world.policies:
        torch.testing.assert_close(population(policy), edpo(policy) + constant)
        torch.testing.assert_close(gradient(population, policy), gradient(edpo, policy))


@seeds
def test_footnote_1_both_terms_from_the_sample_give_dpo_back(load, seed):
    """Where the regularizer too sees the pair alone, a quarter of sample DPO is left, which a fall
    of both responses does not change; the regularizer over all responses notices it."""
    beta, world = 0.7, drawn(seed, 5)
    pair = torch.tensor([0.5, 0.5, 0, 0, 0]).double()
    push = pair * torch.tensor([0.25, -0.25, 0, 0, 0]).double()

    def sample(policy: Tensor) -> Tensor:
        return decomposed(policy, world.reference, push, pair, 1.0, beta)

    def contrast(policy: Tensor) -> Tensor:
        return contrasts(load("dpo"), policy, world.reference, beta)[0, 1] / 4

    def full(policy: Tensor) -> Tensor:
        return decomposed(policy, world.reference, push, world.drawn, 1.0, beta)

    policy, fallen = world.policies[0], world.policies[0] - torch.tensor([9, 9, 0, 0, 0])
    torch.testing.assert_close(gradient(sample, policy), gradient(contrast, policy))
    torch.testing.assert_close(sample(fallen), sample(policy))
    assert full(fallen) > full(policy) + 0.1


def sampled(seed: int, responses: int) -> SimpleNamespace:
    """A world in which the first three responses are labelled: shares and scores in the sample."""
    world = drawn(seed, responses)
    shares = torch.rand(3, generator=torch.Generator().manual_seed(seed)).double() + 0.2
    shares = shares / shares.sum()
    scores = torch.tensor([0.5, 0.1, -0.3]).double()
    world.push = torch.zeros(responses).double()
    world.push[:3] = shares * (scores - shares @ scores)
    return world


@seeds
def test_theorem_3_2_and_corollary_3_3_at_the_optimum(seed):
    """E_{y' ~ mu} sigma(r(y) - r(y')) - 1/2 = mu_hat(y) s_hat(y) / (alpha mu(y)); log-ratios are
    equal where nothing pushes, above that where the score is positive, below where negative."""
    alpha, beta, world = 30.0, 0.7, sampled(seed, 6)

    def loss(policy: Tensor) -> Tensor:
        return decomposed(policy, world.reference, world.push, world.drawn, alpha, beta)

    ratio = optimum(loss, 6) - world.reference
    beaten = (beta * (ratio[:, None] - ratio[None, :])).sigmoid() @ world.drawn
    torch.testing.assert_close(
        beaten - 0.5, world.push / (alpha * world.drawn), atol=1e-7, rtol=1e-6
    )
    free = ratio[world.push == 0]
    assert (free.max() - free.min()).item() < 1e-6
    assert (ratio[world.push > 0] > free.max() + 1e-5).all()
    assert (ratio[world.push < 0] < free.min() - 1e-5).all()


@seeds
@pytest.mark.parametrize("scored", [2, 3])
def test_theorem_4_1_one_hyper_response_stands_for_all_the_others(load, seed, scored):
    """`pro_hyper`'s optimum is that of the loss over all six responses, wherever those others' mass
    lies: equal on the labelled ones, and on the others the reference times one constant."""
    beta, alpha, eta, world = 0.7, 12.0, 0.7, drawn(seed, 6)
    scores = torch.tensor([0.9, 0.1, 0.3]).double()[:scored]
    masses = torch.cat([torch.full((scored,), eta / scored).double(), world.drawn[scored:]])
    masses[scored:] *= (1 - eta) / masses[scored:].sum()
    push = torch.zeros(6).double()
    push[:scored] = (scores - scores.mean()) / scored
    whole = optimum(
        lambda policy: decomposed(policy, world.reference, push, masses, alpha, beta), 6
    )
    merged = torch.cat([world.reference[:scored], world.reference[scored:].logsumexp(0)[None]])
    loss = labelled(load("pro_hyper"), scores, merged, beta=beta, alpha=alpha, eta=eta)
    small = optimum(loss, scored + 1)
    torch.testing.assert_close(small[:scored], whole[:scored], atol=1e-6, rtol=1e-6)
    rest = whole[scored:] - world.reference[scored:]
    torch.testing.assert_close(rest, (small - merged)[scored:].expand_as(rest), atol=1e-6, rtol=0)
    ratio = beta * (small - merged)
    share = torch.cat([torch.full((scored,), eta / scored).double(), torch.tensor([1 - eta])])
    beaten = (ratio[:scored, None] - ratio[None, :]).sigmoid() @ share
    torch.testing.assert_close(
        beaten - 0.5, (scores - scores.mean()) / (alpha * eta), atol=1e-7, rtol=1e-6
    )


def threshold(scores: Tensor, eta: float) -> float:
    """alpha_0 of Theorem 4.2: the most of 2 mu_hat |s_hat| / (mu min mu) over negative scores."""
    share = eta / len(scores)
    centred = scores - scores.mean()
    worst = 2 * -centred.min() / len(scores) / (share * min(share, 1 - eta))
    return worst.item()


def test_theorem_4_2_gives_the_thresholds_that_the_files_name():
    """9/4 for a pair at eta = 2/3, the alpha of PRO-P; of one response with s = -1/2 at eta = 1/2,
    4, which PRO-B calls alpha eta (1 - eta) = 1."""
    assert threshold(torch.tensor([0.75, 0.25]).double(), 2 / 3) == pytest.approx(9 / 4)
    single = 2 * 1 * 0.5 / (0.5 * 0.5)
    assert single * 0.5 * (1 - 0.5) == 1
    assert method_spec("pro_b").card.optimum == "alpha > 1"


@seeds
@pytest.mark.parametrize("eta", [0.4, 0.75])
def test_theorem_4_2_there_is_an_optimum_above_the_threshold(load, seed, eta):
    world = drawn(seed, 4)
    scores = torch.rand(3, generator=torch.Generator().manual_seed(seed)).double()
    alpha = 1.001 * threshold(scores, eta)
    loss = labelled(load("pro_hyper"), scores, world.reference, beta=0.7, alpha=alpha, eta=eta)
    found = optimum(loss, 4)
    assert (found > -60).all()
    assert loss(found) < min(map(loss, [world.reference, *world.policies]))


def descent(loss: Callable[[Tensor], Tensor], start: Tensor, steps: int) -> Tensor:
    """[steps, n]: the log-probabilities along plain gradient steps on the logits."""
    path = [start]
    for _ in range(steps):
        path.append((path[-1] - 6 * gradient(loss, path[-1])).log_softmax(0))
    return torch.stack(path[1:])


def test_theorem_4_2_below_its_bound_the_worst_response_runs_away(load):
    """Of three responses the one without score falls, at half the file's bound on alpha, as fast
    after 400 steps as after 200; at twice the bound it has come to rest."""
    eta, scores = 0.75, torch.tensor([1.0, 1.0, 0.0]).double()
    bound, spec = 2 * 2 / (eta * (3 - eta)), method_spec("pro_hyper")
    reference = torch.tensor([0.3, 0.3, 0.2, 0.2]).double().log()
    falls = {}
    for alpha in (0.5 * bound, 2 * bound):
        loss = labelled(load("pro_hyper"), scores, reference, beta=1.0, alpha=alpha, eta=eta)
        worst = descent(loss, reference, 400)[:, 2]
        falls[spec.unbounded({"alpha": alpha, "eta": eta}, 3)] = (
            worst[[199, 399]] - worst[[99, 299]]
        )
    before, later = falls[True].tolist()
    assert later < -10 and later == pytest.approx(before, rel=0.05)
    assert falls[False][1].item() == pytest.approx(0, abs=1e-6)


@seeds
@pytest.mark.parametrize("eta", [2 / 3, 0.37])
def test_theorem_4_3_at_alpha_one_over_eta_squared_pro_is_pairwise(load, seed, eta):
    """There PRO is DPO over the pairs of Y_H, where a pair with an unlabelled member is a draw; and
    there is an optimum, though each comparison has one winner."""
    beta, world = 0.7, drawn(seed, 4)
    wins = (world.wins[:3, :3] > 0.5).double()
    wins.fill_diagonal_(0.5)
    believed = torch.full((4, 4), 0.5).double()
    believed[:3, :3] = wins
    masses = torch.tensor([eta / 3, eta / 3, eta / 3, 1 - eta]).double()
    weights = masses[:, None] * masses[None, :] * believed / eta**2

    def pairwise(policy: Tensor) -> Tensor:
        return (weights * contrasts(load("dpo"), policy, world.reference, beta)).sum()

    values = {"beta": beta, "alpha": 1 / eta**2, "eta": eta}
    loss = labelled(load("pro_hyper"), wins.mean(1), world.reference, **values)
    for policy in world.policies:
        torch.testing.assert_close(gradient(loss, policy), gradient(pairwise, policy))
    constant = masses @ masses / eta**2 * torch.tensor(2.0).double().log() / 2
    torch.testing.assert_close(pairwise(policy), loss(policy) + constant)
    assert (optimum(loss, 4) > -60).all()
