"""Samples of the reference: drawn once, each with its own noise, and read as a point asks."""

import math

import pytest
import torch

from plumbline import config
from plumbline.artifacts import derive_seed, read_json, read_rows
from plumbline.contracts import DRAWN
from plumbline.errors import IntegrityError
from plumbline.model.folder import load
from plumbline.model.logprobs import Policy
from plumbline.model.sampling import generate
from plumbline.schema import Execution
from plumbline.train import base
from plumbline.train.annotate import annotate, made_from
from plumbline.train.reference import examples, reference
from plumbline.train.run import Bench
from plumbline.train.samples import drawn, room

NEED = "reference_samples"


@pytest.fixture(scope="module")
def model(setting, folders):
    """The SFT model of the setting, of random weights, and its tokenizer."""
    tokenizer = base.word_tokenizer(base.VOCABULARY)
    base._finish(base.scratch_model(setting.model, tokenizer), tokenizer, folders.sft, {})
    reference(setting, folders, "pairs", Execution())
    return load(folders.sft.model)


@pytest.fixture(scope="module")
def given(setting, folders, model):
    return examples(setting, folders, "pairs", model[1])


@pytest.fixture(scope="module")
def rows(setting, folders, given):
    annotate(setting, folders, "pairs", NEED, Execution())
    found = read_rows(folders.annotation("pairs", NEED))
    return {(row["id"], row["index"]): row for row in found}


@pytest.fixture(scope="module")
def chosen(raw, folders, rows) -> config.Experiment:
    """The method at one sample and at four, and on labels of which some are flipped."""
    methods = {"pro_p_samples": {"samples": [1, 4]}}
    methods["noisy"] = {"like": "pro_p_samples", "flip": 0.4}
    return config.parse({**raw, "methods": {**raw["methods"], **methods}})


def test_every_prompt_has_its_samples_and_each_is_drawn_by_itself(setting, model, given, rows):
    """Source: one sample drawn alone, on the noise of its own key."""
    assert set(rows) == {(item.id, index) for item in given for index in range(DRAWN)}
    policy, tokenizer = model
    item, most = given[7], room(given, setting.align)
    [alone] = generate(
        policy, [item.prompt], [f"{item.id}/3"], temperature=1.0, max_new_tokens=most,
        seed=derive_seed("samples", setting.data.seed), end=tokenizer.eos_token_id,
    )  # fmt: skip
    end = [tokenizer.eos_token_id] if alone.finished else []
    assert rows[item.id, 3]["tokens"] == [*alone.ids, *end]
    assert len({tuple(rows[item.id, index]["tokens"]) for index in range(DRAWN)}) > 1


def test_the_log_probability_is_the_references(model, given, rows):
    """Source: full log_softmax of one unpadded row, in float64."""
    item, policy = given[0], model[0]
    for index in (0, DRAWN - 1):
        row = rows[item.id, index]
        with torch.no_grad():
            logits = policy(torch.tensor([[*item.prompt, *row["tokens"]]])).logits
        logs = logits.double().log_softmax(-1)[0, len(item.prompt) - 1 : -1]
        expected = logs.gather(1, torch.tensor(row["tokens"])[:, None])[:, 0]
        assert row["values"] == pytest.approx(expected.tolist(), abs=1e-5)


def test_a_sample_is_no_longer_than_what_is_trained_on(setting, given, rows):
    most = max(len(ids) for item in given for ids in item.completions)
    assert room(given, setting.align) == most
    assert max(len(row["tokens"]) for row in rows.values()) <= most + 1, "the end token is one"
    short = setting.align.model_copy(
        update={"max_tokens": 3 + max(len(item.prompt) for item in given)}
    )
    assert room(given, short) == 3


def test_fewer_examples_have_the_samples_they_had_among_all(setting, model, given, rows):
    policy, end = Policy(model[0]), model[1].eos_token_id
    most = room(given, setting.align)
    for row in drawn(policy, most, end, setting.data.seed, 256, given[5:7]):
        assert row["tokens"] == rows[row["id"], row["index"]]["tokens"]


def test_a_point_has_as_many_samples_as_it_asks_for(chosen, folders, rows):
    """Behind the pair, whichever of it is called chosen."""
    bench = Bench(chosen, folders, "pro_p_samples")
    for count in (1, 4):
        for item in bench.examples_at({"samples": count}):
            assert len(item.completions) == len(item.references) == 2 + count
            samples = [tuple(rows[item.id, index]["tokens"]) for index in range(count)]
            assert list(item.completions[2:]) == samples
    noisy = Bench(chosen, folders, "noisy").examples_at({"samples": 2})
    honest = bench.examples_at({"samples": 2})
    turned = [
        one.completions[:2] != two.completions[:2] for one, two in zip(noisy, honest, strict=True)
    ]
    assert 0 < sum(turned) < len(turned)
    assert all(
        one.completions[2:] == two.completions[2:] for one, two in zip(noisy, honest, strict=True)
    )
    assert len(bench.examples_at({})[0].completions) == 2 + DRAWN, "the default"


def test_a_run_trains_on_them(chosen, folders, setting, rows):
    """(7/2) log 2 at the first step, where policy and reference are one."""
    models = set()
    for point in ("samples=1.0", "samples=4.0"):
        run = folders.run("pro_p_samples", point, 0)
        assert Bench(chosen, folders, "pro_p_samples").train(run) == "ok"
        record = read_json(run.record)
        assert record["parts"][NEED] == made_from(setting, folders, "pairs", NEED)
        models.add(record["model"])
        losses = [row["value"] for row in read_rows(run.dynamics) if row["metric"] == "loss"]
        assert losses[0] == pytest.approx(3.5 * math.log(2), abs=1e-5)
    assert len(models) == 2


def test_behind_a_pair_they_have_the_references_numbers_of_tokens_and_no_others(
    raw, folders, setting, rows
):
    """And a run that reads them starts at log 2 + gamma margin, policy and reference being one."""
    experiment = config.parse(
        raw | {"methods": raw["methods"] | {"ti_dpo": {"gamma": 0.5, "margin": 0.25}}}
    )
    for need in ("token_reference", "token_importance"):
        annotate(setting, folders, "pairs", need, Execution())
    bench = Bench(experiment, folders, "ti_dpo")
    for item in bench.examples_at({})[:5]:
        row = rows[item.id, 0]
        *_, reference = item.annotations["token_reference"]
        *_, importance = item.annotations["token_importance"]
        assert item.completions[2:] == (tuple(row["tokens"]),)
        assert reference == tuple(row["values"]) and not any(importance)
        assert item.references[2] == pytest.approx(sum(row["values"]))
        assert len(importance) == len(reference)
    run = folders.run("ti_dpo", "gamma=0.5,margin=0.25", 0)
    assert bench.train(run) == "ok"
    losses = [row["value"] for row in read_rows(run.dynamics) if row["metric"] == "loss"]
    assert losses[0] == pytest.approx(math.log(2) + 0.125, abs=1e-5)


def test_samples_of_another_model_are_refused(chosen, folders, rows):
    path = folders.annotation("pairs", NEED)
    kept = path.rename(path.with_suffix(".kept"))
    with pytest.raises(IntegrityError, match="reference_samples.parquet was made from another"):
        Bench(chosen, folders, "pro_p_samples").examples_at({})
    kept.rename(path)
