"""Judgments that failed are asked again, and no others."""

import json

import pytest
import yaml
from scripted import MODEL, fails, says, upstream

from plumbline import config, layout
from plumbline.artifacts import read_rows, write_json, write_rows
from plumbline.cli import judge as cli
from plumbline.cli.score import judge_for
from plumbline.judge.gaps import gaps
from plumbline.rows import FEEDBACK, RESPONSE
from plumbline.score import score
from plumbline.targets import targets

QUIZ = """
from plumbline import Judge, Metric, Responses, benchmark


@benchmark(
    title="Quiz", version="1", splits=("validation", "test"), judged=True,
    metrics=(Metric("grade", "higher", "1-10", 1, 10),),
)
def score(responses: Responses, judge: Judge) -> list:
    from plumbline.judge.client import ask_all

    rows = responses.rows
    asked = [{"messages": [{"role": "user", "content": row["answers"][0]}]} for row in rows]
    return [
        {"item": row["id"], "metric": "grade", "value": float(reply.text) if reply.text else None,
         "status": "ok" if reply.text else "missing", "reason": reply.reason}
        for row, reply in zip(rows, ask_all(judge, asked, workers=1), strict=True)
    ]


def prompts(data, split: str) -> list:
    return []
"""


@pytest.fixture
def quiz(repository, tmp_path, monkeypatch):
    """An experiment in which one run has answered three questions, by the judge's URL."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quiz.py").write_text(QUIZ)
    raw = yaml.safe_load((repository / "config" / "test.yaml").read_text())
    raw["benchmarks"] |= {"quiz": None}
    raw["benchmark_paths"] = [str(tmp_path)]
    raw["select"] |= {"benchmark": "quiz", "metric": "grade"}

    def made(url):
        given = {"model": MODEL, "base_url": url, "attempts": 1}
        raw["judge"] = {"name": "judge", "upstream": given}
        path = tmp_path / "experiment.yaml"
        path.write_text(json.dumps(raw))
        experiment = config.read(path)
        folders = experiment.setting_folders()["small"]
        write_json(folders.data_record, {"splits": {"train": {"digest": "d"}}})
        run = folders.run("dpo", "beta=0.1", 0)
        write_json(run.record, {"status": "ok", "model": "weights-1"})
        write_rows(folders.data("train"), [], FEEDBACK)
        how = {"temperature": 0.0, "max_new_tokens": 8, "payload": "null", "follow_ups": []}
        asked = {"prompt": [{"role": "user", "content": "which letter ?"}]}
        rows = [{"id": text, "answers": [text]} | asked | how for text in "abc"]
        write_rows(run.evaluation().responses("quiz"), rows, RESPONSE)
        return path, experiment, run

    return made


def test_a_gap_is_filled_and_nothing_else_is_asked(quiz, capsys):
    with upstream(says("5"), fails(404), says("7")) as stage:
        path, experiment, run = quiz(stage.url)
        [target] = targets(experiment, "validation", [run.record])
        with judge_for(experiment, ["quiz"]) as judge:
            assert score(experiment, "quiz", "validation", target, judge) == "incomplete"
        [gap] = gaps(experiment)
        assert (gap.benchmark, gap.split, gap.missing) == ("quiz", "validation", 1)
        assert stage.turn == 3
        cli.fill(path)
        assert stage.turn == 4, "the one that failed"
        assert "1 were missing, now ok" in capsys.readouterr().out
        [row] = read_rows(run.evaluation().rows("quiz"))
        assert (row["value"], row["n"], row["status"]) == (pytest.approx(19 / 3), 3, "ok")
        cli.fill(path)
        assert "No judgment is missing" in capsys.readouterr().out
        assert stage.turn == 4


def test_costs_list_what_failed(quiz, capsys, monkeypatch):
    with upstream(says("5"), fails(404, "model_not_found"), says("7")) as stage:
        path, experiment, run = quiz(stage.url)
        [target] = targets(experiment, "validation", [run.record])
        with judge_for(experiment, ["quiz"]) as judge:
            score(experiment, "quiz", "validation", target, judge)
        cli.spent(experiment)
    said = capsys.readouterr().out
    assert "2 judgments, 3 calls (2 answered, 1 refused, 0 of unknown end, 0 without end)" in said
    assert "Failed 1 times (refused): judge: the upstream answered 404 (model_not_found)" in said


def test_exports_come_back(quiz, tmp_path, monkeypatch, capsys):
    with upstream(says("5")) as stage:
        _, experiment, run = quiz(stage.url)
        [target] = targets(experiment, "validation", [run.record])
        with judge_for(experiment, ["quiz"]) as judge:
            score(experiment, "quiz", "validation", target, judge)
    cli.export(tmp_path / "all.jsonl")
    first = layout.ledger().resolve()
    monkeypatch.setenv("PLUMBLINE_LEDGER", str(tmp_path / "second.sqlite"))
    cli.take_in([tmp_path / "all.jsonl", first])
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"{tmp_path / 'all.jsonl'}: 3 judgments are new, 0 were known",
        f"{first}: 0 judgments are new, 3 were known",
    ]
    cli.export(tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "all.jsonl").read_bytes()
    key = json.loads((tmp_path / "all.jsonl").read_text().splitlines()[0])["key"]
    capsys.readouterr()
    cli.show(key[:12])
    assert json.loads(capsys.readouterr().out)["key"] == key
