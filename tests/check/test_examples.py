"""The batches that methods are checked on are what their docstrings say."""

import pytest
import torch

from plumbline.batches import Lists, Pairs, Singles
from plumbline.check import examples
from plumbline.errors import MethodError

FEEDBACK = [Pairs, Singles, Lists]


def columns(batch):
    return [getattr(batch, name) for name in examples.COLUMNS[type(batch)]]


@pytest.mark.parametrize("feedback", FEEDBACK)
def test_random_log_probabilities_are_possible_and_drift_upwards(feedback):
    for column in columns(examples.random_batch(feedback, seed=0)):
        assert (column.policy < 0).all() and (column.reference < 0).all()
        assert column.logratio.mean() > 0.5
        assert column.tokens.unique().numel() > 1


@pytest.mark.parametrize("feedback", FEEDBACK)
def test_token_values_add_up(feedback):
    for column in columns(examples.random_batch(feedback, seed=0)):
        masked = column.token_policy * column.token_mask
        torch.testing.assert_close(masked.sum(-1), column.policy)
        assert torch.equal(column.token_mask.sum(-1), column.tokens)


@pytest.mark.parametrize(("feedback", "combinations"), [(Pairs, 9), (Singles, 18), (Lists, 81)])
def test_extremes_meet_in_every_combination(feedback, combinations):
    batch = examples.extreme_batch(feedback)
    seen = torch.stack(
        [column.logratio.reshape(len(column.policy), -1) for column in columns(batch)]
    )
    rows = seen.movedim(0, 1).flatten(1).sign()
    if feedback is Singles:
        rows = torch.cat([rows, batch.desirable[:, None].float()], 1)
    assert len(rows.unique(dim=0)) == combinations
    assert seen.abs().max() == pytest.approx(1e4, rel=1e-3)


@pytest.mark.parametrize("feedback", FEEDBACK)
def test_untrained_policy_is_the_reference(feedback):
    for column in columns(examples.untrained_batch(feedback)):
        assert (column.logratio == 0).all()


def test_list_scores_cover_zero_to_one():
    scores = examples.random_batch(Lists, seed=0).scores
    assert scores.min() == 0 and scores.max() == 1
    assert all(row.unique().numel() == examples.RESPONSES for row in scores)


def test_restricted_batch_has_declared_needs_only():
    batch = examples.restricted(examples.random_batch(Singles, seed=0), ("token_values",))
    assert batch.mismatched is None
    assert batch.completion.token_policy.shape == (examples.ROWS, examples.LENGTH)
    with pytest.raises(MethodError):
        batch.completion.reference  # noqa: B018


@pytest.mark.parametrize("feedback", FEEDBACK)
def test_needs_of_examples_are_there_when_declared(feedback):
    batch = examples.random_batch(feedback, seed=0)
    assert batch.embedding.shape == (examples.ROWS, examples.HIDDEN)
    assert ((batch.propensity > 0) & (batch.propensity < 1)).all()
    assert batch.label.max() == 1 and batch.label.min() >= 0.5
    seen = examples.restricted(batch, ("label",))
    assert torch.equal(seen.label, batch.label)
    with pytest.raises(MethodError):
        seen.embedding  # noqa: B018


def test_traceless_pairs_are_other_pairs_with_the_declared_needs():
    batch = examples.random_batch(Pairs, seed=0)
    assert not torch.equal(batch.traceless.chosen.policy, batch.chosen.policy)
    seen = examples.restricted(batch, ("traceless", "reference"))
    assert torch.equal(seen.traceless.rejected.reference, batch.traceless.rejected.reference)
    with pytest.raises(MethodError):
        seen.traceless.chosen.token_policy  # noqa: B018
    with pytest.raises(MethodError):
        examples.restricted(batch, ("reference",)).traceless  # noqa: B018
    with pytest.raises(MethodError):
        examples.random_batch(Singles, seed=0).traceless  # noqa: B018


def test_traceless_columns_are_leaves_where_they_are_needed():
    batch = examples.random_batch(Pairs, seed=0)
    whole = {"chosen", "rejected"}
    assert examples.leaves_of(examples.restricted(batch, ())).keys() == whole
    found = examples.leaves_of(examples.restricted(batch, ("traceless",)))
    assert found.keys() == whole | {"traceless chosen", "traceless rejected"}
    assert found["traceless rejected"] == [batch.traceless.rejected.policy]
    sides = examples.VOCABULARY, examples.VOCABULARY
    toy = examples.toy_batch(Pairs, torch.zeros(sides, requires_grad=True), torch.zeros(sides))
    assert toy.traceless.chosen.policy.requires_grad


def test_toy_batch_learns_through_its_weights_but_not_through_the_mismatched():
    sides = examples.VOCABULARY, examples.VOCABULARY
    weights = torch.zeros(sides, requires_grad=True)
    batch = examples.toy_batch(Singles, weights, torch.zeros(sides))
    assert (batch.completion.logratio == 0).all()
    assert batch.completion.policy.requires_grad
    assert not batch.mismatched.policy.requires_grad


def test_samples_of_the_reference_are_two_columns_with_the_declared_needs():
    batch = examples.random_batch(Pairs, seed=0)
    assert batch.reference_samples.policy.shape == (examples.ROWS, 2)
    seen = examples.restricted(batch, ("reference_samples",))
    with pytest.raises(MethodError):
        seen.reference_samples.logratio  # noqa: B018
    [leaf] = examples.leaves_of(seen)["reference_samples"]
    assert leaf is seen.reference_samples.policy
    seen = examples.restricted(batch, ("reference_samples", "token_values", "token_reference"))
    whole, tokens = examples.leaves_of(seen)["reference_samples"]
    assert tokens is seen.reference_samples.token_policy
    torch.testing.assert_close(whole, tokens.sum(-1))
    wider = examples.padded(batch, 3).reference_samples
    assert wider.token_mask.shape[-1] == examples.LENGTH + 3
    assert torch.equal(wider.token_mask.sum(-1), batch.reference_samples.tokens)
