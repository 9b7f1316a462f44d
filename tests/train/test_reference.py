"""The reference pass: the SFT model's log-probabilities, and nobody else's."""

import pytest
import torch

from plumbline import config, schema
from plumbline.artifacts import read_json, read_rows, write_json, write_rows, write_vectors
from plumbline.data.build import build
from plumbline.errors import DataError, IntegrityError
from plumbline.layout import parts
from plumbline.model.folder import load
from plumbline.rows import REFERENCE
from plumbline.schema import Execution
from plumbline.train import base
from plumbline.train import reference as stage
from plumbline.train.examples import with_traceless
from plumbline.train.reference import (
    examples,
    reference,
    referenced_examples,
    with_labels,
    with_prompts,
)


@pytest.fixture(scope="module")
def model(setting, folders):
    """The SFT model of the setting, of random weights, and its tokenizer."""
    tokenizer = base.word_tokenizer(base.VOCABULARY)
    policy = base.scratch_model(setting.model, tokenizer)
    base._finish(policy, tokenizer, folders.sft, {})
    return load(folders.sft.model)


@pytest.mark.parametrize("feedback", ["pairs", "singles", "lists"])
def test_log_probabilities_are_the_models_own(setting, folders, model, feedback):
    """Source: full log_softmax, row by row."""
    reference(setting, folders, feedback, Execution())
    policy, tokenizer = model
    found = referenced_examples(setting, folders, feedback, tokenizer)
    assert len(found) == 40 * (2 if feedback == "singles" else 1)
    for example in found[:5]:
        expected = []
        prompt, completions = example.whole
        for completion in completions:
            with torch.no_grad():
                logits = policy(input_ids=torch.tensor([[*prompt, *completion]])).logits
            logs = logits.double().log_softmax(-1)[0, len(prompt) - 1 : -1]
            picked = logs.gather(1, torch.tensor(completion)[:, None])
            expected.append(picked.sum().item())
        count = len(example.completions)
        assert example.references == pytest.approx(expected[:count], rel=1e-5)
        if feedback == "singles":
            assert example.mismatched_reference == pytest.approx(expected[count], rel=1e-5)


def test_rows_count_their_tokens(setting, folders, model):
    reference(setting, folders, "pairs", Execution())
    rows = {(row["id"], row["index"]): row for row in read_rows(folders.reference("pairs"))}
    for example in examples(setting, folders, "pairs", model[1]):
        for index, completion in enumerate(example.completions):
            assert rows[example.id, index]["tokens"] == len(completion)


def test_other_labels_share_the_reference_file(setting, folders, model):
    """Every pair is turned, its log-probabilities with it; no pass is made again."""
    reference(setting, folders, "pairs", Execution())
    own = referenced_examples(setting, folders, "pairs", model[1])
    turned = with_labels(own, setting, folders, "pairs", {"labels": "flipped"})
    for one, other in zip(own, turned, strict=True):
        assert other.completions == one.completions[::-1]
        assert other.references == one.references[::-1]
        assert (other.id, other.prompt, other.length) == (one.id, one.prompt, one.length)
    drawn = with_labels(own, setting, folders, "pairs", {"labels": "random"})
    assert 8 < sum(one == other for one, other in zip(own, drawn, strict=True)) < 32


def edited(raw: dict, **align) -> schema.Setting:
    small = raw["settings"]["small"]
    changed = {**small, "align": {**small["align"], **align}}
    return config.parse({**raw, "settings": {"small": changed}}).settings["small"]


def refused(setting, folders, feedback, tokenizer) -> None:
    with pytest.raises(IntegrityError, match=f"{feedback}.parquet was made from another"):
        referenced_examples(setting, folders, feedback, tokenizer)


def test_another_models_reference_is_refused(setting, folders, model):
    reference(setting, folders, "pairs", Execution())
    record = read_json(folders.sft.record)
    write_json(folders.sft.record, record | {"model": "another"})
    refused(setting, folders, "pairs", model[1])
    write_json(folders.sft.record, record)
    assert referenced_examples(setting, folders, "pairs", model[1])


def test_other_datas_reference_is_refused(setting, folders, model):
    reference(setting, folders, "pairs", Execution())
    record = read_json(folders.data_record)
    splits = record["splits"] | {"train": record["splits"]["train"] | {"digest": "another"}}
    write_json(folders.data_record, record | {"splits": splits})
    refused(setting, folders, "pairs", model[1])
    write_json(folders.data_record, record)


@pytest.mark.parametrize(
    "change",
    [
        {"max_prompt_tokens": 9},
        {"max_tokens": 40},
        {"responses": 3},
        {"precision": "bf16"},
    ],
)
def test_another_truncations_reference_is_refused(raw, setting, folders, model, change):
    reference(setting, folders, "lists", Execution())
    refused(edited(raw, **change), folders, "lists", model[1])


def test_an_unmarked_or_absent_reference_is_refused(setting, folders, model):
    folders.reference("pairs").unlink(missing_ok=True)
    refused(setting, folders, "pairs", model[1])
    write_rows(folders.reference("pairs"), [], REFERENCE)
    refused(setting, folders, "pairs", model[1])


def test_what_does_not_decide_it_keeps_it(raw, setting, folders, model):
    reference(setting, folders, "pairs", Execution())
    assert referenced_examples(edited(raw, learning_rate=0.5), folders, "pairs", model[1])


@pytest.mark.parametrize("feedback", ["pairs", "singles"])
def test_a_pass_that_is_interrupted_goes_on(setting, folders, model, feedback, monkeypatch):
    """Parts of 16 examples: the third is never come to; those before it are not computed again."""
    monkeypatch.setattr(stage, "PART", 16)
    folders.reference(feedback).unlink(missing_ok=True)  # as Snakemake does
    reference(setting, folders, feedback, Execution())
    expected = folders.reference(feedback).read_bytes()
    folders.reference(feedback).unlink()
    computed, plain = [], stage.sequence_logprobs

    def counted(policy, groups):
        if len(computed) == 2:
            raise KeyboardInterrupt
        computed.append(len(groups))
        return plain(policy, groups)

    monkeypatch.setattr(stage, "sequence_logprobs", counted)
    with pytest.raises(KeyboardInterrupt):
        reference(setting, folders, feedback, Execution())
    assert not folders.reference(feedback).exists() and computed == [16, 16]
    monkeypatch.setattr(
        stage, "sequence_logprobs", lambda *given: computed.append(0) or plain(*given)
    )
    reference(setting, folders, feedback, Execution())
    assert folders.reference(feedback).read_bytes() == expected
    assert len(computed) == {"pairs": 3, "singles": 5}[feedback]
    assert not parts(folders.reference(feedback)).exists()


def test_parts_of_another_model_are_not_gone_on_from(setting, folders, model, monkeypatch):
    reference(setting, folders, "pairs", Execution())
    expected = folders.reference("pairs").read_bytes()
    stray = parts(folders.reference("pairs")) / "0.parquet"
    write_rows(stray, [], REFERENCE, {"model": "another"})
    reference(setting, folders, "pairs", Execution())
    assert folders.reference("pairs").read_bytes() == expected


def test_every_method_and_point_reads_the_same_file(experiment, folders):
    """Only the feedback decides: nothing of a method is in the fingerprint."""
    made_from = stage.fingerprint(experiment.settings["small"], folders, "pairs")
    assert made_from.keys() == {
        *("engine", "feedback", "model", "data", "seed", "precision", "quantize", "truncation")
    }


@pytest.mark.parametrize("feedback", ["pairs", "singles"])
def test_embeddings_are_the_models_own(setting, folders, model, feedback):
    """Source: the mean of the model's last hidden states over one prompt's tokens."""
    reference(setting, folders, feedback, Execution())
    stage.embeddings(setting, folders, feedback, Execution())
    policy, tokenizer = model
    given = examples(setting, folders, feedback, tokenizer)
    found = with_prompts(given, setting, folders, feedback, ("embedding",))
    for example in found[:5]:
        with torch.no_grad():
            output = policy(input_ids=torch.tensor([example.prompt]), output_hidden_states=True)
        expected = output.hidden_states[-1][0].mean(0)
        torch.testing.assert_close(example.embedding, expected, rtol=1e-4, atol=1e-5)
        assert example.propensity is None


def test_each_prompt_is_embedded_once(setting, folders, model, monkeypatch):
    """The two singles of a pair have one."""
    given, plain = [], stage.mean_hidden

    def counted(policy, prompts):
        given.extend(prompts)
        return plain(policy, prompts)

    monkeypatch.setattr(stage, "mean_hidden", counted)
    stage.embeddings(setting, folders, "singles", Execution())
    assert len(given) == len(set(given)) <= 40


def test_propensities_come_with_their_need(setting, folders, model):
    """A prompt that has a response of each label is as likely one's as the other's."""
    reference(setting, folders, "singles", Execution())
    stage.embeddings(setting, folders, "singles", Execution())
    given = examples(setting, folders, "singles", model[1])
    found = with_prompts(given, setting, folders, "singles", ("propensity",))
    assert [item.propensity for item in found] == pytest.approx([0.5] * 80, abs=0.01)


def test_who_asks_for_no_embeddings_waits_for_none(setting, folders, model):
    reference(setting, folders, "lists", Execution())
    given = examples(setting, folders, "lists", model[1])
    found = with_prompts(given, setting, folders, "lists", ("reference", "label"))
    assert found[0].embedding is None and not folders.embeddings("lists").exists()


def test_another_models_embeddings_are_refused(setting, folders, model):
    reference(setting, folders, "pairs", Execution())
    write_vectors(folders.embeddings("pairs"), {"a": torch.zeros(2).numpy()}, {"model": "another"})
    with pytest.raises(IntegrityError, match=r"embeddings/pairs.parquet was made from another"):
        with_prompts([], setting, folders, "pairs", ("embedding",))


TRACES = {"source": "toyland_traces", "documents": 30, "demonstrations": 20, "pairs": 12}


@pytest.fixture
def traced(raw, model, folders, tmp_path, monkeypatch):
    """A setting whose completions have traces, in a folder of its own, with the same SFT model."""
    sft = folders.sft.folder.resolve()
    small = raw["settings"]["small"] | {"data": TRACES | {"validation": 6, "test": 6}}
    setting = config.parse(raw | {"settings": {"small": small}}).settings["small"]
    monkeypatch.chdir(tmp_path)
    made = setting.folder("small")
    write_json(made.data_record, build(setting.data, made.data_record.parent))
    made.sft.folder.symlink_to(sft)
    return setting, made


def test_pairs_without_traces_come_with_their_need(traced, model):
    """Source: full log_softmax, row by row; texts cut by hand at the word `end`."""
    setting, folders = traced
    policy, tokenizer = model
    reference(setting, folders, "pairs", Execution())
    reference(setting, folders, "traceless", Execution())
    given = referenced_examples(setting, folders, "pairs", tokenizer)
    others = referenced_examples(setting, folders, "traceless", tokenizer)
    found = with_traceless(given, others)
    rows = read_rows(folders.data("train"))
    assert len(found) == len(rows) == 12
    for example, row in zip(found, rows, strict=True):
        texts = [row["completions"][row[side]] for side in ("chosen", "rejected")]
        texts += [text.split(" end ")[-1] for text in texts]
        assert [tokenizer.decode(ids[:-1]) for ids in example.completions] == texts
        for ids, value in zip(example.completions, example.references, strict=True):
            with torch.no_grad():
                logits = policy(input_ids=torch.tensor([[*example.prompt, *ids]])).logits
            logs = logits.double().log_softmax(-1)[0, len(example.prompt) - 1 : -1]
            expected = logs.gather(1, torch.tensor(ids)[:, None]).sum().item()
            assert value == pytest.approx(expected, rel=1e-5)


def test_who_asks_for_no_pairs_without_traces_waits_for_none(traced, model):
    setting, folders = traced
    reference(setting, folders, "pairs", Execution())
    found = referenced_examples(setting, folders, "pairs", model[1])
    assert {len(item.completions) for item in found} == {2}
    assert not folders.reference("traceless").exists()
    with pytest.raises(IntegrityError, match="traceless.parquet was made from another"):
        referenced_examples(setting, folders, "traceless", model[1])


def test_data_without_traces_are_told(setting, folders, model):
    with pytest.raises(DataError, match=r"none contains 'end'; data.trace_end .*toyland_traces"):
        reference(setting, folders, "traceless", Execution())
