"""Budgets, held against plans whose numbers are worked by hand."""

from pathlib import Path

import pytest
from planned_jobs import job

from plumbline.errors import ConfigError
from plumbline.operate.plan.budget import cuts, hold
from plumbline.operate.plan.schedule import LAPTOP

RESULTS = Path("results")


def test_without_a_key_nothing_is_planned(experiment):
    assert hold(experiment(), RESULTS, LAPTOP) == []


def test_a_plan_that_passes_names_key_amounts_shares_and_cuts(experiment, ran):
    """Two runs of DPO took two hours of CPU; PRO-P's two as long, PRO-B's one 640 * 21 tokens where
    one of DPO passes 320 * 32: 1.3125 hours. One beta fewer for DPO and PRO-P saves two hours."""
    asked = experiment(budget={"cpu_hours": 5})
    ran(job(asked, "align", "dpo"), seconds=7200, cpu=7200)
    with pytest.raises(ConfigError) as error:
        hold(asked, RESULTS, LAPTOP)
    text = str(error.value)
    assert "budget.cpu_hours: what is to do takes 5.3" in text and "allowed are 5" in text
    assert "by rule: align 5.31" in text and "dpo 2.0" in text
    assert "one value fewer in the longest list of each method would save 2.0" in text
    assert "no pro_b would save 1.3" in text
    assert "raise budget.cpu_hours" in text


def test_what_fits_passes_and_says_what_has_no_estimate(experiment, ran):
    asked = experiment(budget={"cpu_hours": 6})
    ran(job(asked, "align", "dpo"), seconds=7200, cpu=7200)
    [note] = hold(asked, RESULTS, LAPTOP)
    assert note.startswith("budget.cpu_hours: ") and "have no estimate" in note


def test_judgments_are_shared_out_by_benchmark(experiment):
    """Four models: 640 judgments of MT-Bench and 64 of AlpacaEval."""
    with pytest.raises(ConfigError) as error:
        hold(experiment(budget={"judge_calls": 700}), RESULTS, LAPTOP)
    text = str(error.value)
    assert "takes 704.00, allowed are 700" in text
    assert "mt_bench test 640.00, alpaca_eval_2 test 64.00" in text
    assert "no mt_bench would save 640.00" in text
    assert "no pro_b would save 176.00" in text


def test_seven_models_of_the_disk(experiment):
    """Five runs and two base models of 4 bytes for each of 2 * 12 * 32 * 32 + 2 * 306 * 32."""
    size = 4 * (2 * 12 * 32 * 32 + 2 * 306 * 32)
    hold(experiment(budget={"disk_gb": 7 * size / 1e9}), RESULTS, LAPTOP)
    with pytest.raises(ConfigError, match=r"budget\.disk_gb"):
        hold(experiment(budget={"disk_gb": 6.9 * size / 1e9}), RESULTS, LAPTOP)


def test_a_free_judge_costs_nothing(experiment):
    assert hold(experiment(budget={"judge_usd": 0, "gpu_hours": 0}), RESULTS, LAPTOP) == []


def test_cuts_leave_the_selecting_benchmark_and_what_others_are_like(experiment):
    methods = {"sft": {}, "dpo": {"beta": 0.1}, "again": {"like": "dpo", "beta": 0.3}}
    words = [words for words, _ in cuts(experiment(methods=methods, seeds=[0, 1]))]
    assert "seeds without 1" in words and "no again" in words and "no mt_bench" in words
    assert not {"no toyland", "no dpo", "no sft"} & set(words)
