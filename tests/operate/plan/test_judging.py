"""Calls, tokens and money; as tests/judge/test_cost.py lets the evaluators themselves ask."""

import pytest
import yaml

from plumbline import config
from plumbline.operate.plan.estimate import MODEL, UNKNOWN
from plumbline.operate.plan.judging import judging


def of(found):
    return {(item.estimate.benchmark, item.estimate.split): item for item in found}


def test_a_judge_of_this_machine_is_free_and_its_calls_are_counted(experiment, tmp_path):
    """Four models: 16 comparisons each, and 80 questions of two turns."""
    found = of(judging(experiment(), tmp_path / "ledger.sqlite"))
    alpaca, mt_bench = found["alpaca_eval_2", "test"], found["mt_bench", "test"]
    assert (alpaca.estimate.calls, alpaca.dollars, alpaca.basis) == (64, 0, MODEL)
    assert (mt_bench.estimate.calls, mt_bench.estimate.completion_tokens) == (640, 640 * 2048)


def test_the_papers_table_by_hand(repository, tmp_path, monkeypatch):
    """34 models. AlpacaEval: 805 questions of 880 tokens and an answer of 2048, one token each; at
    10 and 30 dollars for a million."""
    monkeypatch.chdir(tmp_path)
    asked = config.read(repository / "config/paper/table1.yaml")
    found = of(judging(asked, tmp_path / "ledger.sqlite"))
    alpaca = found["alpaca_eval_2", "test"]
    calls = 34 * 805
    assert (alpaca.estimate.calls, alpaca.basis) == (calls, MODEL)
    assert alpaca.dollars == pytest.approx(calls * ((880 + 2048) * 10 + 30) / 1e6)
    assert found["hh_win_rate", "validation"].estimate.calls == 34 * 256


def test_a_benchmark_without_a_recipe_is_unknown(experiment, repository, tmp_path):
    (tmp_path / "mine").mkdir()
    text = (repository / "benchmarks" / "hh_win_rate.py").read_text()
    (tmp_path / "mine" / "my_wins.py").write_text(text)
    benchmarks = yaml.safe_load((repository / "config/test.yaml").read_text())["benchmarks"]
    asked = experiment(benchmarks=benchmarks | {"my_wins": None}, benchmark_paths=["mine"])
    item = of(judging(asked, tmp_path / "ledger.sqlite"))["my_wins", "test"]
    assert (item.estimate.calls, item.dollars, item.tokens, item.basis) == (*[None] * 3, UNKNOWN)
