"""Small float64 batches with gradient, and numbers computed elsewhere.

golden_pro.json and golden_zoo.json were computed with mpmath at 50 digits from the formulas of the
papers, independently of torch and of the code under test.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from differences import slopes
from torch import Tensor

from plumbline import Completions, Lists, Pairs, Singles
from plumbline.plugins import load_method, method_spec

HERE = Path(__file__).parent
#: The batch of golden_zoo.json: (logp_w, logp_l, ref_w, ref_l, len_w, len_l) of three pairs.
ZOO = "batch(logp_w,logp_l,ref_w,ref_l,len_w,len_l)"


@pytest.fixture(scope="session")
def load() -> Callable:
    """The loss function of a method, by name."""
    return lambda name: load_method(method_spec(name))


def column(policy, reference, tokens=None) -> Completions:
    """float64 completions with gradient; numbers or nested lists of them."""
    policy = torch.tensor(policy, dtype=torch.float64, requires_grad=True)
    reference = torch.tensor(reference, dtype=torch.float64).expand_as(policy)
    counts = torch.full(policy.shape, 5) if tokens is None else torch.tensor(tokens)
    return Completions(policy, counts, {"reference": reference})


def pairs(chosen, rejected, chosen_reference=0.0, rejected_reference=0.0) -> Pairs:
    """A batch of pairs from lists of log-probabilities."""
    return Pairs(column(chosen, chosen_reference), column(rejected, rejected_reference))


def singles(policy, desirable, reference=0.0, mismatched=None) -> Singles:
    """A batch of singles; `mismatched` are log-ratios."""
    other = None if mismatched is None else column(mismatched, 0.0)
    return Singles(column(policy, reference), torch.tensor(desirable), other)


def lists(policy, scores, reference=0.0) -> Lists:
    """A batch of lists from nested lists [B][N]."""
    return Lists(column(policy, reference), torch.tensor(scores, dtype=torch.float64))


def token_column(policy, reference, **needs) -> Completions:
    """float64 completions from ragged lists [B][tokens] of per-token numbers, all with gradient.

    needs: per-token numbers of the same form, by the name under which a batch has them.
    """
    given = {"token_policy": policy, "token_reference": reference, **needs}
    needed = {name: _padded(rows).requires_grad_() for name, rows in given.items()}
    counts = torch.tensor([len(row) for row in policy])
    mask = torch.arange(max(counts)) < counts[:, None]
    found = needed["token_reference"].detach().sum(-1)
    return Completions(
        needed["token_policy"].sum(-1), counts, {**needed, "token_mask": mask, "reference": found}
    )


def token_pairs(needs: Sequence[str], *sides) -> Pairs:
    """Pairs from (policy, reference, *needs) of chosen and of rejected, as `token_column` has."""
    return Pairs(
        *(
            token_column(policy, reference, **dict(zip(needs, rest, strict=True)))
            for policy, reference, *rest in sides
        )
    )


def _padded(rows) -> Tensor:
    given = [torch.tensor(row, dtype=torch.float64) for row in rows]
    return torch.nn.utils.rnn.pad_sequence(given, batch_first=True)


def token_gradient(losses: Tensor, completions: Completions, name: str = "token_policy") -> Tensor:
    """d(sum of losses)/d(per-token numbers `name`) of one column, [B, T]."""
    (found,) = torch.autograd.grad(
        losses.sum(),
        completions.needed[name],
        retain_graph=True,
        allow_unused=True,
        materialize_grads=True,
    )
    return found


def gradient(losses: Tensor, completions: Completions) -> Tensor:
    """d(sum of losses)/d(log-probability) of one column."""
    (found,) = torch.autograd.grad(losses.sum(), completions.policy, retain_graph=True)
    return found


def with_slopes(losses: Tensor, batch: Pairs) -> Tensor:
    """[3, B]: the losses of pairs, and their gradients on chosen and on rejected."""
    sides = (gradient(losses, side) for side in (batch.chosen, batch.rejected))
    return torch.stack([losses.detach(), *sides])


def by_hand(formula: Callable[..., float], rows: list) -> Tensor:
    """What `with_slopes` must give, [3, B]: a formula in plain floats over (log-probability of
    chosen, of rejected, their references, their tokens), and its central differences."""
    found = []
    for chosen, rejected, *rest in rows:
        slope = slopes(lambda point, rest=rest: formula(*point, *rest), [chosen, rejected])
        found.append([formula(chosen, rejected, *rest), *slope])
    return torch.tensor(found, dtype=torch.float64).T


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """Builders of batches, and `gradient`, `with_slopes` and `by_hand`."""
    return SimpleNamespace(
        pairs=pairs,
        singles=singles,
        lists=lists,
        gradient=gradient,
        with_slopes=with_slopes,
        by_hand=by_hand,
        token_column=token_column,
        token_pairs=token_pairs,
        token_gradient=token_gradient,
    )


@pytest.fixture(scope="session")
def golden_pro() -> dict:
    """Source: mpmath at 50 digits, independent of torch; see this file's docstring."""
    return json.loads((HERE / "golden_pro.json").read_text())


@pytest.fixture(scope="session")
def golden_zoo() -> SimpleNamespace:
    """Source: mpmath at 50 digits. `values` are means over the batch at beta = 0.1.

    pairs: the batch; policy, reference: the same numbers per token, as `trl_losses` takes them.
    """
    data = json.loads((HERE / "golden_zoo.json").read_text())
    values = {name: float(value) for name, value in data["values"]["beta=0.1"].items()}
    columns = map(list, zip(*data[ZOO], strict=True))
    chosen, rejected, chosen_reference, rejected_reference, chosen_tokens, rejected_tokens = columns
    batch = Pairs(
        column(chosen, chosen_reference, chosen_tokens),
        column(rejected, rejected_reference, rejected_tokens),
    )
    policy = per_token(chosen, chosen_tokens) + per_token(rejected, rejected_tokens)
    frozen = chosen_reference, rejected_reference
    reference = per_token(frozen[0], chosen_tokens) + per_token(frozen[1], rejected_tokens)
    return SimpleNamespace(
        values=values, pairs=batch, rows=data[ZOO], policy=policy, reference=reference
    )


def per_token(sums: list[float], tokens: list[int]) -> list[Tensor]:
    """Each sum, [tokens], spread evenly."""
    return [
        torch.full((count,), total / count, dtype=torch.float64)
        for total, count in zip(sums, tokens, strict=True)
    ]
