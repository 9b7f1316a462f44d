import asyncio
import json
import math

import httpx
import pytest
from served import served

from plumbline.errors import ConfigError, JudgeError
from plumbline.judge import answerer
from plumbline.judge.client import ask_all
from plumbline.judge.endpoint import application
from plumbline.judge.wire import Answer


class Echo:
    """Answers with the prompt; refuses "no" and breaks on "break"."""

    name = "echo"
    version = "7"
    note = ""

    def answer(self, messages):
        text = messages[-1]["content"]
        if text == "no":
            raise JudgeError("will not")
        if text == "break":
            raise RuntimeError("broken")
        return Answer(text, {"m": 0.75, "M": 0.25, "x": 0.0})


@pytest.fixture(scope="module")
def judge():
    with served(Echo()) as judge:
        yield judge


def post(judge, body, token=None, path="/chat/completions"):
    headers = {"Authorization": f"Bearer {token or judge.token}"}
    return httpx.post(judge.url + path, content=body, headers=headers)


def chat(text, **options):
    return {"messages": [{"role": "user", "content": text}], **options}


def test_listens_on_this_machine_only(judge):
    assert judge.url.startswith("http://127.0.0.1:") and judge.url.endswith("/v1")
    assert (judge.name, judge.version) == ("echo", "7")
    assert len(judge.token) > 30


def test_refuses_strangers(judge):
    response = post(judge, json.dumps(chat("hi")), token="wrong")
    assert response.status_code == 401
    assert response.json()["error"]["type"] == "authentication_error"
    assert httpx.post(judge.url + "/chat/completions", json=chat("hi")).status_code == 401


def test_refuses_other_machines_and_other_names():
    app = application(Echo(), "secret")
    headers = {"Authorization": "Bearer secret"}

    async def status(client: str, host: str) -> int:
        transport = httpx.ASGITransport(app, client=(client, 1))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as asking:
            answer = await asking.post("/v1/chat/completions", json=chat("hi"), headers=headers)
        return answer.status_code

    assert asyncio.run(status("192.0.2.7", "127.0.0.1")) == 403
    assert asyncio.run(status("127.0.0.1", "evil.example")) == 400
    assert asyncio.run(status("127.0.0.1", "127.0.0.1")) == 500, "Echo alone is no gateway"


def test_serves_nothing_but_the_api(judge):
    assert post(judge, "{}", path="/models").status_code == 404
    assert httpx.get(judge.url.removesuffix("/v1")).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        "{}",
        json.dumps({"messages": []}),
        json.dumps({"messages": [{"role": "user", "content": ["parts"]}]}),
        json.dumps(chat("hi", stream=True)),
        json.dumps(chat("hi", n=2)),
        json.dumps(chat("hi", draw="1")),
        json.dumps(chat("no")),
    ],
)
def test_refuses_what_it_cannot_read_in_openai_form(judge, body):
    response = post(judge, body)
    assert response.status_code == 400
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}


def test_log_probabilities_come_likeliest_first_and_finite(judge):
    body = post(judge, json.dumps(chat("hi", logprobs=True))).json()
    top = body["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    assert [candidate["token"] for candidate in top] == ["m", "M", "x"]
    assert top[0]["logprob"] == math.log(0.75)
    assert -1000 < top[2]["logprob"] < -700
    assert post(judge, json.dumps(chat("hi"))).json()["choices"][0]["logprobs"] is None


def test_equal_requests_have_one_key_and_others_another(judge):
    replies = ask_all(judge, [chat("a"), chat("a"), chat("b"), chat("a", temperature=1)])
    keys = [reply.key for reply in replies]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_replies_come_in_order_and_a_refusal_is_a_gap(judge):
    texts = [str(number) for number in range(50)]
    texts[7] = "no"
    replies = ask_all(judge, [chat(text) for text in texts], workers=4)
    assert [reply.text for reply in replies] == [*texts[:7], "", *texts[8:]]
    assert replies[7].choice is None
    assert "will not" in replies[7].reason


def test_a_broken_answerer_is_a_gap_that_is_not_quoted(judge, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: pytest.fail("retried"))
    _, reply = ask_all(judge, [chat("hi"), chat("break")])
    assert reply.reason == "no judgment: the judge failed (RuntimeError)"


def test_no_judgment_at_all_is_an_error_not_a_table_of_gaps(judge):
    with pytest.raises(JudgeError, match=r"gave no judgment at all: .*RuntimeError"):
        ask_all(judge, [chat("break"), chat("break")])


def test_prompts_that_cannot_be_read_are_gaps_all_the_same(judge):
    assert all(reply.refused for reply in ask_all(judge, [chat("no"), chat("no")]))


def test_proxies_of_the_environment_are_not_asked(judge, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert ask_all(judge, [chat("hi")])[0].text == "hi"


def test_a_wrong_endpoint_is_an_error_not_a_gap(judge):
    stranger = type(judge)(judge.url, "wrong", judge.name, judge.version)
    with pytest.raises(JudgeError, match="does not serve"):
        ask_all(stranger, [chat("hi")])


def test_the_endpoint_dies_with_its_context():
    with served(Echo()) as judge:
        assert ask_all(judge, [chat("hi")])[0].text == "hi"
    with pytest.raises(JudgeError, match="cannot be reached"):
        ask_all(judge, [chat("hi")])


def test_judges_are_found_by_name():
    assert answerer("toyland-gold").version == "1"
    assert answerer("surface-judge").note == "plumbing, not a measurement"
    with pytest.raises(ConfigError, match="toyland-gold"):
        answerer("gpt-4")
