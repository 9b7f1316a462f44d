"""Drills: everything that can go wrong between an evaluator and a paid judge, at once.

The evaluator is FastChat's MT-Bench over Toyland's 80 questions, 160 judgments.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Thread

import pytest
import yaml
from scripted import MODEL, cut, fails, malformed, says, silent, upstream

from plumbline import Data, Responses, config
from plumbline.contracts import Judge
from plumbline.errors import JudgeError
from plumbline.judge import answerer
from plumbline.judge.client import ask_all
from plumbline.judge.gateway import judge as judging
from plumbline.judge.ledger import Ledger
from plumbline.judge.wire import completion
from plumbline.plugins import benchmark_spec, load_benchmark
from plumbline.schema import JudgeChoice

KEY = "sk-canary-4711"
WORKERS = 8
#: One of each fault, again and again, among ordinary answers.
FAULTS = [
    fails(429, Retry_After="0.05"),
    fails(500),
    cut,
    silent,
    malformed,
    says("no verdict here"),
    says(model="cheaper"),
    fails(404, "model_not_found"),
]


def choice(url, **more) -> JudgeChoice:
    given = {
        "model": MODEL,
        "base_url": url,
        "key_env": "JUDGE_KEY",
        "timeout_seconds": 0.5,
        "backoff_seconds": 0.01,
        "prices": {"prompt": 10, "completion": 30},
    }
    return JudgeChoice(name="judge", upstream=given | more)


@pytest.fixture
def responses(tmp_path):
    module = load_benchmark(benchmark_spec("mt_bench"))
    rows = module.prompts(Data("", "toyland", 0), "test")
    answered = [row | {"answers": ["one .", "two ."]} for row in rows]
    return module, Responses(answered, "model", str(tmp_path))


def test_every_judgment_is_there_or_missing_with_its_cause(responses, tmp_path, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", KEY)
    module, subject = responses
    acts = [act for fault in FAULTS for act in (says(), says(), fault, says())] * 2
    path = tmp_path / "ledger.sqlite"
    with upstream(*acts, says()) as stage:
        with judging(choice(stage.url), path) as served:
            items = module.score(subject, served, judge_workers=WORKERS)
        faulty = stage.turn
        with judging(choice(stage.url), path) as served:
            again = module.score(subject, served, judge_workers=WORKERS)
        asked_again = stage.turn - faulty
        with judging(choice(stage.url), path) as served:
            assert module.score(subject, served, judge_workers=WORKERS) == again
        assert stage.turn == faulty + asked_again, "a second run on whole judgments asks nobody"
    assert len(items) == len(again) == 160
    missing = [item for item in items if item["value"] is None]
    reasons = [item["reason"] for item in missing]
    # Twice each: another model, no such model, no verdict. All else was asked again.
    assert len(missing) == 6
    assert sum("another model" in reason for reason in reasons) == 2
    assert sum("404 (model_not_found)" in reason for reason in reasons) == 2
    # What was never answered is asked again; what the judge answered without a verdict is not.
    assert asked_again == 4
    assert sum(item["value"] is None for item in again) == 2
    assert not [path for path in tmp_path.rglob("*") if holds(path, KEY)], "the key is nowhere"


def test_a_second_run_of_both_evaluators_asks_nobody(tmp_path, monkeypatch):
    """FastChat's MT-Bench (160 judgments) and the real alpaca_eval on the same answers, judged by
    the gold judge behind a server that counts, 8 clients at a time."""
    monkeypatch.setenv("JUDGE_KEY", KEY)
    gold = answerer("toyland-gold")

    def judges(handler):
        body = completion(gold, handler.asked, gold.answer(handler.asked["messages"]))
        handler.send(200, json.dumps(body | {"model": MODEL}).encode())

    def run(url: str) -> list:
        with judging(choice(url), tmp_path / "ledger.sqlite") as served:
            return [
                module.score(subject, served, judge_workers=WORKERS) for module, subject in subjects
            ]

    subjects = []
    for name in ("alpaca_eval_2", "mt_bench"):
        module = load_benchmark(benchmark_spec(name))
        prompts = module.prompts(Data("", "toyland", 0), "test")
        rows = [
            row | {"answers": ["the cat is red ."] * (1 + len(row["follow_ups"]))}
            for row in prompts
        ]
        subjects.append((module, Responses(rows, "model", str(tmp_path / name))))
    with upstream(judges) as stage:
        first = run(stage.url)
        asked = stage.turn
        assert run(stage.url) == first
        assert stage.turn == asked >= 160 + len(subjects[0][1].rows)
    assert all(item["status"] == "ok" for item in first[1])


def holds(path: Path, text: str) -> bool:
    return path.is_file() and text.encode() in path.read_bytes()


def test_no_log_and_no_error_quotes_key_or_prompt(responses, tmp_path, monkeypatch, capfd, caplog):
    """The script's errors quote both in every field."""
    monkeypatch.setenv("JUDGE_KEY", KEY)
    module, subject = responses
    with (
        upstream(fails(500)) as stage,
        judging(choice(stage.url, attempts=2), tmp_path / "ledger.sqlite") as served,
        pytest.raises(JudgeError, match="gave no judgment at all") as failed,
    ):
        module.score(subject, served, judge_workers=WORKERS)
    import traceback

    printed = "".join(capfd.readouterr()) + caplog.text
    printed += "".join(traceback.format_exception(failed.value))
    question = subject.rows[0]["payload"]["question"]["turns"][0]
    for secret in (KEY, served.token, question):
        assert secret not in printed


# Kills. The gateway runs as `plumbline judge serve`; questions are numbers.

QUESTIONS = 240
PROGRAM = "from plumbline.cli.app import main; main()"
CLIENT = """
import json, sys
from plumbline.contracts import Judge
from plumbline.judge.client import ask_all
url, token = sys.argv[1:3]
requests = [{"messages": [{"role": "user", "content": str(n)}]} for n in range(int(sys.argv[3]))]
ask_all(Judge(url, token, "judge", "1"), requests, workers=8)
"""


@pytest.fixture
def experiment(tmp_path, repository, monkeypatch):
    """An experiment whose judge is the script at a given URL."""
    monkeypatch.setenv("JUDGE_KEY", KEY)
    monkeypatch.setenv("PLUMBLINE_LEDGER", str(tmp_path / "ledger.sqlite"))

    def write(url: str) -> Path:
        raw = yaml.safe_load((repository / "config" / "test.yaml").read_text())
        raw["judge"] = choice(url).model_dump(exclude_none=True)
        config.parse(raw)
        path = tmp_path / "experiment.yaml"
        path.write_text(json.dumps(raw))
        return path

    return write


@contextmanager
def gateway_process(experiment: Path):
    """The gateway as a process of its own: (process, judge)."""
    command = [sys.executable, "-c", PROGRAM, "judge", "serve", "--experiment", str(experiment)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        _, url, token = (process.stdout.readline().strip() for _ in range(3))
        try:
            yield process, Judge(url.split("=", 1)[1], token.split("=", 1)[1], "judge", MODEL)
        finally:
            process.kill()


def ask(judge: Judge) -> None:
    requests = [{"messages": [{"role": "user", "content": str(n)}]} for n in range(QUESTIONS)]
    with suppress(JudgeError):  # the gateway was killed under it
        ask_all(judge, requests, workers=WORKERS)


def committed(path: Path) -> set[str]:
    with closing(Ledger(path)) as book:
        return {row["request"]["messages"][0]["content"] for row in book.judgments()}


def kill_gateway(experiment: Path, moment: float) -> None:
    with gateway_process(experiment) as (process, judge):
        asking = Thread(target=ask, args=(judge,))
        asking.start()
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        asking.join(30)
        assert not asking.is_alive()


def kill_client(judge: Judge, moment: float) -> None:
    command = [sys.executable, "-c", CLIENT, judge.url, judge.token, str(QUESTIONS)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as client:
        time.sleep(0.6 + moment)  # it has to start first
        client.send_signal(signal.SIGKILL)


def test_ten_kills_lose_no_judgment_and_repeat_only_what_was_under_way(experiment, tmp_path):
    seed = int(os.environ.get("PLUMBLINE_DRILL_SEED", random.randrange(10**6)))
    print(f"PLUMBLINE_DRILL_SEED={seed}")
    draw, path = random.Random(seed), tmp_path / "ledger.sqlite"
    with upstream(says(seconds=0.05)) as stage:
        file, before = experiment(stage.url), set()
        for _ in range(5):
            kill_gateway(file, draw.uniform(0.0, 0.25))
            assert before <= (after := committed(path)), "a committed judgment is lost"
            before = after
        with gateway_process(file) as (_, judge):
            for _ in range(5):
                kill_client(judge, draw.uniform(0.0, 0.3))
            ask(judge)
    assert committed(path) == set(map(str, range(QUESTIONS)))
    with closing(Ledger(path)) as book:
        lost = book.cut()
        questions = {
            row["key"]: row["request"]["messages"][0]["content"] for row in book.judgments()
        }
    repeated = stage.seen - Counter(stage.seen.keys())
    print(f"{repeated.total()} calls were repeated, {len(lost)} are listed as cut")
    assert repeated <= Counter(questions[row["key"]] for row in lost), "each repeat is listed"
    assert len(lost) <= 5 * WORKERS


def test_eight_clients_at_once_lose_nothing_and_pay_once(experiment, tmp_path):
    """All ask the same 240 questions of one gateway, each 8 at a time."""
    with upstream(says(seconds=0.01)) as stage, gateway_process(experiment(stage.url)) as served:
        judge = served[1]
        command = [sys.executable, "-c", CLIENT, judge.url, judge.token, str(QUESTIONS)]
        clients = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(8)]
        assert [client.wait(60) for client in clients] == [0] * 8
    assert committed(tmp_path / "ledger.sqlite") == set(map(str, range(QUESTIONS)))
    assert stage.seen == Counter(map(str, range(QUESTIONS)))
