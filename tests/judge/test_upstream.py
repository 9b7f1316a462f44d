"""The gateway's upstreams, against a server that fails by script."""

import os
from contextlib import closing, contextmanager

import pytest
from scripted import MODEL, cut, fails, malformed, says, silent, upstream

from plumbline.errors import ConfigError
from plumbline.judge.gateway import gateway
from plumbline.judge.ledger import Ledger
from plumbline.judge.upstream import Pace, most_tokens, price, retry_after, same_model
from plumbline.judge.wire import Asked, NoJudgment
from plumbline.schema import JudgeChoice, Prices

KEY = "sk-canary-4711"


def body(text="hi", **more):
    return {"messages": [{"role": "user", "content": text}], "max_tokens": 8, **more}


def choice(url, **more):
    given = {"model": MODEL, "base_url": url, "timeout_seconds": 0.5, "backoff_seconds": 0.01}
    return JudgeChoice(name="judge", upstream=given | more)


@contextmanager
def through(tmp_path, *acts, **more):
    """A gateway in front of a script."""
    with (
        upstream(*acts) as stage,
        gateway(choice(stage.url, **more), tmp_path / "ledger.sqlite") as answering,
    ):
        yield answering, stage


def outcomes(answering):
    return {(row["outcome"], row["reason"]): row["calls"] for row in answering.ledger.failures()}


@pytest.mark.parametrize(
    ("act", "outcome", "reason"),
    [
        (fails(429, Retry_After="0"), "refused", "the upstream answered 429"),
        (fails(500, "server_error"), "refused", "the upstream answered 500 (server_error)"),
        (cut, "unknown", "the upstream was cut off or silent (RemoteProtocolError)"),
        (silent, "unknown", "the upstream was cut off or silent (ReadTimeout)"),
        (malformed, "unknown", "the upstream's answer is not a chat completion"),
    ],
)
def test_what_may_pass_is_asked_again(tmp_path, act, outcome, reason):
    with through(tmp_path, act, says("fine")) as (answering, stage):
        found = answering.complete(body())
        assert found["choices"][0]["message"]["content"] == "fine"
        assert outcomes(answering) == {(outcome, reason): 1}
        assert stage.turn == 2


def test_what_stays_is_asked_so_many_times_and_no_more(tmp_path):
    with through(tmp_path, fails(503), attempts=3) as (answering, stage):
        with pytest.raises(NoJudgment, match="503, 3 times") as refused:
            answering.complete(body())
        assert (refused.value.status, stage.turn) == (502, 3)


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (fails(404, "model_not_found"), "404 (model_not_found)"),
        (fails(401), "the upstream answered 401"),
        (says(model="cheaper"), "another model answered than judge.upstream.model"),
    ],
)
def test_what_cannot_pass_is_not_asked_again(tmp_path, act, reason):
    with through(tmp_path, act) as (answering, stage):
        with pytest.raises(NoJudgment) as refused:
            answering.complete(body())
        assert str(refused.value).endswith(reason)
        assert stage.turn == 1
        assert list(answering.ledger.judgments()) == []


def test_nobody_there_is_no_charge(tmp_path):
    unused = choice("http://127.0.0.1:9", attempts=2)
    with gateway(unused, tmp_path / "l.sqlite") as answering:
        with pytest.raises(NoJudgment, match="cannot be reached, 2 times"):
            answering.complete(body())
        assert answering.ledger.costs()[0]["charged"] == 0


def test_the_ledger_answers_the_second_time(tmp_path):
    with through(tmp_path, says()) as (answering, stage):
        first = answering.complete(body())
        assert answering.complete(body()) == first
        assert stage.turn == 1
        answering.complete(body(draw=1))
        assert stage.turn == 2
    with gateway(choice(None, source="ledger"), tmp_path / "ledger.sqlite") as replay:
        assert replay.complete(body()) == first
        with pytest.raises(NoJudgment, match="not in the ledger"):
            replay.complete(body("other"))


def test_the_upstream_sees_its_model_and_no_words_of_ours(tmp_path):
    with through(tmp_path, says()) as (answering, stage):
        answering.complete(body(draw=1, user="me", model="alias"))
        [row] = answering.ledger.judgments()
    assert row["request"] == body() | {"model": MODEL}


def test_the_key_is_the_gateways_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", KEY)
    with through(tmp_path, says(), key_env="JUDGE_KEY") as (answering, stage):
        assert "JUDGE_KEY" not in os.environ, "what is started meanwhile must not inherit it"
        answering.complete(body())
        assert stage.bearers == {f"Bearer {KEY}"}
    assert os.environ["JUDGE_KEY"] == KEY


def test_a_missing_key_is_told_with_what_to_type(tmp_path):
    with (
        pytest.raises(ConfigError, match="export JUDGE_KEY="),
        through(tmp_path, says(), key_env="JUDGE_KEY"),
    ):
        pass


def test_the_call_that_would_pass_the_budget_is_not_made(tmp_path):
    """By hand: "hi" and its frame are 18 tokens at most, 8 may come back: 18 x 1e4 + 8 x 1e5 a
    million are 0.98 dollars at most; used are 10 and 2, 0.30 dollars. 1.2 is enough for one call.
    """
    money = {"prices": {"prompt": 1e4, "completion": 1e5}, "budget": 1.2}
    with through(tmp_path, says(), **money) as (answering, stage):
        answering.complete(body())
        assert answering.ledger.costs()[0]["cost"] == pytest.approx(0.3)
        with pytest.raises(NoJudgment, match="0.3000 are charged, and this call can cost 0.98"):
            answering.complete(body("ho"))
        assert stage.turn == 1


def test_an_answer_without_a_count_costs_the_most_it_can(tmp_path):
    def uncounted(handler):
        handler.send(200, b'{"choices": [{"message": {"content": "x"}}]}')

    money = {"prices": {"prompt": 1e4, "completion": 1e5}}
    with through(tmp_path, uncounted, **money) as (answering, _):
        answering.complete(body())
        assert answering.ledger.costs()[0]["cost"] == pytest.approx(0.98)


def test_nothing_is_quoted_but_a_plain_code(tmp_path):
    """The script's errors hold bearer and prompt in every field."""
    with (
        through(tmp_path, fails(400)) as (answering, _),
        pytest.raises(NoJudgment) as refused,
    ):
        answering.complete(body("a secret prompt"))
    assert str(refused.value) == "the upstream answered 400"


def test_calls_keep_their_distance():
    import time

    pace, started = Pace(600), time.monotonic()
    for _ in range(4):
        pace.wait()
    assert 0.3 <= time.monotonic() - started < 1.0, "four calls, 0.1 s apart"


def test_prices_by_hand():
    assert price((1_000_000, 500_000), Prices(prompt=10, completion=30)) == 25.0
    assert price((5, 5), None) == 0.0


def test_most_tokens_count_bytes():
    request = {"messages": [{"role": "user", "content": "né"}], "max_completion_tokens": 5}
    assert most_tokens(Asked("j", "1", request)) == (3 + 16, 5)


def test_a_dated_version_is_the_same_model():
    assert same_model("gpt-4", "gpt-4-0613") and same_model("gpt-4", "gpt-4")
    assert same_model("gpt-4", None), "a server that does not say is believed"
    assert not same_model("gpt-4", "gpt-4o")


@pytest.mark.parametrize(("said", "seconds"), [("7", 7), ("", 0), ("soon", 0), ("9999", 60)])
def test_retry_after_in_seconds(said, seconds):
    class Response:
        headers = {"retry-after": said}

    assert retry_after(Response()) == seconds


def test_retry_after_a_date():
    from email.utils import formatdate
    from time import time

    class Response:
        headers = {"retry-after": formatdate(time() + 20, usegmt=True)}

    assert 17 < retry_after(Response()) <= 20


def test_a_ledger_holds_two_judges_apart(tmp_path):
    with through(tmp_path, says()) as (answering, stage):
        answering.complete(body())
        other = choice(stage.url).model_copy(update={"name": "other"})
        with gateway(other, tmp_path / "ledger.sqlite") as second:
            second.complete(body())
        assert stage.turn == 2
    with closing(Ledger(tmp_path / "ledger.sqlite")) as book:
        assert {row["judge"] for row in book.judgments()} == {"judge", "other"}
