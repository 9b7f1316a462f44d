"""Every path comes from here; a grid point has one name, and a record leads back to its run."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline import layout
from plumbline.errors import IntegrityError
from plumbline.layout import Run, SettingFolder, point_name

names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
points = st.dictionaries(names, st.floats(allow_nan=False) | st.integers(-99, 99) | st.booleans())


@pytest.mark.parametrize("value", [0.10, 1e-1, 1 / 10])
def test_spellings_of_a_number_are_one_point(value):
    assert point_name({"beta": value}) == "beta=0.1"


def test_names_by_hand():
    """Source: design.md section 4: sorted keys, repr(float)."""
    assert point_name({"beta": 0.1, "alpha": 2.5}) == "alpha=2.5,beta=0.1"
    assert point_name({"beta": 1}) == point_name({"beta": 1.0}) == "beta=1.0"
    assert point_name({"beta": 1e-7}) == "beta=1e-07"
    assert point_name({"exact": True, "kind": "hinge"}) == "exact=True,kind=hinge"
    assert point_name({}) == "default"


@given(points)
def test_order_does_not_matter(point):
    assert point_name(dict(reversed(point.items()))) == point_name(point)


@given(names, st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_different_numbers_are_different_points(name, one, other):
    same = repr(one) == repr(other)
    assert (point_name({name: one}) == point_name({name: other})) == same


@given(names, names, points, st.integers(0, 2**31))
def test_a_record_leads_back_to_its_run(setting, method, point, seed):
    run = SettingFolder(setting).run(method, point_name(point), seed)
    assert Run.of_record(run.record) == run
    assert Run.of_record(Path("/anywhere") / run.record) == run


@pytest.mark.parametrize(
    "path",
    [
        "run.json",
        "results/s/runs/dpo/beta=0.1/run.json",
        "results/s/runs/dpo/beta=0.1/seed=0/record.json",
        "results/s/selection/dpo/beta=0.1/seed=0/run.json",
        "results/s/runs/dpo/beta=0.1/0/run.json",
        "results/s/runs/dpo/beta=0.1/seed=x/run.json",
    ],
)
def test_a_path_that_is_no_record_is_refused(path):
    with pytest.raises(IntegrityError, match="seed=N/run.json"):
        Run.of_record(Path(path))


def paths_of(setting: str, experiment: str, method: str, point: str, seed: int) -> list[Path]:
    """Every file a run and its evaluations may write."""
    folders = SettingFolder(setting)
    run = folders.run(method, point, seed)
    evaluations = [
        run.evaluation(),
        layout.selected(folders, experiment, method, seed),
        layout.tested(folders, experiment, run),
    ]
    files = [run.record, run.model, run.work, run.dynamics, run.probes, run.probe_rows("b")]
    for item in evaluations:
        files += [item.responses("b"), item.items("b"), item.rows("b"), item.scratch("b")]
    return files


def test_no_two_files_share_a_path():
    base = ("s", "e", "dpo", "beta=0.1", 0)
    found = [*paths_of(*base), SettingFolder("s").selection("e", "dpo")]
    found += [SettingFolder("s").reference("pairs"), SettingFolder("s").record]
    found += [SettingFolder("s").pretrain.record, SettingFolder("s").sft.record]
    assert len(set(found)) == len(found)
    for other in [
        ("t", "e", "dpo", "beta=0.1", 0),
        ("s", "e", "kto", "beta=0.1", 0),
        ("s", "e", "dpo", "beta=0.1", 1),
    ]:
        assert not set(paths_of(*base)) & set(paths_of(*other))


def test_runs_are_shared_by_experiments_and_selections_are_not():
    one, other = (set(paths_of("s", name, "dpo", "beta=0.1", 0)) for name in ("e", "f"))
    assert {path for path in one & other if "runs" not in path.parts} == set()
    assert {path for path in one ^ other if "selection" not in path.parts} == set()


def test_everything_lies_under_results():
    experiment = layout.ExperimentFolder("e")
    found = paths_of("s", "e", "dpo", "beta=0.1", 0)
    found += [experiment.rows, experiment.tables, experiment.report, experiment.resolved("ab")]
    found += [layout.log("align", "s", "dpo"), layout.timing("align", "s", "dpo")]
    assert all(path.parts[0] == "results" for path in found)


def test_logs_keep_names_that_contain_dots():
    """A point's name has dots: they are no file endings to replace."""
    assert layout.log("align", "beta=0.1") != layout.log("align", "beta=0.3")
