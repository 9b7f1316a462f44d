"""What methods need to know of each token: the SFT model's own numbers, and nobody else's."""

import math

import pytest
import torch

from plumbline import config
from plumbline.artifacts import read_json, read_rows, write_json
from plumbline.batches import ANNOTATED
from plumbline.errors import IntegrityError
from plumbline.model.folder import load
from plumbline.model.importance import token_importance
from plumbline.model.logprobs import Policy
from plumbline.plugins import method_spec
from plumbline.schema import Execution
from plumbline.train import base
from plumbline.train.annotate import PASSES, _read, annotate, made_from, with_needs
from plumbline.train.auxiliary import AuxiliaryBench
from plumbline.train.reference import examples, reference
from plumbline.train.run import Bench


@pytest.fixture(scope="module")
def model(setting, folders):
    """The SFT model of the setting, of random weights, and its tokenizer."""
    tokenizer = base.word_tokenizer(base.VOCABULARY)
    base._finish(base.scratch_model(setting.model, tokenizer), tokenizer, folders.sft, {})
    return load(folders.sft.model)


@pytest.fixture(scope="module")
def contrast(experiment, setting, folders, model):
    """The two auxiliary models, trained."""
    reference(setting, folders, "pairs", Execution())
    for side in ("chosen", "rejected"):
        run = folders.auxiliary(side)
        assert AuxiliaryBench(experiment, folders, "dpo", side).train(run) == "ok"
    return [load(folders.auxiliary(side).model)[0] for side in ("chosen", "rejected")]


def plain(policy, prompt, completion) -> torch.Tensor:
    """Full log_softmax of one row, in float64."""
    with torch.no_grad():
        logits = policy(input_ids=torch.tensor([[*prompt, *completion]])).logits
    logs = logits.double().log_softmax(-1)[0, len(prompt) - 1 : -1]
    return logs.gather(1, torch.tensor(completion)[:, None])[:, 0]


def test_the_workflow_knows_every_pass():
    assert set(ANNOTATED) == {*PASSES, "reference_samples"}


@pytest.mark.parametrize("feedback", ["pairs", "lists"])
def test_token_reference_is_the_models_own(setting, folders, model, feedback):
    """Source: full log_softmax, row by row."""
    annotate(setting, folders, feedback, "token_reference", Execution())
    policy, tokenizer = model
    rows = read_rows(folders.annotation(feedback, "token_reference"))
    found = {(row["id"], row["index"]): row["values"] for row in rows}
    given = examples(setting, folders, feedback, tokenizer)
    assert len(found) == sum(len(item.completions) for item in given)
    for item in given[:5]:
        for index, completion in enumerate(item.completions):
            expected = plain(policy, item.prompt, completion).tolist()
            assert found[item.id, index] == pytest.approx(expected, rel=1e-4)


def test_token_importance_is_the_models_own(setting, folders, model):
    annotate(setting, folders, "pairs", "token_importance", Execution())
    rows = read_rows(folders.annotation("pairs", "token_importance"))
    found = {(row["id"], row["index"]): row["values"] for row in rows}
    given = examples(setting, folders, "pairs", model[1])
    assert len(found) == 2 * len(given)
    for item in given[:3]:
        [expected] = token_importance(Policy(model[0]), [item.group])
        for index, values in enumerate(expected):
            assert found[item.id, index] == pytest.approx(values, abs=1e-5)


def test_contrast_is_that_of_the_two_trained_models(setting, folders, model, contrast):
    """Source: full log_softmax of both, row by row. They were trained apart: it is not zero."""
    annotate(setting, folders, "pairs", "token_contrast", Execution())
    rows = read_rows(folders.annotation("pairs", "token_contrast"))
    found = {(row["id"], row["index"]): row["values"] for row in rows}
    margins = []
    for item in examples(setting, folders, "pairs", model[1]):
        for index, ids in enumerate(item.completions):
            one, other = (plain(policy, item.prompt, ids) for policy in contrast)
            assert found[item.id, index] == pytest.approx((one - other).tolist(), abs=1e-4)
        margins.append(sum(found[item.id, 0]) - sum(found[item.id, 1]))
    assert sum(margins) / len(margins) > 0.01, "the first model prefers what was chosen"


def test_auxiliary_models_are_dpo_and_its_reverse(experiment, folders, contrast):
    """The first is what DPO makes of the pairs; the other starts where the first does."""
    run = folders.run("dpo", "beta=0.1", 0)
    assert Bench(experiment, folders, "dpo").train(run) == "ok"
    record = read_json(folders.auxiliary("chosen").record)
    assert record["model"] == read_json(run.record)["model"]
    assert record["model"] != read_json(folders.auxiliary("rejected").record)["model"]
    logged = [read_rows(folders.auxiliary(side).dynamics) for side in ("chosen", "rejected")]
    first = [
        next(row["value"] for row in rows if row["metric"] == "chosen_tokens") for rows in logged
    ]
    swapped = next(row["value"] for row in logged[1] if row["metric"] == "rejected_tokens")
    assert first[0] == swapped


def test_an_auxiliary_model_that_diverged_is_named(setting, folders, model, contrast):
    path = folders.auxiliary("rejected").record
    record = read_json(path)
    write_json(path, record | {"status": "diverged", "model": None})
    with pytest.raises(IntegrityError, match="token_contrast asks has diverged"):
        annotate(setting, folders, "pairs", "token_contrast", Execution())
    write_json(path, record)


def test_other_auxiliary_models_make_another_contrast(setting, folders, model, contrast):
    annotate(setting, folders, "pairs", "token_contrast", Execution())
    given = examples(setting, folders, "pairs", model[1])
    path = folders.auxiliary("chosen").record
    record = read_json(path)
    before = made_from(setting, folders, "pairs", "token_contrast")
    write_json(path, record | {"model": "another"})
    assert made_from(setting, folders, "pairs", "token_contrast") != before
    with pytest.raises(IntegrityError, match="token_contrast.parquet was made from another"):
        _read(setting, folders, "pairs", "token_contrast")
    write_json(path, record)
    assert len(_read(setting, folders, "pairs", "token_contrast")) == 2 * len(given)


@pytest.mark.parametrize("name", ["sampo", "tdpo2", "tis_dpo", "sparse_po"])
def test_a_run_reads_what_its_method_needs(raw, folders, setting, model, contrast, name):
    """From its record back; the record says what its annotations were made from."""
    experiment = config.parse(raw | {"methods": raw["methods"] | {name: {"beta": 0.5}}})
    spec = experiment.method(name)
    for need in spec.annotated:
        annotate(setting, folders, "pairs", need, Execution())
    run = folders.run(name, "beta=0.5", 0)
    assert Bench(experiment, folders, name).train(run) == "ok"
    parts = read_json(run.record)["parts"]
    for need in spec.annotated:
        assert parts[need] == made_from(setting, folders, "pairs", need)
    losses = [row["value"] for row in read_rows(run.dynamics) if row["metric"] == "loss"]
    assert losses[0] == pytest.approx(math.log(2), abs=1e-5), "training starts at the reference"
    assert read_json(run.record)["model"] != base.model_digest(folders.sft)


def test_examples_carry_what_their_method_declares_and_nothing_else(setting, folders, model):
    annotate(setting, folders, "pairs", "token_reference", Execution())
    given = examples(setting, folders, "pairs", model[1])
    for name, expected in (
        ("dpo", set()),
        ("tdpo2", set()),
        ("ld_dpo", {"token_reference"}),
        ("sampo", {"token_reference", "token_sample"}),
    ):
        for item in with_needs(given, setting, folders, method_spec(name)):
            assert item.annotations.keys() == expected
            for several in item.annotations.values():
                assert list(map(len, several)) == list(map(len, item.completions))


def test_an_undeclared_file_is_not_even_looked_for(setting, folders, model):
    path = folders.annotation("pairs", "token_reference")
    path.unlink(missing_ok=True)
    given = examples(setting, folders, "pairs", model[1])
    assert with_needs(given, setting, folders, method_spec("dpo")) == given
    with pytest.raises(IntegrityError, match="pairs.token_reference.parquet was made from another"):
        with_needs(given, setting, folders, method_spec("ld_dpo"))


def test_another_models_annotation_is_refused(setting, folders, model):
    annotate(setting, folders, "pairs", "token_reference", Execution())
    given = examples(setting, folders, "pairs", model[1])
    record = read_json(folders.sft.record)
    write_json(folders.sft.record, record | {"model": "another"})
    with pytest.raises(IntegrityError, match="made from another model"):
        with_needs(given, setting, folders, method_spec("ld_dpo"))
    write_json(folders.sft.record, record)
    assert with_needs(given, setting, folders, method_spec("ld_dpo"))
