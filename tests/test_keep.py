"""Models leave the disk when nobody needs them, and nothing else does."""

from pathlib import Path

import pytest
import yaml

from plumbline import config, keep
from plumbline.artifacts import write_json
from plumbline.config import Experiment
from plumbline.errors import IntegrityError
from plumbline.layout import Run, SettingFolder
from plumbline.targets import targets

SEEDS = [0, 5]
BESIDE = ["run.json", "dynamics.parquet", "scores/toyland/validation/rows.parquet"]


@pytest.fixture
def experiment(repository, tmp_path, monkeypatch):
    """Make config/test.yaml with DPO at three points and two seeds, keeping as told."""
    monkeypatch.chdir(tmp_path)
    raw = yaml.safe_load((repository / "config" / "test.yaml").read_text())
    grid = {"dpo": {"beta": [0.1, 0.3, 1.0]}, "sft": {}}

    def make(keep_models: str, name: str = "mine") -> Experiment:
        more = {"experiment": name, "methods": grid, "grid_points": 3, "seeds": SEEDS}
        return config.parse(raw | more | {"execution": {"keep_models": keep_models}})

    return make


@pytest.fixture
def folders(experiment) -> SettingFolder:
    """The setting, with a trained run at every point and seed."""
    mine = experiment("all")
    setting = mine.setting_folders()["small"]
    for run in mine.runs(setting, "dpo"):
        fill(run)
    write(setting.sft.model / "model.safetensors")
    return setting


def fill(run: Run) -> None:
    for path in [run.model / "model.safetensors", *(run.folder / name for name in BESIDE)]:
        write(path)


def write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")


def choose(folders: SettingFolder, experiment: str, point: str | None, method="dpo") -> Path:
    path = folders.selection(experiment, method)
    write_json(path, {"setting": folders.name, "method": method, "point": point})
    return path


def models(folders: SettingFolder) -> set[str]:
    """The points that still have a model at both seeds; the seeds of a point never part."""
    found = {}
    for path in folders.folder.glob("runs/dpo/*/*/model/model.safetensors"):
        found.setdefault(path.parts[-4], set()).add(path.parts[-3])
    assert all(seeds == {f"seed={seed}" for seed in SEEDS} for seeds in found.values())
    return set(found)


def after_selection(experiment: Experiment, folders: SettingFolder) -> None:
    keep.remove_models(keep.unselected(experiment, folders, "dpo"))


def after_test(experiment: Experiment, paths: list[Path]) -> None:
    keep.remove_models(keep.tested(experiment, targets(experiment, "test", paths)))


def test_all_keeps_all(experiment, folders):
    path = choose(folders, "mine", "beta=0.3")
    after_selection(experiment("all"), folders)
    after_test(experiment("all"), [path])
    assert models(folders) == {"beta=0.1", "beta=0.3", "beta=1.0"}


@pytest.mark.parametrize("choice", ["selected", "none"])
def test_what_was_not_selected_goes_and_everything_beside_it_stays(
    experiment, folders, choice, capsys
):
    choose(folders, "mine", "beta=0.3")
    after_selection(experiment(choice), folders)
    assert models(folders) == {"beta=0.3"}
    assert capsys.readouterr().out.count("removed ") == 4
    for run in experiment(choice).runs(folders, "dpo"):
        assert all((run.folder / name).is_file() for name in BESIDE)
        assert {path.name for path in run.folder.iterdir()} <= {
            "model",
            *(name.split("/")[0] for name in BESIDE),
        }


def test_the_selection_of_any_experiment_keeps_a_model(experiment, folders):
    choose(folders, "mine", "beta=0.3")
    choose(folders, "theirs", "beta=1.0")
    choose(folders, "hers", None)
    choose(folders, "theirs", "beta=0.1", method="kto")
    after_selection(experiment("selected"), folders)
    assert models(folders) == {"beta=0.3", "beta=1.0"}


def test_runs_that_are_not_of_this_experiment_stay(experiment, folders):
    """Another experiment with a wider grid may not have selected yet."""
    for seed in SEEDS:
        fill(folders.run("dpo", "beta=9.0", seed))
    choose(folders, "mine", "beta=0.3")
    after_selection(experiment("selected"), folders)
    assert models(folders) == {"beta=0.3", "beta=9.0"}


def test_where_no_point_could_be_selected_no_model_is_kept(experiment, folders):
    choose(folders, "mine", None)
    after_selection(experiment("selected"), folders)
    assert models(folders) == set()


def test_under_selected_a_tested_model_stays(experiment, folders):
    after_test(experiment("selected"), [choose(folders, "mine", "beta=0.3")])
    assert "beta=0.3" in models(folders)


@pytest.mark.parametrize(("choice", "left"), [("selected", {"beta=0.3"}), ("none", set())])
def test_a_whole_grid_keeps_its_models_until_it_is_tested(experiment, folders, choice, left):
    whole = experiment(choice).model_copy(update={"tested": "grid"})
    path = choose(folders, "mine", "beta=0.3")
    after_selection(whole, folders)
    assert models(folders) == {"beta=0.1", "beta=0.3", "beta=1.0"}
    after_test(whole, [path])
    assert models(folders) == left


def test_under_none_a_tested_model_goes(experiment, folders):
    path = choose(folders, "mine", "beta=0.3")
    after_test(experiment("none"), [path])
    assert models(folders) == {"beta=0.1", "beta=1.0"}, "the others went, or go, when selected"


def test_under_none_a_tested_model_that_another_experiment_chose_stays(experiment, folders):
    path = choose(folders, "mine", "beta=0.3")
    choose(folders, "theirs", "beta=0.3")
    after_test(experiment("none"), [path])
    assert "beta=0.3" in models(folders)


def test_the_sft_model_stays(experiment, folders):
    none = experiment("none")
    paths = [choose(folders, "mine", "default", method="sft"), choose(folders, "mine", None)]
    keep.remove_models(keep.unselected(none, folders, "sft"))
    after_test(none, paths)
    assert (folders.sft.model / "model.safetensors").is_file()


def test_removing_twice_or_after_a_removal_that_was_killed(experiment, folders):
    """A killed removal leaves a part under another name, never half a model under its own."""
    run = folders.run("dpo", "beta=0.1", 0)
    left = run.folder / ".model.leaving"
    write(left / "part")
    keep.remove_models([run])
    assert not left.exists() and not run.model.exists()
    write(left / "part")
    keep.remove_models([run, run])
    assert not left.exists()


def test_a_torn_selection_removes_nothing(experiment, folders):
    choose(folders, "mine", "beta=0.3")
    folders.selection("theirs", "dpo").parent.mkdir(parents=True)
    folders.selection("theirs", "dpo").write_text("{")
    with pytest.raises(IntegrityError, match="theirs"):
        after_selection(experiment("selected"), folders)
    assert len(models(folders)) == 3


def test_it_is_no_part_of_a_setting_and_has_three_values(experiment):
    names = {choice: experiment(choice).setting_folders() for choice in ("all", "selected", "none")}
    assert names["all"] == names["selected"] == names["none"]
    with pytest.raises(config.ConfigError, match="execution.keep_models.*'some'"):
        experiment("some")
