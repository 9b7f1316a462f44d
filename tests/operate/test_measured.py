"""An experiment's results and CSV tables become the same list of numbers."""

import pytest
import yaml

from plumbline import config
from plumbline.artifacts import write_json, write_rows
from plumbline.errors import DataError
from plumbline.operate.certify import certify
from plumbline.operate.claims import Claims
from plumbline.operate.measured import at_steps, of_experiment, of_tables
from plumbline.rows import RESULT, RUN_DYNAMICS

EXPERIMENT = """
experiment: tiny
settings:
  here:
    data: {source: toyland}
    model: {architecture: gpt_neox, hidden_size: 16, layers: 1, heads: 2, max_positions: 160,
            tokenizer: toyland}
    align: {learning_rate: 0.001}
methods: {sft: {}, dpo: {beta: [0.1, 0.3]}}
grid_points: 2
seeds: [0, 1]
benchmarks: {toyland: {}}
select: {benchmark: toyland, metric: reward, title: Reward}
judge: {name: toyland-gold}
report:
  title: Tiny
  columns: [{benchmark: toyland, metric: reward, title: Reward}]
  length: {benchmark: toyland, metric: length, title: Words}
"""
CLAIMS = """
claims: tiny
source: by hand
settings: {here: {data: {source: toyland}}}
metrics:
  reward: {read: test, benchmark: toyland, metric: reward}
  words: {read: validation, benchmark: toyland, metric: length}
  chosen: {read: probe, metric: chosen_logratio}
  fell: {read: probe, metric: chosen_logratio, step: change}
tables:
  t: {where: T, setting: here, columns: [reward, fell], rows: [[dpo, 0.5, -3.0]]}
"""


@pytest.fixture
def claims() -> Claims:
    return Claims.model_validate(yaml.safe_load(CLAIMS))


@pytest.fixture
def experiment(tmp_path, monkeypatch) -> config.Experiment:
    """An experiment whose results were written by hand: DPO's second point was selected."""
    monkeypatch.chdir(tmp_path)
    made = config.parse(yaml.safe_load(EXPERIMENT))
    [folders] = made.setting_folders().values()
    for method, point in (("sft", "default"), ("dpo", "beta=0.3")):
        write_json(folders.selection("tiny", method), {"point": point})
    common = {"setting": folders.name, "benchmark": "toyland", "version": "1", "method": "dpo"}
    common |= {"status": "ok", "judge": None}
    test = common | {"split": "test", "metric": "reward", "point": "beta=0.3", "se": 0.1, "n": 9}
    words = common | {"split": "validation", "metric": "length", "seed": 0}
    rows = [
        test | {"seed": 0, "value": 0.4},
        test | {"seed": 1, "value": 0.6},
        words | {"point": "beta=0.1", "value": 20.0},
        words | {"point": "beta=0.3", "value": 10.0},
        words | {"point": "beta=0.3", "seed": 1, "value": None, "status": "diverged"},
    ]
    write_rows(made.folder.rows, rows, RESULT)
    curve = {"setting": folders.name, "method": "dpo", "point": "beta=0.3", "split": "probe"}
    curve |= {"metric": "chosen_logratio"}
    log = [
        curve | {"seed": seed, "step": step, "value": -1.0 - step * (seed + 1)}
        for seed in (0, 1)
        for step in (4, 0, 2)
    ]
    log += [log[0] | {"split": "train", "step": 9, "value": 7.0}]
    write_rows(made.folder.dynamics, log, RUN_DYNAMICS)
    return made


def values(numbers, metric: str) -> list[tuple]:
    return [
        (number.point, number.seed, number.value, number.selected)
        for number in numbers
        if number.metric == metric
    ]


def test_rows_of_all_sorts_become_numbers(experiment, claims):
    numbers = list(of_experiment(experiment, claims))
    both = [("beta=0.3", 0, 0.4, True), ("beta=0.3", 1, 0.6, True)]
    assert values(numbers, "reward") == both
    assert ("beta=0.1", 0, 20.0, False) in values(numbers, "words")
    assert values(numbers, "chosen") == [("beta=0.3", 0, -5.0, True), ("beta=0.3", 1, None, True)]
    assert values(numbers, "fell")[0] == ("beta=0.3", 0, -4.0, True)
    first = next(number for number in numbers if number.metric == "reward")
    assert (first.se, first.n, first.version, first.judge) == (0.1, 9, "1", None)


def test_a_seed_without_a_row_and_one_that_diverged_are_gaps(experiment, claims):
    gaps = {
        (number.metric, number.point, number.seed): number.reason
        for number in of_experiment(experiment, claims)
        if number.value is None
    }
    assert gaps == {
        ("words", "beta=0.1", 1): "not run",
        ("words", "beta=0.3", 1): "diverged",
        ("chosen", "beta=0.3", 1): "diverged",
        ("fell", "beta=0.3", 1): "diverged",
    }


def test_an_only_setting_stands_for_any_name_and_is_held_to_its_keys(experiment, claims):
    given = {"elsewhere": {"data": {"source": "hh_rlhf"}}}
    tables = {"t": claims.tables["t"].model_copy(update={"setting": "elsewhere"})}
    other = claims.model_copy(update={"settings": given, "tables": tables})
    found = certify(other, of_experiment(experiment, other))[0]
    assert (found.verdict, found.found) == ("not comparable", 0.5)
    assert found.reason == "another data (source: 'toyland', not 'hh_rlhf')"


def test_claims_without_a_point_are_about_the_selected_one(experiment, claims):
    reward, fell = certify(claims, of_experiment(experiment, claims))
    assert (reward.verdict, reward.found) == ("reproduced", 0.5)
    assert (fell.verdict, fell.reason) == ("not comparable", "seed 1: diverged")


def test_what_has_not_run_says_what_to_type(tmp_path, monkeypatch, claims):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="type `snakemake"):
        list(of_experiment(config.parse(yaml.safe_load(EXPERIMENT)), claims))


def test_a_change_is_last_minus_first():
    log = [
        {"method": "m", "point": "p", "seed": 0, "split": "validation", "metric": "length"}
        | {"step": step, "value": value}
        for step, value in ((50, 12.0), (0, 9.0), (25, 30.0))
    ]
    found = {row["step"]: row["value"] for row in at_steps(log, [])}
    assert found == {"first": 9.0, "last": 12.0, "change": 3.0}


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("u.csv", "method,reward\n", "tiny has no table 'u'; known: t"),
        ("t.csv", "method,rewards\ndpo,1\n", "line 2: unknown column.s. rewards; known: method"),
        ("t.csv", "method,reward\ndpo,much\n", "line 2: expected the columns of t"),
        ("t.csv", "reward\n1\n", "line 2: expected the columns of t, got 'method'"),
    ],
)
def test_a_table_that_does_not_fit_is_told_by_its_line(tmp_path, claims, name, text, told):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=told):
        list(of_tables(tmp_path, claims))


def test_no_table_at_all_and_no_percentage_are_errors(tmp_path, claims, pro):
    with pytest.raises(DataError, match="no CSV file"):
        list(of_tables(tmp_path, claims))
    (tmp_path / "table1.csv").write_text("method,arc\nDPO,617\n")
    with pytest.raises(DataError, match="line 2: arc is a percentage, got 617"):
        list(of_tables(tmp_path, pro))


def test_an_empty_cell_of_a_table_is_no_number(tmp_path, pro):
    (tmp_path / "table1.csv").write_text("method,arc,gpqa\nDPO,,32.04\n")
    [number] = of_tables(tmp_path, pro)
    assert (number.method, number.metric, number.value) == ("dpo", "gpqa", 32.04)
