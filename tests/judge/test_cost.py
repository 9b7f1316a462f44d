"""What judging will cost: the evaluators ask, a counter answers."""

import json

import pytest
import yaml
from scripted import says, upstream

from plumbline import Responses, config
from plumbline.artifacts import write_rows
from plumbline.judge.cost import answer_files, estimated_tokens, estimates, probes
from plumbline.judge.gateway import judge
from plumbline.judge.wire import Asked
from plumbline.plugins import load_benchmark
from plumbline.rows import RESPONSE

#: config/test.yaml tests SFT and three aligned models.
MODELS = 4


@pytest.fixture
def experiment(repository, tmp_path, monkeypatch):
    """config/test.yaml with a judge that costs money, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    raw = yaml.safe_load((repository / "config" / "test.yaml").read_text())
    prices = {"prompt": 10, "completion": 30}
    upstream = {"model": "gpt-9", "base_url": "http://127.0.0.1:9/v1", "prices": prices}
    raw["judge"] = {"name": "paid", "upstream": upstream}

    def made(**changes):
        return config.parse(raw | changes)

    return made


def estimated(experiment, tmp_path):
    found = estimates(experiment, tmp_path / "ledger.sqlite")
    return {(item.benchmark, item.split): item for item in found}


def test_calls_and_completions_by_hand(experiment, tmp_path):
    """AlpacaEval: 16 comparisons of one token. MT-Bench: 160 gradings of 2048. Nothing is asked."""
    found = estimated(experiment(), tmp_path)
    alpaca, mt_bench = found["alpaca_eval_2", "test"], found["mt_bench", "test"]
    assert found.keys() == {("alpaca_eval_2", "test"), ("mt_bench", "test")}
    assert (alpaca.models, alpaca.calls, alpaca.completion_tokens) == (MODELS, 64, 64)
    assert (mt_bench.calls, mt_bench.completion_tokens) == (640, 640 * 2048)
    dollars = (alpaca.prompt_tokens * 10 + 64 * 30) / 1e6
    assert alpaca.cost(experiment()) == pytest.approx(dollars)


def test_answers_that_exist_are_counted_as_they_are_and_the_ledger_is_not_asked_again(
    experiment, tmp_path
):
    """One model has answered one question; both of its judgments are in the ledger later."""
    asked = experiment()
    [path, *_] = answer_files(asked, asked.setting_folders()["small"], "mt_bench", "test")
    question = {"question_id": 1, "category": "writing", "turns": ["q", "r"]}
    row = {
        "id": "mt-1",
        "prompt": [{"role": "user", "content": "q"}],
        "follow_ups": ["r"],
        "answers": ["a", "b"],
        "payload": {"question": question, "reference": None},
    }
    write_rows(path, [row | {"payload": json.dumps(row["payload"])}], RESPONSE)
    assert estimated(asked, tmp_path)["mt_bench", "test"].calls == 2 + 3 * 160
    with upstream(says(model="gpt-9")) as stage:
        server = asked.judge.upstream.model_copy(update={"base_url": stage.url})
        choice = asked.judge.model_copy(update={"upstream": server})
        with judge(choice, tmp_path / "ledger.sqlite") as served:
            module = load_benchmark(asked.benchmark("mt_bench"))
            module.score(Responses([row], "model", str(tmp_path)), served)
    assert estimated(asked, tmp_path)["mt_bench", "test"].calls == 3 * 160


def test_prompts_that_lie_in_data_not_made_yet_are_unknown(experiment, tmp_path):
    benchmarks = {"toyland": {"limit": 16}, "hh_win_rate": {"limit": 4}}
    columns = {"columns": [{"benchmark": "toyland", "metric": "win_rate", "title": "WR"}]}
    report = experiment().report.model_dump() | columns
    found = estimated(experiment(benchmarks=benchmarks, report=report), tmp_path)
    unknown = found["hh_win_rate", "test"]
    assert unknown.calls is None
    assert unknown.cost(experiment()) is None


def test_a_judge_of_this_machine_costs_nothing(experiment, tmp_path):
    free = experiment(judge={"name": "toyland-gold"})
    found = estimated(free, tmp_path)
    assert {item.cost(free) for item in found.values()} == {0.0}


def test_tokens_are_four_letters():
    request = {"messages": [{"role": "user", "content": "x" * 40}], "max_tokens": 3}
    assert estimated_tokens(Asked("j", "1", request)) == (10, 3)


def test_probes_by_hand(experiment, tmp_path, monkeypatch):
    """320 pairs in batches of 32 are 10 steps, probed at 0, 5 and 10."""
    monkeypatch.setattr(
        "plumbline.judge.cost.read_json", lambda path: {"splits": {"train": {"rows": 320}}}
    )
    assert probes(experiment(), "small") == 3
