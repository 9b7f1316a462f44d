"""The engine's rule: back-propagating coefficients is back-propagating the mean loss.

Expected gradients come from autograd through plain log_softmax and the method's own formula, over
the whole batch at once, in float64.
"""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence

from plumbline import Completions, Pairs
from plumbline.batches import READINGS
from plumbline.errors import MethodError
from plumbline.model.logprobs import Policy
from plumbline.model.sequences import apart, together
from plumbline.plugins import METHODS, method_spec, read_method
from plumbline.schema import ClassWeights
from plumbline.train.examples import annotated, samples
from plumbline.train.objective import (
    READERS,
    Objective,
    batch_metrics,
    beside_reference,
    collate,
)

METHODS_AND_POINTS = [
    ("dpo", {"beta": 0.3}),
    ("nca", {"beta": 0.3}),
    ("pro_p", {"beta": 0.3}),
    ("kto", {"beta": 0.3, "undesirable_weight": 1.5}),
    ("pro_b", {"beta": 0.3, "alpha": 2.5}),
    ("pro_s", {"beta": 0.3, "alpha": 2.5}),
    ("nca_list", {"beta": 0.3}),
    ("aot", {"beta": 0.3}),
    ("aot_unpaired", {"beta": 0.3}),
    ("bco", {"beta": 0.3}),
    ("bco_udm", {"beta": 0.3}),
    ("apo_down_unpaired", {"beta": 0.3}),
    ("relative_po", {"beta": 0.3}),
    ("bvpo", {"beta": 0.3, "alpha": 0.2}),
]


def gradients(model) -> torch.Tensor:
    return torch.cat([item.grad.flatten() for item in model.parameters()])


def engine(objective: Objective, model, given, share: int = 1, arrange=together) -> torch.Tensor:
    """Losses [B]; gradients are left on the model. share: parts of a larger global batch."""
    policy = Policy(model, arrange)
    inputs = collate(given, policy.pack)
    tokens = objective.forward(policy, inputs)
    mismatched = objective.mismatched(policy, inputs)
    losses, coefficients = objective.coefficients(tokens, inputs, mismatched, share * len(given))
    (coefficients * tokens).sum().backward()
    return losses


@pytest.mark.parametrize("arrange", [together, apart])
@pytest.mark.parametrize(("name", "point"), METHODS_AND_POINTS)
def test_gradient_is_that_of_the_mean_loss(policy, examples, plain_batch, name, point, arrange):
    objective = Objective.of(method_spec(name), point)
    given = examples(objective.spec.references[-1], 6)
    model, twin = policy(), policy()
    losses = engine(objective, model, given, arrange=arrange)
    expected = objective.loss(plain_batch(twin, given))
    expected.mean().backward()
    torch.testing.assert_close(losses, expected.detach(), rtol=1e-9, atol=1e-12)
    difference = (gradients(model) - gradients(twin)).norm() / gradients(twin).norm()
    assert difference < 1e-9 and gradients(twin).norm() > 1e-3


def test_dpo_by_hand(policy, examples, plain_batch):
    """Source: Eq. (7) of arXiv:2305.18290v3 and its derivative, written out."""
    given = examples("pairs", 4)
    model = policy()
    with torch.no_grad():
        batch = plain_batch(model, given)
        h = 0.3 * (batch.chosen.logratio - batch.rejected.logratio)
    objective = Objective.of(method_spec("dpo"), {"beta": 0.3})
    inputs = collate(given, Policy(model).pack)
    tokens = objective.forward(Policy(model), inputs).detach()
    losses, coefficients = objective.coefficients(tokens, inputs, None, 4)
    torch.testing.assert_close(losses, (1 + (-h).exp()).log(), rtol=1e-9, atol=0)
    weight = 0.3 / (1 + h.exp()) / 4
    expected = torch.stack([-weight, weight], 1).view(-1, 1, 1).expand_as(tokens)
    torch.testing.assert_close(coefficients, expected, rtol=1e-9, atol=0)


def test_the_mean_is_over_the_global_batch(policy, examples):
    """Half a batch contributes half of its own mean's gradient."""
    objective, given = Objective.of(method_spec("dpo"), {}), examples("pairs", 4)
    whole, half = policy(), policy()
    engine(objective, whole, given, share=1)
    engine(objective, half, given, share=2)
    torch.testing.assert_close(gradients(half), gradients(whole) / 2, rtol=1e-12, atol=1e-18)


@pytest.mark.parametrize("name", ["kto", "pro_b"])
def test_class_weights_are_a_method_s_own(policy, examples, name):
    """Source: the weights that KTO and PRO-B have as hyperparameters."""
    weights, given = {"desirable": 3.0, "undesirable": 0.5}, examples("singles", 6)
    own = {f"{label}_weight": value for label, value in weights.items()}
    theirs, ours = policy(), policy()
    expected = engine(Objective.of(method_spec(name), own), theirs, given)
    objective = Objective.of(method_spec(name), {}, weights=ClassWeights(**weights))
    torch.testing.assert_close(engine(objective, ours, given), expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(gradients(ours), gradients(theirs), rtol=1e-9, atol=1e-15)


def test_pairs_have_no_classes_to_weigh(policy, examples):
    plain, given = Objective.of(method_spec("dpo"), {}), examples("pairs", 4)
    weighed = Objective.of(method_spec("dpo"), {}, weights=ClassWeights(desirable=9.0))
    assert torch.equal(engine(weighed, policy(), given), engine(plain, policy(), given))


def test_mismatched_completions_carry_no_gradient(policy, examples):
    objective = Objective.of(method_spec("kto"), {})
    model = Policy(policy())
    found = objective.mismatched(model, collate(examples("singles", 3), model.pack))
    assert not found.requires_grad and found.shape[0] == 3
    assert Objective.of(method_spec("dpo"), {}).mismatched(policy(), None) is None


def test_columns_are_the_examples_own(policy, examples, plain_batch):
    """Tokens, references, labels and scores arrive in the column and the row they belong to."""
    model = policy()
    seen = Policy(model)
    for name, feedback in (("dpo", "pairs"), ("kto", "singles"), ("pro_s", "lists")):
        objective, given = Objective.of(method_spec(name), {}), examples(feedback, 5)
        inputs = collate(given, seen.pack)
        with torch.no_grad():
            tokens = objective.forward(seen, inputs)
            found = objective.batch(tokens, inputs, objective.mismatched(seen, inputs))
            expected = plain_batch(model, given)
        for column in vars(expected).keys() - {"needed"}:
            ours, theirs = getattr(found, column), getattr(expected, column)
            if isinstance(theirs, torch.Tensor):
                assert torch.equal(ours, theirs), column
                continue
            assert torch.equal(ours.tokens, theirs.tokens)
            assert torch.equal(ours.reference, theirs.reference)
            torch.testing.assert_close(ours.policy, theirs.policy, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("name", "need"), [("relative_po", "embedding"), ("bco_udm", "propensity"), ("dpo", None)]
)
def test_needs_of_examples_arrive_where_they_are_declared(policy, examples, name, need):
    seen, objective = Policy(policy()), Objective.of(method_spec(name), {})
    given = examples(objective.spec.feedback, 5)
    inputs = collate(given, seen.pack).to(seen.device)
    with torch.no_grad():
        found = objective.batch(objective.forward(seen, inputs), inputs, None)
    assert list(found.needed) == ([need] if need else [])
    for row, item in enumerate(given):
        if need:
            assert found.needed[need][row].tolist() == torch.as_tensor(getattr(item, need)).tolist()


def test_traceless_pairs_arrive_where_they_are_declared(policy, examples, plain_batch):
    """Expected: plain torch, one unpadded row a completion, on the prompt of the pair."""
    model, given = policy(), examples("traceless", 5)
    seen, objective = Policy(model), Objective.of(method_spec("bvpo"), {})
    inputs = collate(given, seen.pack).to(seen.device)
    with torch.no_grad():
        found = objective.batch(objective.forward(seen, inputs), inputs, None)
        expected = plain_batch(model, given)
    assert list(found.needed) == ["traceless"] and not found.traceless.needed
    for ours, theirs in ((found, expected), (found.traceless, expected.traceless)):
        for side in ("chosen", "rejected"):
            one, other = getattr(ours, side), getattr(theirs, side)
            assert torch.equal(one.tokens, other.tokens)
            assert torch.equal(one.reference, other.reference)
            torch.testing.assert_close(one.policy, other.policy, rtol=0, atol=1e-10)


def test_samples_of_the_reference_arrive_behind_the_pair(policy, examples, plain_batch):
    """Expected: plain torch, one unpadded row a completion; the last two of four are samples."""
    model, given = policy(), examples("traceless", 5)
    seen, objective = Policy(model), Objective.of(method_spec("pro_p_samples"), {})
    inputs = collate(given, seen.pack).to(seen.device)
    with torch.no_grad():
        found = objective.batch(objective.forward(seen, inputs), inputs, None)
        expected = plain_batch(model, given)
    assert list(found.needed) == ["reference_samples"]
    samples, others = found.reference_samples, expected.traceless
    for place, other in enumerate((others.chosen, others.rejected)):
        assert torch.equal(samples.tokens[:, place], other.tokens)
        assert torch.equal(samples.reference[:, place], other.reference)
        torch.testing.assert_close(samples.policy[:, place], other.policy, rtol=0, atol=1e-10)
    torch.testing.assert_close(found.rejected.policy, expected.rejected.policy, rtol=0, atol=1e-10)


def test_numbers_of_tokens_arrive_on_samples_too(policy, examples):
    """Expected: plain torch, one unpadded row a completion; gradient through all of them."""
    given = token_examples(examples, 4, "traceless")
    objective, model, twin = token_objective(policy, "ti_dpo"), policy(), policy()
    losses = engine(objective, model, given)
    columns = [plain_column(twin, policy(seed=OTHER), given, index) for index in range(4)]
    width = max(column.token_policy.shape[1] for column in columns)
    chosen, rejected, *others = (_widened(column, width) for column in columns)
    names = ("token_policy", "token_mask", "token_reference")
    stacked = {name: torch.stack([item.needed[name] for item in others], 1) for name in names}
    samples = Completions(
        torch.stack([item.policy for item in others], 1),
        torch.stack([item.tokens for item in others], 1),
        stacked,
    )
    expected = objective.loss(Pairs(chosen, rejected, {"reference_samples": samples}))
    expected.mean().backward()
    torch.testing.assert_close(losses, expected.detach(), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(gradients(model), gradients(twin), rtol=1e-9, atol=1e-9)
    assert gradients(twin).norm() > 1e-3


def test_what_is_logged_of_a_pair_is_of_its_whole_completions(policy, examples):
    """The same pairs with and without others beside them."""
    given = examples("traceless", 5)
    alone = [
        replace(item, completions=item.completions[:2], references=item.references[:2])
        for item in given
    ]
    whole, _ = metrics_of(policy, given, "bvpo")
    pairs, _ = metrics_of(policy, alone, "dpo")
    assert {**whole, "loss": 0} == pytest.approx({**pairs, "loss": 0})


def test_labels_are_given_and_taken(policy, examples, plain_batch):
    """relabel sees the label, the hyperparameters that it names, and carries no gradient."""
    objective = Objective.of(method_spec("power_dl"), {"gamma": 0.25})
    given = [replace(item, label=1 - row / 8) for row, item in enumerate(examples("pairs", 4))]
    model = policy()
    inputs = collate(given, Policy(model).pack)
    tokens = objective.forward(Policy(model), inputs)
    found = objective.relabelled(tokens, inputs)
    batch = plain_batch(model, given)
    means = [(column.policy + 1) / column.tokens for column in (batch.chosen, batch.rejected)]
    margin = 2.0 * (means[0] - means[1])
    expected = 0.75 * inputs.of_examples["label"] + 0.25 * margin.sigmoid()
    torch.testing.assert_close(found, expected.detach(), rtol=1e-9, atol=1e-12)
    assert not found.requires_grad
    assert Objective.of(method_spec("dpo"), {}).relabel is None


@pytest.fixture
def objective_of(tmp_path):
    """losses/dpo.py with an edit, as the file dpo.py of another folder."""

    def make(*edits: tuple[str, str]) -> Objective:
        source = (METHODS / "dpo.py").read_text()
        for before, after in edits:
            assert before in source
            source = source.replace(before, after)
        (tmp_path / "dpo.py").write_text(source)
        return Objective.of(read_method(tmp_path / "dpo.py"), {})

    return make


RESULT = "return -logsigmoid(margin)"


def test_undeclared_needs_are_not_there(policy, examples, objective_of):
    objective = objective_of(('needs=("reference",)', "needs=()"))
    with pytest.raises(MethodError, match="'reference'"):
        engine(objective, policy(), examples("pairs", 2))


def test_token_values_sum_to_the_policy(policy, examples, objective_of):
    """By tokens, DPO is the same loss; padding is zero and outside the mask."""
    by_token = objective_of(
        ('needs=("reference",)', 'needs=("reference", "token_values")'),
        (
            "beta * (batch.chosen.logratio - batch.rejected.logratio)",
            "beta * ((batch.chosen.token_policy * batch.chosen.token_mask).sum(-1)"
            " - batch.chosen.reference - batch.rejected.token_policy.sum(-1)"
            " + batch.rejected.reference)",
        ),
    )
    plain = Objective.of(method_spec("dpo"), {})
    one, other, given = policy(), policy(), examples("pairs", 4)
    torch.testing.assert_close(engine(by_token, one, given), engine(plain, other, given))
    torch.testing.assert_close(gradients(one), gradients(other), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("result", ["return -logsigmoid(margin).mean()", "return margin[:1]"])
def test_a_reduced_loss_is_refused(policy, examples, objective_of, result):
    objective = objective_of((RESULT, result))
    with pytest.raises(MethodError, match=r"dpo returned shape .*one loss per.*\(3,\), unreduced"):
        engine(objective, policy(), examples("pairs", 3))


def metrics_of(policy, given, name: str) -> tuple[dict[str, float], torch.Tensor]:
    objective, model = Objective.of(method_spec(name), {}), Policy(policy())
    inputs = collate(given, model.pack)
    with torch.no_grad():
        tokens = objective.forward(model, inputs)
    mismatched = objective.mismatched(model, inputs)
    losses, _ = objective.coefficients(tokens, inputs, mismatched, len(given))
    return batch_metrics(losses, tokens[:, 0], inputs), losses


def test_pair_metrics_by_hand(policy, examples, plain_batch):
    given = examples("pairs", 5)
    found, losses = metrics_of(policy, given, "dpo")
    with torch.no_grad():
        batch = plain_batch(policy(), given)
    chosen, rejected = batch.chosen.logratio, batch.rejected.logratio
    assert found == pytest.approx(
        {
            "loss": losses.mean().item(),
            "chosen_logratio": chosen.mean().item(),
            "rejected_logratio": rejected.mean().item(),
            "margin": (chosen - rejected).mean().item(),
            "chosen_tokens": batch.chosen.tokens.double().mean().item(),
            "rejected_tokens": batch.rejected.tokens.double().mean().item(),
            "accuracy": (chosen > rejected).double().mean().item(),
        },
        rel=1e-6,
    )


def test_singles_are_split_by_their_label(policy, examples, plain_batch):
    given = examples("singles", 8)
    found, _ = metrics_of(policy, given, "kto")
    with torch.no_grad():
        batch = plain_batch(policy(), given)
    ratios, good = batch.completion.logratio, batch.desirable
    assert 0 < good.sum() < 8
    assert found["chosen_logratio"] == pytest.approx(ratios[good].mean().item())
    assert found["rejected_logratio"] == pytest.approx(ratios[~good].mean().item())
    assert found["chosen_tokens"] == pytest.approx(
        batch.completion.tokens[good].double().mean().item()
    )
    assert "accuracy" not in found, "one completion has no rival"


def test_a_batch_of_one_label_has_no_number_for_the_other(policy, examples):
    given = [replace(item, desirable=True) for item in examples("singles", 3)]
    found, _ = metrics_of(policy, given, "kto")
    assert {"loss", "chosen_logratio", "chosen_tokens"} == set(found)


def test_lists_show_the_best_and_the_worst(policy, examples, plain_batch):
    given = [replace(item, scores=(0.25, 1.0, 0.0, 0.5)) for item in examples("lists", 4)]
    found, _ = metrics_of(policy, given, "pro_s")
    with torch.no_grad():
        ratios = plain_batch(policy(), given).completions.logratio
    assert found["chosen_logratio"] == pytest.approx(ratios[:, 1].mean().item())
    assert found["rejected_logratio"] == pytest.approx(ratios[:, 2].mean().item())
    assert found["accuracy"] == pytest.approx((ratios[:, 1] > ratios[:, 2]).double().mean().item())


def test_labels_without_a_rule_are_refused(objective_of):
    with pytest.raises(MethodError, match="def relabel"):
        objective_of(('needs=("reference",)', 'needs=("reference", "label")'))


# What is known of each token

TOKEN_METHODS = {
    "sampo": {"beta": 0.3},
    "ld_dpo": {"beta": 0.3, "alpha": 0.25},
    "wpo": {"beta": 0.3},
    "tdpo1": {"beta": 0.3},
    "tdpo2": {"beta": 0.3, "alpha": 0.7},
    "tis_dpo": {"beta": 0.3, "low": -0.4, "high": 0.9},
    "sparse_po": {"beta": 0.3},
}
SAMPLED = {"ti_dpo": {"beta": 0.3, "samples": 2}}
OTHER = 7  # the seed of the reference's weights


def token_examples(examples, count: int, feedback: str = "pairs") -> list:
    """Pairs with a number for each token, as a pass over the data leaves them."""
    given = examples(feedback, count)
    places = {
        (item.id, row): [-1 - place / 8 for place in range(len(ids))]
        for item in given
        for row, ids in enumerate(item.completions)
    }
    given = annotated(given, "token_reference", places)
    made = {"contrast": torch.sin, "activity": torch.sigmoid, "importance": torch.exp}
    for need, number in ((f"token_{name}", number) for name, number in made.items()):
        numbers = {key: number(torch.tensor(values)).tolist() for key, values in places.items()}
        given = annotated(given, need, numbers)
    return annotated(given, "token_sample", samples(given, seed=0))


def plain_column(model, reference, given, index: int) -> Completions:
    """Every need of one column by plain transformers: whole logits, one unpadded row at a time."""
    found: dict[str, list[torch.Tensor]] = {}
    for item in given:
        ids = item.completions[index]
        row, last = torch.tensor([[*item.prompt, *ids]]), len(item.prompt) - 1
        logs = model(input_ids=row).logits[0, last:-1].log_softmax(-1)
        with torch.no_grad():
            theirs = reference(input_ids=row).logits[0, last:-1].log_softmax(-1)
        values = {
            "token_policy": logs[range(len(ids)), ids],
            "token_divergence": (theirs.exp() * (theirs - logs)).sum(-1),
            "token_reverse_divergence": (logs.exp() * (logs - theirs)).sum(-1),
            "token_log_squares": logs.exp().square().sum(-1).log(),
            "token_mask": torch.ones(len(ids), dtype=torch.bool),
            **{name: torch.tensor(rows[index]) for name, rows in item.annotations.items()},
        }
        for name, value in values.items():
            found.setdefault(name, []).append(value)
    needed = {name: pad_sequence(rows, batch_first=True) for name, rows in found.items()}
    needed["reference"] = torch.tensor([item.references[index] for item in given])
    counts = torch.tensor([len(item.completions[index]) for item in given])
    return Completions(needed["token_policy"].sum(-1), counts, needed)


def token_objective(policy, name: str) -> Objective:
    reference = Policy(policy(seed=OTHER).requires_grad_(False), together)
    return Objective.of(method_spec(name), (TOKEN_METHODS | SAMPLED)[name], reference)


@pytest.mark.parametrize("name", TOKEN_METHODS)
def test_token_needs_are_the_plain_ones(policy, examples, name):
    """Source: transformers' own logits; all that a method declares, and its column's gradient."""
    objective, given = token_objective(policy, name), token_examples(examples, 5)
    model, twin = policy(), policy()
    seen = Policy(model, together)
    inputs = collate(given, seen.pack)
    with torch.no_grad():
        batch = objective.batch(objective.forward(seen, inputs), inputs, None)
    for index, column in enumerate((batch.chosen, batch.rejected)):
        expected = plain_column(twin, policy(seed=OTHER), given, index)
        declared = set(objective.spec.card.needs) - {"token_values"}
        assert column.needed.keys() - {"token_policy", "token_mask"} == declared
        for need, found in column.needed.items():
            theirs = expected.needed[need]
            if theirs.dim() == 2:
                assert (found[:, theirs.shape[1] :] == 0).all(), need
                found = found[:, : theirs.shape[1]]
            torch.testing.assert_close(found, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("arrange", [together, apart])
@pytest.mark.parametrize("name", TOKEN_METHODS)
def test_token_methods_gradient_is_that_of_the_mean_loss(policy, examples, name, arrange):
    objective, given = token_objective(policy, name), token_examples(examples, 6)
    model, twin = policy(), policy()
    losses = engine(objective, model, given, arrange=arrange)
    columns = [plain_column(twin, policy(seed=OTHER), given, index) for index in (0, 1)]
    width = max(column.token_policy.shape[1] for column in columns)
    expected = objective.loss(Pairs(*(_widened(column, width) for column in columns)))
    expected.mean().backward()
    torch.testing.assert_close(losses, expected.detach(), rtol=1e-9, atol=1e-12)
    difference = (gradients(model) - gradients(twin)).norm() / gradients(twin).norm()
    assert difference < 1e-9 and gradients(twin).norm() > 1e-3


def _widened(column: Completions, width: int) -> Completions:
    needed = {
        name: pad(value, (0, width - value.shape[1])) if value.dim() == 2 else value
        for name, value in column.needed.items()
    }
    return replace(column, needed=needed)


@pytest.mark.parametrize("name", TOKEN_METHODS)
def test_micro_batches_of_token_methods_change_nothing(policy, examples, name):
    objective, given = token_objective(policy, name), token_examples(examples, 6)
    whole, parts = policy(), policy()
    losses = engine(objective, whole, given)
    found = [engine(objective, parts, given[start : start + 2], share=3) for start in (0, 2, 4)]
    torch.testing.assert_close(torch.cat(found), losses, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(gradients(parts), gradients(whole), rtol=1e-9, atol=1e-12)


def test_every_reading_has_a_reader():
    assert set(READERS) == set(READINGS)


def test_what_is_not_declared_is_not_computed(policy, examples, monkeypatch):
    """DPO's forward pass reads log-probabilities alone, and no reference lies beside it."""
    asked = []
    model = Policy(policy())
    plain = model.forward
    monkeypatch.setattr(
        model, "forward", lambda given, also=(): asked.append(also) or plain(given, also)
    )
    objective = Objective.of(method_spec("dpo"), {})
    inputs = collate(examples("pairs", 3), model.pack)
    assert objective.forward(model, inputs).shape[1] == 1 and asked == [()]
    assert inputs.annotations == {}
    read = {name: beside_reference(method_spec(name)) for name in (*TOKEN_METHODS, "dpo", "kto")}
    assert {name for name, beside in read.items() if beside} == {
        *("tdpo1", "tdpo2", "tis_dpo", "sparse_po")
    }
