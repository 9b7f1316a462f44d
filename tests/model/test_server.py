"""A server that answers in place of a model here: OpenAI's own client against scripted servers."""

import pytest
from scripted import fails, says, upstream

from plumbline.errors import ConfigError
from plumbline.model.sampling import Turn
from plumbline.model.server import connected
from plumbline.model.tokenizer import prompt_ids
from plumbline.schema import Generation

HELLO = [{"role": "user", "content": "the cat"}]
ASKED = [HELLO, [{"role": "user", "content": "the mat"}]]


def choice(url: str, **options) -> Generation:
    return Generation(name="vllm 0.9", base_url=url, timeout_seconds=5, **options)


def speak(stage, **options) -> list[Turn | None]:
    with connected(choice(stage.url, **options), "judge-9", seed=0) as server:
        return server.speak(ASKED, ["a/0", "b/0"], 0.7, 5)


def test_answers_come_in_the_order_asked():
    def echo(handler):
        says(handler.asked["messages"][-1]["content"].upper())(handler)

    with upstream(echo) as stage:
        assert speak(stage) == [Turn("THE CAT", True, 2), Turn("THE MAT", True, 2)]


def test_a_request_says_how_to_decode_and_has_a_seed_of_its_own():
    seen = {}

    def record(handler):
        seen[handler.asked["messages"][-1]["content"]] = handler.asked
        says()(handler)

    with upstream(record) as stage:
        speak(stage)
        first = dict(seen)
        speak(stage)
    assert seen == first, "the same seeds again"
    cat, mat = seen["the cat"], seen["the mat"]
    assert (cat["temperature"], cat["top_p"], cat["max_tokens"]) == (0.7, 1.0, 5)
    assert cat["model"] == "judge-9" and cat["seed"] != mat["seed"]


def test_an_answer_that_ends_at_the_limit_says_so_and_an_empty_one_is_kept():
    with upstream(says("", finish="length")) as stage:
        assert speak(stage) == [Turn("", False, 2)] * 2


@pytest.mark.parametrize("status", [400, 422])
def test_a_request_too_long_is_refused_alone(status, capsys):
    def long_cats(handler):
        is_cat = handler.asked["messages"][-1]["content"] == "the cat"
        (fails(status) if is_cat else says("fine"))(handler)

    with upstream(long_cats) as stage:
        assert speak(stage) == [None, Turn("fine", True, 2)]
    assert "refused: a/0" in capsys.readouterr().out


def test_a_busy_server_is_asked_again():
    with upstream(fails(429, Retry_After="0"), fails(503, Retry_After="0"), says("fine")) as stage:
        assert speak(stage, workers=1) == [Turn("fine", True, 2)] * 2
        assert stage.seen == {"the cat": 3, "the mat": 1}


def test_a_key_is_sent_and_never_shown(monkeypatch):
    monkeypatch.setenv("SERVER_KEY", "sk-canary")
    with (
        upstream(fails(401)) as stage,
        pytest.raises(ConfigError, match="does not answer") as caught,
    ):
        speak(stage, key_env="SERVER_KEY")
    assert stage.bearers == {"Bearer sk-canary"}
    chain = str(caught.value), repr(caught.value)
    assert not any("sk-canary" in text for text in chain)


def test_a_key_that_is_not_there(monkeypatch):
    monkeypatch.delenv("SERVER_KEY", raising=False)
    with (
        pytest.raises(ConfigError, match=r"generation.key_env: .*export SERVER_KEY"),
        connected(choice("http://127.0.0.1:9/v1", key_env="SERVER_KEY"), "x", seed=0),
    ):
        pass


def test_a_model_that_is_not_served():
    with (
        upstream(says()) as stage,
        pytest.raises(ConfigError, match="no model 'other'; it has 'judge-9'"),
        connected(choice(stage.url), "other", seed=0),
    ):
        pass


def test_nobody_there(monkeypatch):
    monkeypatch.setattr("plumbline.model.server.RETRIES", 0)
    with (
        pytest.raises(ConfigError, match="cannot be reached.*start the server"),
        connected(choice("http://127.0.0.1:9/v1"), "x", seed=0),
    ):
        pass


@pytest.mark.parametrize(
    ("extra", "fine"), [(lambda count: 0, True), (lambda count: 1, False), (len, False)]
)
def test_a_server_that_reads_other_tokens_is_stopped(bytes_bpe, extra, fine):
    """A second start token is one more; a template of its own, more the longer the conversation."""

    def count(messages):
        return len(prompt_ids(bytes_bpe, messages)) + extra(messages)

    with (
        upstream(says(count=count)) as stage,
        connected(choice(stage.url), "judge-9", seed=0) as server,
    ):
        if fine:
            server.check_template(bytes_bpe)
            return
        with pytest.raises(ConfigError, match="chat template or start token is not the model's"):
            server.check_template(bytes_bpe)
