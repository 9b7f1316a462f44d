"""The models that alignment starts from: made, recorded last, and in one chat format."""

import time
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
import torch

from plumbline import chat
from plumbline.artifacts import folder_digest, read_json, read_rows
from plumbline.errors import ConfigError
from plumbline.layout import ModelFolder, SettingFolder
from plumbline.locks import lock
from plumbline.model.folder import load
from plumbline.model.tokenizer import prompt_ids
from plumbline.schema import Execution, PretrainedModel, ScratchModel
from plumbline.train import base


@pytest.fixture(scope="module")
def trained(setting, folders):
    base.pretrain(setting, folders, Execution())
    base.sft(setting, folders, Execution())
    return folders


def test_each_stage_leaves_a_model_and_a_record_of_it(trained):
    for stage in (trained.pretrain, trained.sft):
        record = read_json(stage.record)
        assert record["model"] == folder_digest(stage.model) == base.model_digest(stage)
        assert load(stage.model)[0].config.hidden_size == 16
    assert base.model_digest(trained.pretrain) != base.model_digest(trained.sft)


def test_the_canary_is_kept(trained):
    proof = read_json(trained.pretrain.record)["canary"]
    row = read_rows(trained.data("validation"))[0]
    _, tokenizer = load(trained.pretrain.model)
    assert proof["prompt"] == prompt_ids(tokenizer, row["prompt"])
    assert proof["text"].endswith("<eos>")


def test_equal_seeds_give_equal_weights(setting, trained):
    before = base.model_digest(trained.pretrain)
    base.pretrain(setting, trained, Execution())
    assert base.model_digest(trained.pretrain) == before


def test_a_stage_is_made_by_one_process(setting, folders):
    with ThreadPoolExecutor(1) as pool:
        with lock(folders.sft.folder):
            waiting = pool.submit(base.sft, setting, folders, Execution())
            time.sleep(0.3)
            assert not waiting.done()
        wait([waiting], 60)


def test_without_recipes_the_base_model_is_passed_on(setting, trained):
    """A pretrained model without SFT: both stages only copy."""
    other = SettingFolder("passed")
    other.folder.mkdir()
    (other.folder / "data").symlink_to((trained.folder / "data").resolve())
    pretrained = PretrainedModel(path=str(trained.sft.model))
    bare = setting.model_copy(update={"model": pretrained, "pretrain": None, "sft": None})
    base.pretrain(bare, other, Execution())
    base.sft(bare, other, Execution())
    models = [load(folders.sft.model)[0] for folders in (trained, other)]
    for one, same in zip(*(model.parameters() for model in models), strict=True):
        assert torch.equal(one, same)


def test_a_failed_chat_format_stops_before_training(setting, folders, monkeypatch):
    def refuse(*_):
        raise ConfigError("two formats")

    monkeypatch.setattr(base, "canary", refuse)
    monkeypatch.setattr(base, "fit", lambda *_: pytest.fail("trained all the same"))
    with pytest.raises(ConfigError, match="two formats"):
        base.pretrain(setting, folders, Execution())


def test_a_model_made_here_may_have_another_chat_template():
    """Documents of the data stage are rendered by the same one."""
    other = "{% for message in messages %}[{{ message.content }}]{{ eos_token }}{% endfor %}"
    shape = {"architecture": "gpt_neox", "hidden_size": 16, "layers": 1, "heads": 2}
    choice = ScratchModel(
        **shape, max_positions=64, tokenizer="byte_bpe", vocabulary=300, chat_template=other
    )
    messages = [{"role": "user", "content": "why"}, {"role": "assistant", "content": "so"}]
    said = base._tokenizer(choice, ["why so"]).apply_chat_template(messages, tokenize=False)
    assert said == "[why]<eos>[so]<eos>" == chat.renderer(other)(messages)


def test_demonstrations_or_the_chosen_answers(setting, folders, trained):
    """The HH recipe fine-tunes on chosen completions."""
    shown = list(base._prompts_and_completions("demonstrations", folders))
    assert shown == [(row["prompt"], row["completion"]) for row in read_rows(folders.data("sft"))]
    chosen = list(base._prompts_and_completions("chosen", folders))
    rows = read_rows(folders.data("train"))
    assert chosen == [(row["prompt"], row["completions"][row["chosen"]]) for row in rows]


def test_a_killed_stage_has_no_record(setting, folders, monkeypatch):
    """The record is written last: a model folder without one is not taken for complete."""
    stage = ModelFolder(folders.folder / "elsewhere")
    monkeypatch.setattr(type(folders), "sft", stage)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(base, "write_json", killed)
    with pytest.raises(KeyboardInterrupt):
        base.sft(setting, folders, Execution())
    assert stage.model.is_dir() and not stage.record.exists()
