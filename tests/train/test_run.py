"""One run from its record back: made once, whole, by one process, and diverged as a result."""

import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from plumbline import config
from plumbline.artifacts import folder_digest, read_json, read_rows, write_json
from plumbline.layout import Run, SettingFolder
from plumbline.locks import lock
from plumbline.model.folder import load
from plumbline.model.tokenizer import completion_ids, prompt_ids
from plumbline.plugins import METHODS
from plumbline.schema import Execution
from plumbline.train import base
from plumbline.train import run as stage
from plumbline.train.examples import turned
from plumbline.train.reference import reference
from plumbline.train.run import Bench


def train(experiment: config.Experiment, run: Run) -> str:
    """As a job of one run does it."""
    return Bench(experiment, SettingFolder(run.setting), run.method).train(run)


@pytest.fixture(scope="module")
def started(setting, folders):
    """The setting with an SFT model of random weights and its references."""
    tokenizer = base.word_tokenizer(base.VOCABULARY)
    base._finish(base.scratch_model(setting.model, tokenizer), tokenizer, folders.sft, {})
    for feedback in ("pairs", "singles", "lists"):
        reference(setting, folders, feedback, Execution())
    return folders


@pytest.mark.parametrize(
    ("method", "point", "examples"),
    [
        ("dpo", "beta=0.1", 40),
        ("kto", "default", 80),
        ("pro_s", "default", 40),
    ],
)
def test_a_run_is_made_and_then_current(experiment, started, method, point, examples):
    run = started.run(method, point, 0)
    assert train(experiment, run) == "ok"
    record = read_json(run.record)
    assert record["status"] == "ok" and record["model"] == folder_digest(run.model)
    assert record["examples"] == examples and record["tokens_cut"] == 0
    assert load(run.model)[0].config.hidden_size == 16
    assert not run.work.exists()
    stamp = run.record.stat().st_mtime_ns
    assert train(experiment, run) == "current" and run.record.stat().st_mtime_ns == stamp


def test_what_a_run_logs(experiment, started):
    """40 examples in batches of 16 are two steps; three probe prompts, probed at steps 0 and 2."""
    run = started.run("dpo", "beta=0.1", 0)
    train(experiment, run)
    rows = read_rows(run.dynamics)
    assert [row["step"] for row in rows if row["metric"] == "loss"] == [0, 1]
    assert [row["examples"] for row in rows if row["metric"] == "loss"] == [0, 16]
    answers = read_rows(run.probes)
    assert Counter(row["step"] for row in answers) == {0: 3, 2: 3}
    assert all(len(row["answers"]) == 1 for row in answers)


def made_of(run: Run) -> tuple:
    return read_json(run.record)["model"], read_rows(run.dynamics), read_rows(run.probes)


def test_equal_parts_make_equal_bytes(experiment, started):
    run = started.run("dpo", "beta=0.1", 0)
    train(experiment, run)
    before = read_json(run.record)["model"], read_rows(run.dynamics), read_rows(run.probes)
    run.record.unlink()
    assert train(experiment, run) == "ok"
    assert before == (
        read_json(run.record)["model"],
        read_rows(run.dynamics),
        read_rows(run.probes),
    )


def test_a_control_is_a_run_of_its_own_on_other_labels(raw, experiment, started):
    """The method's runs do not notice; a control whose labels are changed is trained again."""
    honest = started.run("dpo", "beta=0.1", 0)
    train(experiment, honest)
    assert "labels" not in read_json(honest.record)["parts"]
    run, said = started.run("control", "beta=0.1", 0), []
    for labels in ("flipped", "flipped", "random"):
        control = {"like": "dpo", "labels": labels}
        chosen = config.parse({**raw, "methods": {**raw["methods"], "control": control}})
        said.append(train(chosen, run))
        assert read_json(run.record)["parts"]["labels"] == labels
        assert train(chosen, honest) == "current"
    assert said == ["ok", "current", "ok"]
    [first, *_] = (row for row in read_rows(run.dynamics) if row["metric"] == "loss")
    assert first["value"] == pytest.approx(math.log(2)), "references went with their completions"
    assert read_json(run.record)["model"] != read_json(honest.record)["model"]


def test_flipped_labels_are_part_of_what_a_run_is_made_from(raw, experiment, started):
    noisy = {"like": "dpo", "flip": 0.3}
    chosen = config.parse({**raw, "methods": {**raw["methods"], "noisy": noisy}})
    bench, honest = Bench(chosen, started, "noisy"), Bench(experiment, started, "dpo")
    assert {**honest.parts(), "flip": 0.3} == bench.parts()
    pairs = list(zip(bench.examples, honest.examples, strict=True))
    wrong = [one for one, other in pairs if one == turned(other)]
    assert 0 < len(wrong) < len(pairs)
    assert all(one == other for one, other in pairs if one not in wrong)


def test_points_and_seeds_make_different_models(experiment, started):
    runs = [("beta=0.1", 0), ("beta=0.3", 0), ("beta=0.1", 1)]
    found = []
    for point, seed in runs:
        train(experiment, started.run("dpo", point, seed))
        found.append(read_json(started.run("dpo", point, seed).record)["model"])
    assert len(set(found)) == 3


@pytest.mark.parametrize("part", ["engine", "method", "model", "data"])
def test_other_parts_make_it_again(experiment, started, part):
    run = started.run("dpo", "beta=0.1", 0)
    train(experiment, run)
    record = read_json(run.record)
    write_json(run.record, record | {"parts": record["parts"] | {part: "another"}})
    assert train(experiment, run) == "ok" and read_json(run.record)["parts"] == record["parts"]


def test_a_run_is_made_by_one_process(experiment, started):
    """Another job holds it and ends well: this one waits, and finds nothing to do."""
    run, parts = started.run("dpo", "beta=0.3", 1), Bench(experiment, started, "dpo").parts()
    with ThreadPoolExecutor(1) as pool:
        with lock(run.folder):
            waiting = pool.submit(train, experiment, run)
            write_json(run.record, {"parts": parts, "status": "ok"})
        assert waiting.result(60) == "current"
    assert not run.model.exists()


def test_a_killed_run_has_no_record(experiment, started, monkeypatch):
    """It was current before: a record of other parts must not outlive its model."""
    run = started.run("dpo", "beta=0.1", 0)
    train(experiment, run)
    write_json(run.record, read_json(run.record) | {"parts": {}})

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(stage, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        train(experiment, run)
    assert not run.record.exists()


def test_sft_is_a_run_without_training(experiment, started):
    run = started.run("sft", "default", 0)
    assert train(experiment, run) == "ok"
    assert read_json(run.record)["model"] == base.model_digest(started.sft)
    assert not run.model.exists() and train(experiment, run) == "current"


@pytest.fixture
def poisoned(raw, tmp_path):
    """The experiment with a method whose second batch is not a number."""
    source = (METHODS / "dpo.py").read_text().replace("def dpo(", "def poison(")
    result = "return -logsigmoid(margin)"
    assert result in source
    count = "CALLS.append(1)\n    "
    sick = f"{count}{result} + (float('nan') if len(CALLS) == 2 else 0)"
    (tmp_path / "poison.py").write_text(source.replace(result, sick) + "\n\nCALLS = []\n")
    methods = raw["methods"] | {"poison": {"beta": 0.5}}
    return config.parse(raw | {"methods": methods, "method_paths": [str(tmp_path)]})


def test_a_diverged_run_is_a_result(poisoned, started):
    run = started.run("poison", "beta=0.5", 0)
    run.model.mkdir(parents=True)
    (run.model / "stale").write_text("of an earlier recipe")
    assert train(poisoned, run) == "diverged"
    record = read_json(run.record)
    assert (record["status"], record["model"]) == ("diverged", None)
    assert record["step"] == 1 and len(record["examples"]) == 16
    assert not run.model.exists() and not run.work.exists()
    logged = [row for row in read_rows(run.dynamics) if row["metric"] == "loss"]
    assert [row["step"] for row in logged] == [0], "the log up to there is kept"
    assert {row["step"] for row in read_rows(run.probes)} == {0}
    assert train(poisoned, run) == "current", "it is not tried again"


def test_cut_tokens_are_counted(raw, started, folders):
    """Completions of one token at most: everything else is cut, and counted."""
    small = raw["settings"]["small"]
    align = small["align"] | {"max_prompt_tokens": 4, "max_tokens": 5, "probe_benchmark": None}
    experiment = config.parse(raw | {"settings": {"small": {**small, "align": align}}})
    made = experiment.setting_folders()["small"]
    made.folder.mkdir()
    for part in ("data", "sft"):
        (made.folder / part).symlink_to((folders.folder / part).resolve())
    reference(experiment.settings["small"], made, "pairs", Execution())
    run = made.run("dpo", "beta=0.1", 0)
    assert train(experiment, run) == "ok"
    tokenizer = load(started.sft.model)[1]
    expected = 0
    for row in read_rows(folders.data("train")):
        expected += len(prompt_ids(tokenizer, row["prompt"])) - 4
        for side in ("chosen", "rejected"):
            expected += len(completion_ids(tokenizer, row["completions"][row[side]])) - 1
    assert read_json(run.record)["tokens_cut"] == expected


# How a model is trained


@pytest.fixture
def recipe(raw, folders, started):
    """The experiment with changes to its alignment or execution, on the same data and SFT model."""

    def make(align: dict, execution: dict) -> dict[str, torch.Tensor]:
        small = raw["settings"]["small"]
        changed = small | {"align": small["align"] | align}
        experiment = config.parse(raw | {"settings": {"small": changed}, "execution": execution})
        made = experiment.setting_folders()["small"]
        made.folder.mkdir(exist_ok=True)
        for part in ("data", "sft"):
            if not (made.folder / part).exists():
                (made.folder / part).symlink_to((folders.folder / part).resolve())
        reference(experiment.settings["small"], made, "pairs", Execution())
        run = made.run("dpo", "beta=0.1", 0)
        run.record.unlink(missing_ok=True)
        assert train(experiment, run) == "ok"
        return load(run.model)[0].state_dict()

    return make


def distance(one: dict, other: dict) -> float:
    return sum((one[name] - item).norm() ** 2 for name, item in other.items()) ** 0.5


def test_an_adapter_is_trained_and_merged(recipe, started):
    """The reference file is the SFT model's own: no second model takes part."""
    found = recipe({"adapter": {"rank": 2, "dropout": 0.1}}, {})
    start = load(started.sft.model)[0].state_dict()
    changed = {name for name, item in start.items() if not torch.equal(item, found[name])}
    assert found.keys() == start.keys()
    assert changed and all("dense" in name or "query_key" in name for name in changed)


@pytest.mark.parametrize("execution", [{"gradient_checkpointing": True}, {"micro_batch": 2}])
def test_how_it_is_run_hardly_changes_a_model(recipe, started, execution):
    plain, found = recipe({}, {}), recipe({}, execution)
    moved = distance(load(started.sft.model)[0].state_dict(), plain)
    assert distance(found, plain) < 1e-3 * moved


def test_bf16_trains_float32_weights(recipe, started):
    """Near the float32 run, and not on it."""
    plain, found = recipe({}, {}), recipe({"precision": "bf16"}, {})
    moved = distance(load(started.sft.model)[0].state_dict(), plain)
    assert all(item.dtype == torch.float32 for item in found.values())
    assert 1e-4 * moved < distance(found, plain) < moved
