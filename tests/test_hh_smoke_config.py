"""config/hh_smoke.yaml parses, fits together, and fails in words where its files are absent."""

from pathlib import Path

import pytest

from plumbline import config
from plumbline.cli import tables
from plumbline.data.hh_rlhf import hh_rlhf
from plumbline.data.sources import SOURCES
from plumbline.errors import DataError

SHARED = "../shared/data/"


@pytest.fixture(scope="module")
def experiment(repository):
    return config.read(repository / "config" / "hh_smoke.yaml")


@pytest.fixture(scope="module")
def setting(experiment):
    return experiment.settings["hh_scratch"]


def files(value) -> list[str]:
    """Every path of the file that starts in the shared data."""
    if isinstance(value, dict):
        return [found for item in value.values() for found in files(item)]
    return [value] if isinstance(value, str) and value.startswith(SHARED) else []


def test_every_method_of_the_paper_is_there_at_one_point_and_one_seed(experiment):
    assert list(experiment.methods) == ["sft", "dpo", "kto", "nca", "pro_p", "pro_b"]
    assert all(len(experiment.points(name)) == 1 for name in experiment.methods)
    assert len(experiment.seeds) == 1


def test_no_row_is_longer_than_the_model_can_read(setting):
    room = setting.model.max_positions
    assert setting.align.max_prompt_tokens < setting.align.max_tokens <= room


def test_every_benchmark_leaves_room_for_the_prompt(experiment, setting):
    """Prompts are cut to what the answer leaves of the model's positions."""
    asked = [experiment.options(name) for name in experiment.benchmarks]
    lengths = [
        options[key] for options in asked for key in ("max_new_tokens", "max_gen_toks")
        if key in options
    ]  # fmt: skip
    assert len(lengths) == len(experiment.benchmarks)
    assert all(length < setting.model.max_positions / 2 for length in lengths)


def test_validation_selects_and_test_has_all_benchmarks(experiment):
    assert experiment.benchmarks_on("validation") == ["hh_win_rate"]
    assert experiment.benchmarks_on("test") == ["hh_win_rate", "lm_eval_tasks", "mt_bench"]
    assert experiment.options("lm_eval_tasks")["limit"] >= 200


def test_nothing_in_it_can_pass_for_a_measurement(experiment, setting):
    assert experiment.judge.name == "surface-judge"
    assert "not a measurement" in experiment.report.stamp
    assert tables.stamp(setting) == "scratch model"


def test_toyland_s_cells_are_not_stamped(repository):
    """There, a model made from scratch is what is studied."""
    quickstart = config.read(repository / "config" / "quickstart.yaml")
    assert {tables.stamp(item) for item in quickstart.settings.values()} == {""}


def test_every_file_is_there(experiment, shared_data):
    named = files(experiment.model_dump())
    assert len(named) == 8
    missing = [path for path in named if not (shared_data / path.removeprefix(SHARED)).exists()]
    assert not missing


def test_the_data_give_every_split(setting, shared_data):
    path = shared_data / setting.data.path.removeprefix(SHARED)
    first = next(hh_rlhf(str(path)))
    assert first["prompt"][-1]["role"] == "user" and len(first["completions"]) == 2


def test_absent_data_are_named_with_what_to_do(setting, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="hub name") as caught:
        list(SOURCES[setting.data.source](setting.data.path))
    assert setting.data.path in str(caught.value)


def test_its_comment_says_where_else_the_data_may_come_from(repository):
    text = (repository / "config" / "hh_smoke.yaml").read_text()
    comment = [line for line in text.splitlines() if line.startswith("#")]
    assert any("Anthropic/hh-rlhf" in line for line in comment)
    assert Path("../shared/data").as_posix() in " ".join(comment)
