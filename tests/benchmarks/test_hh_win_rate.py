import pytest
from served import served

from plumbline import Data
from plumbline.artifacts import write_rows
from plumbline.contracts import Judge
from plumbline.errors import ConfigError
from plumbline.judge.client import Reply
from plumbline.judge.wire import Answer
from plumbline.rows import FEEDBACK
from plumbline.score import means

COUNT = 40


@pytest.fixture(scope="module")
def hh(module):
    return module("hh_win_rate")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Data:
    """Feedback on `COUNT` conversations of two user turns; the last has no preferred response."""
    folder = tmp_path_factory.mktemp("data")
    rows = [
        {
            "id": f"row-{index}",
            "prompt": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": "hello"},
                {"role": "user", "content": f"what is {index} {{braces}} ?"},
            ],
            "completions": [f"rejected {index}", f"chosen {index}"],
            "chosen": 1 if index < COUNT else None,
            "rejected": 0,
        }
        for index in range(COUNT + 1)
    ]
    write_rows(folder / "validation.parquet", rows, FEEDBACK)
    return Data(str(folder), "hh_rlhf", 0)


class Partial:
    """Prefers the response that holds a word, wherever it stands, or says something else."""

    name, version, note = "partial", "1", ""

    def __init__(self, word: str, form: str = "Comparison: .\nBetter response: {}") -> None:
        self.word, self.form = word, form

    def answer(self, messages) -> Answer:
        _, second = messages[-1]["content"].split("[Response B]")
        return Answer(self.form.format("B" if self.word in second else "A"))


def win_rate(hh, judge, responses) -> dict:
    with served(judge) as endpoint:
        items = hh.score(responses, endpoint)
    return {row["metric"]: row for row in means(items)}["win_rate"]


def test_prompts_keep_the_conversation_and_leave_out_rows_without_a_preference(hh, data):
    rows = hh.prompts(data, "validation", limit=1000, max_new_tokens=9, temperature=0.5)
    assert len(rows) == COUNT
    assert rows[3]["prompt"][-1]["content"] == "what is 3 {braces} ?"
    assert rows[3]["payload"]["chosen"] == "chosen 3"
    assert {(row["max_new_tokens"], row["temperature"]) for row in rows} == {(9, 0.5)}
    assert len(hh.prompts(data, "validation", limit=4)) == 4


def test_both_orders_occur_and_another_seed_draws_others(hh, data):
    drawn, again, others = (
        [row["payload"]["shown_as"] for row in hh.prompts(data, "validation", order_seed=seed)]
        for seed in (0, 0, 1)
    )
    assert drawn == again != others
    # Of 40 fair draws, fewer than 8 of a kind come up in one seed of 20,000 (binomial tail).
    assert 8 <= drawn.count("A") <= COUNT - 8


def test_who_is_preferred_wins_wherever_it_is_shown(hh, data, respond):
    responses = respond(hh.prompts(data, "validation"), lambda row: ["mine"])
    assert win_rate(hh, Partial("mine"), responses)["value"] == 100.0
    assert win_rate(hh, Partial("chosen"), responses)["value"] == 0.0


def test_a_judge_that_reads_the_place_alone_gives_the_share_of_that_place(hh, data, respond):
    rows = hh.prompts(data, "validation")
    share = 100 * sum(row["payload"]["shown_as"] == "A" for row in rows) / COUNT
    found = win_rate(hh, Partial("no such word"), respond(rows, lambda row: ["mine"]))
    assert found["value"] == pytest.approx(share)


def test_the_judge_sees_the_whole_conversation_and_no_name(hh, data, respond):
    responses = respond(hh.prompts(data, "validation", limit=1), lambda row: ["mine"], name="dpo")
    [message] = hh._request(responses.rows[0], "A")["messages"]
    turns = "[Conversation]\nHuman: hi\n\nAssistant: hello\n\nHuman: what is 0 {braces} ?\n["
    assert turns in message["content"]
    assert "dpo" not in message["content"]


@pytest.mark.parametrize("form", ["{}", "Better response: {0}\nBetter response: {0}", "A or B"])
def test_an_unreadable_verdict_is_a_gap(hh, data, respond, form):
    responses = respond(hh.prompts(data, "validation", limit=3), lambda row: ["mine"])
    with served(Partial("mine", form)) as judge:
        items = hh.score(responses, judge)
    wins = [item for item in items if item["metric"] == "win_rate"]
    assert {item["status"] for item in wins} == {"missing"}
    assert all("verdicts in the judgment" in item["reason"] for item in wins)
    assert all(item["judgment"] and "Better" not in item["reason"] for item in wins)


@pytest.mark.parametrize(
    "text", ['Better response: "B"', "Better response:\nB", "Better response: **B**"]
)
def test_verdicts_are_read_through_quotes_and_marks(hh, text):
    reply = Reply({"message": {"content": f"Comparison: A is worse.\n{text}"}}, "key")
    assert hh._verdict("B", reply)["value"] == 100.0
    assert hh._verdict("A", reply)["value"] == 0.0


def test_in_both_orders_a_liking_for_a_place_is_half_a_win(hh, data, respond):
    responses = respond(hh.prompts(data, "validation", limit=9), lambda row: ["mine"])
    for word, expected in (("no such word", 50.0), ("mine", 100.0), ("chosen", 0.0)):
        with served(Partial(word)) as judge:
            items = hh.score(responses, judge, orders=2)
        wins = [item for item in items if item["metric"] == "win_rate"]
        assert [item["value"] for item in wins] == [expected] * 9
        assert all(len(set(item["judgment"].split())) == 2 for item in wins)


def test_an_order_without_a_verdict_is_a_gap(hh, data, respond):
    """The judge answers only where the answer is shown as B."""

    class Half(Partial):
        def answer(self, messages):
            said = super().answer(messages)
            return said if said.text.endswith("B") else Answer("I cannot say")

    responses = respond(hh.prompts(data, "validation", limit=3), lambda row: ["mine"])
    with served(Half("mine")) as judge:
        items = hh.score(responses, judge, orders=2)
    wins = [item for item in items if item["metric"] == "win_rate"]
    assert {item["reason"] for item in wins} == {"0 verdicts in the judgment; must be 1"}


@pytest.mark.parametrize("orders", [0, 3])
def test_other_numbers_of_orders_are_refused(hh, data, respond, orders):
    responses = respond(hh.prompts(data, "validation", limit=1), lambda row: ["mine"])
    with served(Partial("mine")) as judge, pytest.raises(ConfigError, match="orders: .*1 .*or 2"):
        hh.score(responses, judge, orders=orders)


def test_length_is_in_words(hh, data, respond):
    responses = respond(hh.prompts(data, "validation", limit=2), lambda row: ["three short words"])
    with served(Partial("three")) as judge:
        items = hh.score(responses, judge)
    assert [item["value"] for item in items if item["metric"] == "length"] == [3.0, 3.0]


def test_nobody_is_asked_about_a_missing_answer(hh, data, respond):
    responses = respond(hh.prompts(data, "validation", limit=1), lambda row: [])
    items = hh.score(responses, Judge("http://127.0.0.1:9/v1", "token", "none", "0"))
    assert [(item["metric"], item["reason"]) for item in items] == [
        ("win_rate", "no answer"),
        ("length", "no answer"),
    ]
