"""Model folders: made from a seed, saved whole, loaded as they were."""

import os

import pytest
import torch
from transformers import GenerationConfig

from plumbline.artifacts import folder_digest
from plumbline.errors import IntegrityError
from plumbline.model import folder
from plumbline.model.logprobs import Policy, sequence_logprobs
from plumbline.model.sampling import generate
from plumbline.model.tokenizer import prompt_ids
from plumbline.schema import PretrainedModel, ScratchModel

CHOICE = ScratchModel(
    architecture="gpt_neox",
    hidden_size=16,
    layers=1,
    heads=2,
    max_positions=64,
    tokenizer="toyland",
)
GROUPS = [([2, 9, 3], [[12, 1]]), ([2, 10, 11, 3], [[13, 14, 1]])]
PROMPTS = [prompt for prompt, _ in GROUPS]


@pytest.fixture
def saved(words, tmp_path):
    model = folder.scratch_model(CHOICE, words)
    folder.save(model, words, tmp_path / "model")
    return model, tmp_path / "model"


def weights(model) -> torch.Tensor:
    return torch.cat([item.detach().flatten() for item in model.parameters()])


def test_the_config_is_what_was_asked_for(words):
    config = folder.scratch_model(CHOICE, words).config
    assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (16, 1, 2)
    assert (config.vocab_size, config.max_position_embeddings) == (len(words), 64)
    assert (config.eos_token_id, config.pad_token_id) == (words.eos_token_id, words.pad_token_id)


def test_weights_depend_on_the_models_seed_alone(words):
    first = weights(folder.scratch_model(CHOICE, words))
    torch.rand(3)  # another state of the global generator
    assert torch.equal(weights(folder.scratch_model(CHOICE, words)), first)
    other = CHOICE.model_copy(update={"seed": 1})
    assert not torch.equal(weights(folder.scratch_model(other, words)), first)


def test_a_saved_model_comes_back(saved, words):
    model, path = saved
    again, tokenizer = folder.load(path)
    assert torch.equal(weights(again), weights(model)) and again.dtype == torch.float32
    assert sequence_logprobs(Policy(again), GROUPS) == sequence_logprobs(
        Policy(model.eval()), GROUPS
    )
    prompt = [{"role": "user", "content": "w"}]
    assert prompt_ids(tokenizer, prompt) == prompt_ids(words, prompt)


def test_saving_again_replaces_the_whole_folder(saved, words):
    model, path = saved
    before = folder_digest(path)
    (path / "stale.bin").write_text("left by another version")
    folder.save(model, words, path)
    assert folder_digest(path) == before, "equal models have equal digests"
    assert [item.name for item in path.parent.iterdir()] == ["model"]


def test_a_save_that_fails_leaves_the_old_folder(saved, words, monkeypatch):
    model, path = saved
    before = folder_digest(path)

    def fail(*_, **__):
        raise OSError("the disk is full")

    monkeypatch.setattr(type(words), "save_pretrained", fail)
    with pytest.raises(OSError, match="disk is full"):
        folder.save(model, words, path)
    assert folder_digest(path) == before


def test_a_pretrained_model_takes_the_configs_template(saved):
    _, path = saved
    model, tokenizer = folder.load_pretrained(PretrainedModel(path=str(path)))
    assert tokenizer.chat_template and model.dtype == torch.float32
    choice = PretrainedModel(path=str(path), chat_template="mine", dtype="bfloat16")
    model, tokenizer = folder.load_pretrained(choice)
    assert tokenizer.chat_template == "mine" and model.dtype == torch.bfloat16


def test_decoding_settings_that_come_with_a_model_are_dropped(saved):
    """Source: transformers fills whatever a call leaves open from the model's own settings."""
    model, path = saved
    asked = {"temperature": 0.0, "max_new_tokens": 12, "seed": 0, "end": 1}
    plain = generate(model, PROMPTS, ["a", "b"], **asked)
    GenerationConfig(repetition_penalty=9.0, no_repeat_ngram_size=1).save_pretrained(path)
    kept, _ = folder.load(path)
    assert generate(kept, PROMPTS, ["a", "b"], **asked) != plain, "the settings have an effect"
    loaded, _ = folder.load_pretrained(PretrainedModel(path=str(path)))
    assert generate(loaded, PROMPTS, ["a", "b"], **asked) == plain


def test_truncated_weights_are_an_error_that_says_what_to_remove(saved):
    """By hand: a stage's model is made again once its record is gone."""
    path = saved[1] / "model.safetensors"
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(
        IntegrityError, match=rf"no whole weights .*`rm {path.parent.parent}/record"
    ):
        folder.load(saved[1])
