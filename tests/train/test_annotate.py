"""What methods need to know of each token: the SFT model's own numbers, and nobody else's."""

import pytest
import torch

from plumbline.artifacts import read_json, read_rows, write_json
from plumbline.batches import ANNOTATED
from plumbline.errors import IntegrityError
from plumbline.model.folder import load
from plumbline.plugins import method_spec
from plumbline.schema import Execution
from plumbline.train import base
from plumbline.train.annotate import PASSES, annotate, with_needs
from plumbline.train.reference import examples


@pytest.fixture(scope="module")
def model(setting, folders):
    """The SFT model of the setting, of random weights, and its tokenizer."""
    tokenizer = base.word_tokenizer(base.VOCABULARY)
    base._finish(base.scratch_model(setting.model, tokenizer), tokenizer, folders.sft, {})
    return load(folders.sft.model)


def test_the_workflow_knows_every_pass():
    assert set(ANNOTATED) == set(PASSES)


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
            with torch.no_grad():
                logits = policy(input_ids=torch.tensor([[*item.prompt, *completion]])).logits
            logs = logits.double().log_softmax(-1)[0, len(item.prompt) - 1 : -1]
            expected = logs.gather(1, torch.tensor(completion)[:, None])[:, 0].tolist()
            assert found[item.id, index] == pytest.approx(expected, rel=1e-4)


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
