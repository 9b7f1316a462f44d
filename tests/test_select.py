"""Each method's point is the best on validation: by direction, ties first, diverged runs never."""

import pytest
import yaml

from plumbline import config, layout
from plumbline.artifacts import read_json, write_rows
from plumbline.layout import SettingFolder
from plumbline.rows import RESULT
from plumbline.select import select

BETAS = [0.1, 0.3, 1.0]


@pytest.fixture
def choose(repository, tmp_path, monkeypatch):
    """Select dpo's point among BETAS, given the validation value of each point and seed."""
    monkeypatch.chdir(tmp_path)
    raw = yaml.safe_load((repository / "config" / "test.yaml").read_text())

    def run(values: list[list[float | None]], metric: str = "win_rate", seeds=(0, 5)) -> dict:
        choice = raw["select"] | {"metric": metric}
        grid = {"dpo": {"beta": BETAS}, "sft": {}}
        more = {"methods": grid, "grid_points": 3, "seeds": list(seeds), "select": choice}
        experiment = config.parse(raw | more)
        folders = experiment.setting_folders()["small"]
        for beta, row in zip(BETAS, values, strict=True):
            for seed, value in zip(seeds, row, strict=True):
                status = "diverged" if value is None else "ok"
                rows = [
                    {"metric": metric, "value": value, "status": status},
                    {"metric": "help", "value": 1000 * beta, "status": "ok"},
                ]
                where = folders.run("dpo", f"beta={beta}", seed).evaluation()
                write_rows(where.rows("toyland"), rows, RESULT)
        select(experiment, folders, "dpo")
        return read_json(folders.selection("test", "dpo"))

    return run


def test_the_highest_mean_over_seeds_by_hand(choose):
    """Means 50, 55, 54: neither the best single seed (90) nor the worst decides."""
    found = choose([[10.0, 90.0], [54.0, 56.0], [53.0, 55.0]])
    assert found["point"] == "beta=0.3" and found["better"] == "higher"
    assert [item["value"] for item in found["candidates"]] == [50.0, 55.0, 54.0]
    assert [item["seeds"] for item in found["candidates"]][0] == [10.0, 90.0]
    assert [item["point"] for item in found["candidates"]] == ["beta=0.1", "beta=0.3", "beta=1.0"]


def test_the_lowest_where_lower_is_better(choose):
    """toyland's harm is declared as lower is better."""
    found = choose([[3.0, 3.0], [1.0, 2.0], [2.0, 2.0]], metric="harm")
    assert (found["point"], found["better"], found["metric"]) == ("beta=0.3", "lower", "harm")


def test_a_zero_is_a_value(choose):
    assert choose([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]], metric="harm")["point"] == "beta=0.1"
    assert choose([[0.0, 0.0], [None, 1.0], [None, None]])["point"] == "beta=0.1"


@pytest.mark.parametrize("metric", ["win_rate", "harm"])
def test_equal_points_are_decided_by_the_grid(choose, metric):
    assert choose([[7.0, 7.0], [6.0, 8.0], [7.0, 7.0]], metric=metric)["point"] == "beta=0.1"


def test_a_point_with_a_diverged_seed_is_no_candidate(choose):
    found = choose([[None, 99.0], [40.0, 40.0], [39.0, 41.0]])
    assert found["point"] == "beta=0.3"
    assert found["candidates"][0] == {"point": "beta=0.1", "seeds": [None, 99.0], "value": None}


def test_where_all_diverged_no_point_is_selected(choose):
    found = choose([[None, None], [None, 1.0], [2.0, None]])
    assert found["point"] is None and len(found["candidates"]) == 3


def test_the_selection_says_where_it_comes_from(choose):
    found = choose([[1.0], [2.0], [3.0]], seeds=(0,))
    assert found["method"] == "dpo" and found["benchmark"] == "toyland"
    assert found["setting"].startswith("small-")


def has_test_score(found: dict) -> None:
    """DPO gets a test score, as an experiment that tests its whole grid keeps it."""
    folders = SettingFolder(found["setting"])
    run = folders.run("dpo", "beta=0.1", 0)
    write_rows(layout.tested(folders, "test", run).rows("toyland"), [], RESULT)


def test_a_selection_made_again_once_tested_is_reopened_where_it_differs(choose):
    values = [[1.0], [2.0], [3.0]]
    first = choose(values, seeds=(0,))
    assert choose([[4.0], [2.0], [3.0]], seeds=(0,))["reopened"] is False
    assert choose(values, seeds=(0,)) == first
    has_test_score(first)
    assert choose(values, seeds=(0,)) == first, "the same selection once more is no other one"
    assert choose([[4.0], [2.0], [3.0]], seeds=(0,))["reopened"] is True
    assert choose([[4.0], [2.0], [3.0]], seeds=(0,))["reopened"] is True, "and stays so"


def test_deleting_a_selection_does_not_close_it_again(choose):
    found = choose([[1.0], [2.0], [3.0]], seeds=(0,))
    has_test_score(found)
    SettingFolder(found["setting"]).selection("test", "dpo").unlink()
    assert choose([[1.0], [2.0], [3.0]], seeds=(0,))["reopened"] is True


def test_another_experiments_test_scores_reopen_nothing(choose):
    found = choose([[1.0], [2.0], [3.0]], seeds=(0,))
    folders = SettingFolder(found["setting"])
    write_rows(layout.selected(folders, "other", "dpo", 0).rows("toyland"), [], RESULT)
    assert choose([[4.0], [2.0], [3.0]], seeds=(0,))["reopened"] is False
