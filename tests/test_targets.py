"""Which models a job works on, and where their answers and scores lie."""

from pathlib import Path

import pytest
import yaml

from plumbline import config
from plumbline.artifacts import write_json
from plumbline.errors import IntegrityError
from plumbline.layout import SettingFolder
from plumbline.targets import targets


@pytest.fixture
def experiment(repository, tmp_path, monkeypatch):
    """config/test.yaml with two seeds, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    raw = yaml.safe_load((repository / "config" / "test.yaml").read_text())
    return config.parse(raw | {"seeds": [0, 5]})


@pytest.fixture
def folders(experiment) -> SettingFolder:
    return experiment.setting_folders()["small"]


def choose(experiment, folders, method: str, point: str | None) -> Path:
    path = folders.selection(experiment.experiment, method)
    write_json(path, {"setting": folders.name, "method": method, "point": point})
    return path


def test_on_validation_every_run_stands_for_itself(experiment, folders):
    runs = [folders.run("dpo", "beta=0.1", 0), folders.run("dpo", "beta=0.3", 5)]
    found = list(targets(experiment, "validation", [run.record for run in runs]))
    assert [item.run for item in found] == runs
    assert [item.evaluation for item in found] == [run.evaluation() for run in runs]
    assert [(item.method, item.seed, item.name) for item in found] == [
        ("dpo", 0, "dpo-seed0"),
        ("dpo", 5, "dpo-seed5"),
    ]


def test_on_test_a_selection_stands_for_its_point_at_every_seed(experiment, folders):
    """Answers are kept under the selection, since the DAG is drawn before the point is known."""
    found = list(targets(experiment, "test", [choose(experiment, folders, "dpo", "beta=0.3")]))
    assert [item.run for item in found] == [folders.run("dpo", "beta=0.3", seed) for seed in (0, 5)]
    assert [str(item.evaluation.folder) for item in found] == [
        f"results/{folders.name}/selection/test/dpo/seed={seed}" for seed in (0, 5)
    ]
    assert all(item.evaluation.split == "test" for item in found)


def test_a_whole_grid_is_tested_once_a_method_is_selected(experiment, folders):
    whole = experiment.model_copy(update={"tested": "grid"})
    found = list(targets(whole, "test", [choose(whole, folders, "dpo", "beta=0.3")]))
    assert [item.run for item in found] == whole.runs(folders, "dpo")
    assert [item.evaluation for item in found] == whole.test_evaluations(folders, "dpo")
    under = f"results/{folders.name}/selection/test/dpo/grid/beta=0.1/seed=5"
    assert str(found[1].evaluation.folder) == under


@pytest.mark.parametrize("tested", ["selected", "grid"])
def test_nothing_is_tested_before_it_is_selected(experiment, folders, tested):
    asked = experiment.model_copy(update={"tested": tested})
    path = folders.selection("test", "dpo")
    with pytest.raises(IntegrityError, match=rf"{path}.*no test scores before.*snakemake"):
        list(targets(asked, "test", [path]))


def test_sft_is_one_model_whatever_the_seeds(experiment, folders):
    [found] = targets(experiment, "test", [choose(experiment, folders, "sft", "default")])
    assert found.model_folder == folders.sft.model and found.seed == 0


def test_the_weights_lie_with_the_run(experiment, folders):
    run = folders.run("dpo", "beta=0.1", 0)
    [found] = targets(experiment, "validation", [run.record])
    run.model.mkdir(parents=True)
    assert found.model_folder == run.model
    write_json(run.record, {"status": "ok", "model": "abc"})
    assert found.record == {"status": "ok", "model": "abc"}


def test_weights_that_were_removed_are_an_error_with_the_way_back(experiment, folders):
    run = folders.run("dpo", "beta=0.1", 0)
    [found] = targets(experiment, "validation", [run.record])
    with pytest.raises(IntegrityError, match="execution.keep_models") as caught:
        _ = found.model_folder
    assert str(caught.value).startswith(f"{run.folder} has no model")
    assert f"`rm {run.record}` and run again" in str(caught.value)


def test_no_selected_point_is_a_divergence_for_every_seed(experiment, folders):
    found = list(targets(experiment, "test", [choose(experiment, folders, "dpo", None)]))
    assert [item.seed for item in found] == [0, 5]
    assert all(item.run is None for item in found)
    assert all(item.record == {"status": "diverged", "model": None} for item in found)


def test_a_path_that_is_no_record_is_refused(experiment):
    with pytest.raises(IntegrityError, match="somewhere.json"):
        list(targets(experiment, "validation", [Path("somewhere.json")]))
