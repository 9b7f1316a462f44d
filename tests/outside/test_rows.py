"""Rows become the batch that a method's signature asks for; what cannot be one is told by its key.

Expected losses: by hand, and losses/*.py on the same numbers given as tensors.
"""

import math
from dataclasses import replace

import pytest
import torch

from plumbline import Completions, Lists, Pairs, Singles
from plumbline.batches import FEEDBACK
from plumbline.check import examples
from plumbline.check.method import feedback_of
from plumbline.contracts import MethodCard
from plumbline.errors import DataError, MethodError
from plumbline.outside.rows import COLUMNS, keys, losses_and_gradients, read, tokens_key
from plumbline.plugins import METHODS, load_method, method_spec, names_in, read_method

PAIR = {
    "policy_chosen": -10.0,
    "policy_rejected": -12.0,
    "reference_chosen": -11.0,
    "reference_rejected": -11.5,
    "chosen_tokens": 4,
    "rejected_tokens": 5,
}
OTHER = dict(zip(PAIR, [-3.0, -2.5, -2.25, -4.0, 2, 3], strict=True))
SINGLE = {"policy": -10.0, "reference": -11.0, "tokens": 4, "desirable": True}
LIST = {
    "policy": [-10.0, -12.0, -3.0],
    "reference": [-11.0, -11.5, -3.5],
    "tokens": [4, 5, 2],
    "scores": [1.0, 0.0, 0.4],
}
BY_TOKEN = '''
from torch import Tensor

from plumbline import Lists, Pairs, method


@method(title="By token", paper="none", needs=("reference", "token_values"))
def by_token(batch: Pairs) -> Tensor:
    """Position 1 counts once, position 2 twice, and so on; the reference counts ten times."""

    def total(side):
        weight = (side.token_mask.cumsum(-1) * side.token_mask).to(side.token_policy.dtype)
        return (weight * side.token_policy).sum(-1) - 10 * side.reference + side.tokens / 100

    return total(batch.rejected) - total(batch.chosen)
'''


@pytest.fixture
def made():
    """The batch that a method in losses/ gets of rows, and its numbers at a point."""

    def build(name, rows, **point):
        spec = method_spec(name)
        given = read(rows, spec, torch.float64)
        loss = load_method(spec)
        return given, losses_and_gradients(lambda batch: loss(batch, **point), given)

    return build


@pytest.fixture
def by_token(tmp_path):
    path = tmp_path / "by_token.py"
    path.write_text(BY_TOKEN)
    return read_method(path)


def with_needs(spec, *needs):
    """The specification of a method with other needs."""
    return replace(spec, card=replace(spec.card, needs=needs))


def test_a_pair_by_hand(made):
    """Log-ratios 1 and -0.5 at beta 0.1: log(1 + e^-.15), gradient -+ 0.1 / (1 + e^.15)."""
    _, found = made("dpo", [PAIR], beta=0.1)
    slope = 0.1 / (1 + math.exp(0.15))
    assert found["losses"] == pytest.approx([math.log1p(math.exp(-0.15))])
    assert found["gradients"] == {
        "policy_chosen": pytest.approx([-slope]),
        "policy_rejected": pytest.approx([slope]),
    }


def test_rows_and_columns_are_one(made):
    columns = {key: [PAIR[key], OTHER[key]] for key in PAIR}
    assert made("nca", [PAIR, OTHER], beta=0.3)[1] == made("nca", columns, beta=0.3)[1]
    assert made("nca", [PAIR, OTHER], beta=0.3)[1]["losses"][1] == pytest.approx(
        made("nca", [OTHER], beta=0.3)[1]["losses"][0]
    )


def test_a_pairs_columns_become_its_tensors(made):
    batch = made("dpo", [PAIR, OTHER])[0].batch
    assert isinstance(batch, Pairs)
    assert batch.chosen.policy.tolist() == [-10.0, -3.0]
    assert batch.rejected.reference.tolist() == [-11.5, -4.0]
    assert batch.rejected.tokens.tolist() == [5, 3] and batch.chosen.tokens.dtype == torch.int64


def test_singles_with_mismatched_log_ratios(made):
    rows = [SINGLE | {"mismatched": 4.0}, SINGLE | {"desirable": False, "mismatched": -2.0}]
    given, found = made("kto", rows, beta=0.1)
    assert isinstance(given.batch, Singles) and given.batch.desirable.tolist() == [True, False]
    assert given.batch.mismatched.logratio.tolist() == [4.0, -2.0]
    assert found["losses"] == pytest.approx([0.5, 0.5]), "z_0 is 1, as is the log-ratio"
    assert found["gradients"] == {"policy": pytest.approx([-0.025, 0.025])}


def test_lists(made):
    given, found = made("pro_s", [LIST, LIST], beta=0.1, alpha=2.0)
    completions = Completions(
        torch.tensor([LIST["policy"]]),
        torch.tensor([LIST["tokens"]]),
        {"reference": torch.tensor([LIST["reference"]])},
    )
    batch = Lists(completions, torch.tensor([LIST["scores"]]))
    [expected] = load_method(method_spec("pro_s"))(batch, beta=0.1, alpha=2.0).tolist()
    assert found["losses"] == pytest.approx([expected] * 2, abs=1e-6)
    assert torch.tensor(found["gradients"]["policy"]).shape == (2, 3)
    assert given.batch.completions.tokens.tolist() == [[4, 5, 2]] * 2


def test_needs_of_examples_are_keys(made):
    rows = [PAIR | {"embedding": [3.0, 4.0]}, OTHER | {"embedding": [0.0, 2.0]}]
    assert made("relative_po", rows)[0].batch.embedding.tolist() == [[3.0, 4.0], [0.0, 2.0]]
    batch = made("power_dl", [PAIR | {"label": 0.25}])[0].batch
    assert batch.label.tolist() == [0.25]
    assert made("bco_udm", [SINGLE | {"propensity": 0.2}])[0].batch.propensity.tolist() == [0.2]


def test_a_pair_without_its_traces_has_keys_of_its_own(made):
    answers = {f"traceless_{key}": value for key, value in OTHER.items()}
    _, found = made("bvpo", [PAIR | answers], alpha=0.25, beta=0.1)
    one, other = made("dpo", [PAIR], beta=0.1)[1], made("dpo", [OTHER], beta=0.1)[1]
    expected = 0.25 * one["losses"][0] + 0.75 * other["losses"][0]
    assert found["losses"] == pytest.approx([expected])
    slopes = found["gradients"]["traceless_policy_rejected"]
    assert slopes == pytest.approx([0.75 * other["gradients"]["policy_rejected"][0]])


def test_samples_of_the_reference_are_arrays(made):
    """Log-ratios of chosen 1, of rejected -0.5, of samples 0.5 and -0.5; see the file's example."""
    row = PAIR | {"policy_samples": [-8.0, -9.5], "reference_samples": [-8.5, -9.0]}
    given, found = made("pro_p_samples", [row], beta=0.1)
    assert given.batch.reference_samples.logratio.tolist() == [[0.5, -0.5]]
    assert found["losses"] == pytest.approx([2.3563], abs=1e-4)
    assert len(found["gradients"]["policy_samples"][0]) == 2
    with pytest.raises(DataError, match="have 2 and 1 numbers; must have as many"):
        made("pro_p_samples", [row | {"reference_samples": [-8.5]}])


def test_samples_token_by_token_are_arrays_of_arrays(made):
    """The numbers of the file's example, and a longer anchor than either side of the pair."""
    row = {
        "policy_chosen": [-4.0, -6.0], "token_reference_chosen": [-4.5, -6.5],
        "policy_rejected": [-7.0, -5.0], "token_reference_rejected": [-6.5, -5.0],
        "token_importance_chosen": [0.9, 0.1], "token_importance_rejected": [0.2, 0.8],
        "policy_samples": [[-3.0, -5.0], [-1.0]], "reference_samples": [[-2.5, -5.5], [-2.0]],
    }  # fmt: skip
    given, found = made("ti_dpo", [row], beta=0.1)
    assert given.batch.reference_samples.tokens.tolist() == [[2, 1]]
    assert given.batch.reference_samples.policy.tolist() == [[-8.0, -1.0]]
    assert found["losses"] == pytest.approx([0.7365], abs=1e-4)
    assert list(map(len, found["gradients"]["policy_samples"][0])) == [2, 1]
    short = row | {"reference_samples": [[-2.5, -5.5], [-2.0, -1.0]]}
    with pytest.raises(DataError, match="reference_samples is .*; must be an array of 1 numbers"):
        made("ti_dpo", [short])
    with pytest.raises(DataError, match="reference_samples has 1 responses; must have 2"):
        made("ti_dpo", [row | {"reference_samples": [[-2.5, -5.5]]}])


def test_what_a_method_does_not_need_may_be_there(made):
    assert made("dpo", [PAIR | {"embedding": [1.0], "label": 1}])[1] == made("dpo", [PAIR])[1]
    assert not made("dpo", [PAIR | {"label": 1}])[0].batch.needed


def test_tokens_need_not_be_told_where_they_do_not_matter(made):
    short = {key: value for key, value in PAIR.items() if "tokens" not in key}
    assert made("dpo", [short])[1] == made("dpo", [PAIR])[1]
    with pytest.raises(DataError, match="row 0: chosen_tokens is missing; power_dl needs a number"):
        made("power_dl", [short | {"label": 1.0}])


TOKENS = {
    "policy_chosen": [-1.0, -2.0, -3.0],
    "policy_rejected": [-5.0],
    "reference_chosen": [-0.5, -0.5, -1.0],
    "reference_rejected": -4.0,
}


def test_numbers_of_tokens(by_token):
    """-5 + 40 + .01 less -1 - 2*2 - 3*3 + 20 + .03; row 1 the other way round."""
    turned = {
        key.replace("chosen", "x").replace("rejected", "chosen").replace("x", "rejected"): value
        for key, value in TOKENS.items()
    }
    given = read([TOKENS, turned], by_token, torch.float64)
    found = losses_and_gradients(load_method(by_token), given)
    assert given.batch.chosen.token_mask.tolist() == [[True] * 3, [True, False, False]]
    assert given.batch.chosen.reference.tolist() == [-2.0, -4.0]
    assert found["losses"] == pytest.approx([35.01 - 6.03, 6.03 - 35.01])
    assert found["gradients"]["policy_chosen"] == [[-1.0, -2.0, -3.0], [-1.0]]
    assert found["gradients"]["policy_rejected"] == [[1.0], [1.0, 2.0, 3.0]]


def test_numbers_of_tokens_are_summed_for_a_method_that_wants_sums(made):
    _, found = made("dpo", [TOKENS], beta=1.0)
    _, sums = made("dpo", [PAIR | dict(zip(PAIR, [-6, -5, -2, -4, 3, 1], strict=True))], beta=1.0)
    assert found["losses"] == sums["losses"]
    assert found["gradients"]["policy_chosen"] == [sums["gradients"]["policy_chosen"] * 3]


def test_numbers_of_tokens_in_lists(made):
    row = LIST | {"policy": [[-4.0, -6.0], [-12.0], [-1.0, -1.0, -1.0]], "tokens": [2, 1, 3]}
    _, found = made("pro_s", [row])
    assert found["losses"] == made("pro_s", [LIST])[1]["losses"]
    assert [len(cell) for cell in found["gradients"]["policy"][0]] == [2, 1, 3]


def test_a_need_that_is_new_is_a_key_of_its_name(by_token, monkeypatch):
    """As a need of columns, of tokens where its name says so, with gradient if it is a reading."""
    from plumbline.outside import rows

    new = {"token_divergence": "", "token_reference": "", "drift": ""}
    monkeypatch.setattr(rows, "NEEDS", rows.NEEDS | new)
    spec = with_needs(by_token, "reference", "token_values", *new)
    row = TOKENS | {"reference_rejected": [-4.0], "drift_chosen": 3.0, "drift_rejected": -1.0}
    row |= {"token_divergence_chosen": [0.5, 0.25, 0.0], "token_divergence_rejected": [0.125]}
    given = read([row], spec, torch.float64)
    assert given.batch.chosen.token_divergence.tolist() == [[0.5, 0.25, 0.0]]
    assert given.batch.chosen.token_reference.tolist() == [[-0.5, -0.5, -1.0]]
    assert given.batch.rejected.drift.tolist() == [-1.0]
    found = losses_and_gradients(lambda batch: batch.chosen.token_divergence.sum(-1), given)
    assert found["gradients"]["token_divergence_chosen"] == [[1.0, 1.0, 1.0]]
    assert found["gradients"]["policy_rejected"] == [[0.0]]
    assert {"drift_chosen", "token_divergence_rejected"} <= set(keys("pairs"))


def written_down(batch, needs: tuple[str, ...], start: str = "") -> dict[str, list]:
    """A batch of the contract's as columns: numbers of tokens where the method looks at tokens."""
    by_token = any(need.startswith("token_") for need in needs)
    whole = dict(batch.needed)
    inner, samples = whole.pop("traceless", None), whole.pop("reference_samples", None)
    columns = written_down(inner, needs, "traceless_") if inner else {}
    columns |= {name: value.tolist() for name, value in whole.items()}
    if samples:
        names = ("token_policy", "token_reference") if by_token else ("policy", "reference")
        for key, name in zip(("policy_samples", "reference_samples"), names, strict=True):
            values = getattr(samples, name)
            columns[key] = ragged(values, samples.tokens) if by_token else values.tolist()
    for name, end in COLUMNS[FEEDBACK[type(batch).__name__]].items():
        column = getattr(batch, name)
        columns[start + tokens_key(end)] = column.tokens.tolist()
        found = {need: column.needed[need] for need in needs if need in column.needed}
        found["policy"] = column.token_policy if by_token else column.policy
        for key, values in found.items():
            of_tokens = by_token and values.dim() > column.policy.dim()
            numbers = ragged(values, column.tokens) if of_tokens else values.tolist()
            columns[start + key + end] = numbers
    labels = {Pairs: (), Singles: ("desirable",), Lists: ("scores",)}[type(batch)]
    columns |= {label: getattr(batch, label).tolist() for label in labels}
    if "mismatched" in needs:
        columns["mismatched"] = batch.mismatched.logratio.tolist()
    return columns


def ragged(values: torch.Tensor, counts: torch.Tensor) -> list:
    """Numbers of tokens without padding."""
    if values.dim() > 2:
        return [ragged(*row) for row in zip(values, counts, strict=True)]
    return [row[:count].tolist() for row, count in zip(values, counts.tolist(), strict=True)]


@pytest.mark.parametrize("path", names_in(METHODS), ids=lambda path: path.stem)
def test_every_method_can_be_asked(path):
    """The contract's batch, written down as columns, gives what the batch itself gives."""
    spec = read_method(path)
    loss = load_method(spec)
    whole = examples.random_batch(feedback_of(loss), seed=3)
    exact = examples.mapped(whole, lambda item: item.double() if item.is_floating_point() else item)
    batch = examples.restricted(exact, (*spec.card.needs, "token_values"))
    given = read(written_down(batch, spec.card.needs), spec, torch.float64)
    found = losses_and_gradients(loss, given)["losses"]
    expected = loss(examples.restricted(exact, spec.card.needs))
    assert found == pytest.approx(expected.tolist(), rel=1e-6)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"policy_chosen": None}, "row 1: policy_chosen is None; must be a log-probability"),
        ({"policy_chosen": "x"}, "row 1: policy_chosen is 'x'; must be a log-probability"),
        ({"policy_chosen": True}, "row 1: policy_chosen is True; must be a log-probability"),
        ({"policy_chosen": math.nan}, "row 1: policy_chosen is nan; must be a log-probability"),
        ({"policy_chosen": 0.5}, "row 1: policy_chosen is 0.5; must be a log-probability in nats"),
        ({"reference_rejected": 11.5}, "row 1: reference_rejected is 11.5; must be a log-prob"),
        ({"reference_rejected": []}, r"row 1: reference_rejected is \[\]; must be a log-prob"),
        ({"policy_chosen": [[-1.0]]}, r"policy_chosen is .*; must be an array|must be one number"),
        ({"chosen_tokens": 0}, "row 1: chosen_tokens is 0; must be a number of tokens"),
        ({"chosen_tokens": 2.5}, "row 1: chosen_tokens is 2.5; must be a number of tokens"),
        ({"polcy_chosen": -1}, "row 1: unknown key 'polcy_chosen'; did you mean 'policy_chosen'"),
        ({"desirable": True}, "row 1: unknown key 'desirable'; dpo learns from pairs, whose keys"),
    ],
)
def test_a_value_that_cannot_be_is_told(made, change, sentence):
    with pytest.raises(DataError, match=sentence):
        made("dpo", [PAIR, PAIR | change])


def test_a_missing_key_is_told(made):
    short = {key: value for key, value in PAIR.items() if key != "reference_rejected"}
    with pytest.raises(DataError, match="row 1: reference_rejected is missing; dpo needs a log-pr"):
        made("dpo", [PAIR, short])
    with pytest.raises(DataError, match="row 0: mismatched is missing; kto needs a finite number"):
        made("kto", [SINGLE])


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ([], "a batch is a list of rows or an object of columns, and has one at least"),
        ({}, "a batch is a list of rows"),
        (3, "a batch is a list of rows"),
        ([3], "row 0 is 3; must be an object"),
        ({"policy_chosen": -1.0}, "policy_chosen is -1.0; must be an array with a value for each"),
        ({"policy_chosen": [-1.0], "policy_rejected": []}, "policy_chosen 1, policy_rejected 0"),
    ],
)
def test_what_is_no_batch_is_told(made, found, sentence):
    with pytest.raises(DataError, match=sentence):
        made("dpo", found)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"policy": -1.0}, "row 1: policy is -1.0; must be an array"),
        ({"reference": [-1.0, -2.0]}, "row 1: reference has 2 responses; must have 3"),
        ({"scores": [0.0, 1.0]}, "row 1: scores has 2 responses; must have 3"),
        ({"scores": [0.0, 1.0, 7.0]}, "row 1: scores is .*; must be a number between 0 and 1"),
        ({"policy": [-1.0, -2.0]}, "row 1: policy has 2 responses; must have 3"),
    ],
)
def test_a_list_that_does_not_fit_is_told(made, change, sentence):
    with pytest.raises(DataError, match=sentence):
        made("pro_s", [LIST, LIST | change])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"policy_chosen": -6.0}, "policy_chosen is -6.0; must be an array with a number for each"),
        ({"reference_chosen": [-1.0]}, r"reference_chosen is \[-1.0\]; must be an array of 3"),
        ({"chosen_tokens": 4, "rejected_tokens": 1}, r"chosen_tokens is \[4\]; policy has numbers"),
        ({"policy_chosen": [[-1.0], -2.0]}, "must be"),
    ],
)
def test_numbers_of_tokens_that_do_not_fit_are_told(by_token, change, sentence):
    with pytest.raises(DataError, match=sentence):
        read(
            [TOKENS, TOKENS | {"chosen_tokens": 3, "rejected_tokens": 1} | change][1:],
            by_token,
            torch.float64,
        )


def test_an_embedding_is_an_array(made):
    for value in (3.0, "x"):
        with pytest.raises(DataError, match="embedding"):
            made("relative_po", [PAIR | {"embedding": value}])
    with pytest.raises(DataError, match="an array of as many numbers in every row"):
        made("relative_po", [PAIR | {"embedding": [1.0]}, PAIR | {"embedding": [1.0, 2.0]}])
    with pytest.raises(DataError, match="label is .*; must be a number between 0 and 1"):
        made("power_dl", [PAIR | {"label": [1.0]}])


def test_a_loss_that_is_not_finite_is_an_error():
    given = read([PAIR], method_spec("dpo"), torch.float64)
    with pytest.raises(MethodError, match="losses: not all are finite"):
        losses_and_gradients(lambda batch: batch.chosen.policy * math.nan, given)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_numbers_are_of_the_asked_kind(kind):
    batch = read([PAIR], method_spec("dpo"), kind).batch
    assert batch.chosen.policy.dtype == batch.rejected.reference.dtype == kind


def test_cards_are_what_needs_come_from(by_token):
    assert isinstance(by_token.card, MethodCard) and "token_values" in by_token.card.needs
