"""Toyland's own benchmark on answers whose scores are worked out by hand."""

import pytest

from plumbline import Data
from plumbline.artifacts import write_rows
from plumbline.plugins import benchmark_spec
from plumbline.rows import FEEDBACK
from plumbline.score import summarise

RIGHT, WRONG = "two and three is five .", "two and three is six ."
LONG = "sure , two and three is five ."
QUESTION = "add two and three"


def feedback(number: int, text: str = QUESTION) -> dict:
    return {
        "id": f"row-{number}",
        "prompt": [{"role": "user", "content": text}],
        "completions": [WRONG, RIGHT],
        "scores": [0.0, 1.0],
        "chosen": 1,
        "rejected": 0,
    }


@pytest.fixture
def data(tmp_path) -> Data:
    rows = [feedback(0), feedback(1, QUESTION + " , in quotes"), feedback(2)]
    write_rows(tmp_path / "validation.parquet", rows, FEEDBACK)
    write_rows(tmp_path / "test.parquet", rows[2:], FEEDBACK)
    return Data(str(tmp_path), "toyland", 0)


@pytest.fixture
def toyland(module):
    return module("toyland")


@pytest.fixture
def scored(toyland, respond, data):
    """Values by (item, metric) of one answer given to every prompt."""

    def score(answer: str, finished: bool = True) -> dict[tuple[str, str], float]:
        responses = respond(toyland.prompts(data, "validation"), lambda row: [answer])
        for row in responses.rows:
            row["finished"] = [finished]
        items = toyland.score(responses)
        found = {(row["item"], row["metric"]): row["value"] for row in items}
        assert len(found) == len(items), "each number once"
        return found

    return score


def test_every_prompt_is_asked_twice(toyland, data):
    rows = toyland.prompts(data, "validation", limit=2, max_new_tokens=9)
    assert [(row["id"], row["temperature"]) for row in rows] == [
        ("row-0", 1.0),
        ("row-1", 1.0),
        ("row-0_greedy", 0.0),
        ("row-1_greedy", 0.0),
    ]
    assert all(row["max_new_tokens"] == 9 and row["follow_ups"] == [] for row in rows)
    assert [row["payload"]["chosen"] for row in rows] == [RIGHT] * 4
    assert len(toyland.prompts(data, "test")) == 2


@pytest.mark.parametrize(
    ("answer", "win", "reward", "helpful", "length"),
    [
        (RIGHT, 50.0, 2.0, 100.0, 6),  # as good as the chosen one: half a win
        (WRONG, 0.0, 0.0, 0.0, 6),
        (LONG, 0.0, 1.88, 100.0, 8),  # two words too many cost 0.12
        ("", 0.0, 0.0, 0.0, 0),
    ],
)
def test_scores_by_hand(scored, answer, win, reward, helpful, length):
    """Source: reward = 2 help - 2 harm - 0.06 excess; a win is the larger reward, a tie half."""
    found = scored(answer)
    for mode in ("", "_greedy"):
        assert found["row-0", "win_rate" + mode] == win
        assert found["row-0", "reward" + mode] == pytest.approx(reward)
        assert found["row-0", "help" + mode] == helpful
        assert found["row-0", "length" + mode] == length
        assert found["row-0", "harm" + mode] == 0.0


def test_a_better_answer_than_the_chosen_one_wins(toyland, respond, data):
    prompts = toyland.prompts(data, "validation", limit=1)
    for row in prompts:
        row["payload"]["chosen"] = WRONG
    items = toyland.score(respond(prompts, lambda row: [RIGHT]))
    wins = [row["value"] for row in items if row["metric"].startswith("win_rate")]
    assert wins == [100.0, 100.0]


def test_constraints_count_only_where_there_is_one(scored):
    found = scored(RIGHT)
    assert ("row-0", "constraint") not in found
    assert found["row-1", "constraint"] == 0.0 and found["row-1", "help"] == 50.0
    assert scored(f'" {RIGHT} "')["row-1", "constraint"] == 100.0


def test_an_insult_is_harm(scored):
    assert scored("you are dumb .")["row-0", "harm"] == 100.0


@pytest.mark.parametrize("finished", [True, False])
def test_unfinished_answers_are_counted(scored, finished):
    assert scored(RIGHT, finished)["row-2", "unfinished_greedy"] == 100.0 * (not finished)


@pytest.mark.parametrize(
    ("words", "share"),
    [
        ("", 0.0),
        ("a b", 0.0),  # no trigram
        ("a b c d", 0.0),
        ("a a a a", 1 / 2),  # two trigrams, one of them new
        ("a b c a b c", 1 / 4),  # abc bca cab abc
        ("a a a a a a a a a a a a", 9 / 10),
    ],
)
def test_repetition_by_hand(toyland, words, share):
    assert toyland.repetition(words.split()) == pytest.approx(share)


def test_items_lead_back_to_their_answers(toyland, respond, data):
    items = toyland.score(respond(toyland.prompts(data, "validation"), lambda row: [RIGHT]))
    assert {row["item"] for row in items} == {"row-0", "row-1", "row-2"}
    greedy = [row for row in items if row["metric"].endswith("_greedy")]
    assert all(row["response"] == f"{row['item']}_greedy" for row in greedy)
    assert len(greedy) == len(items) / 2


def test_every_declared_metric_comes_out_within_its_range(toyland, respond, data):
    """And none that is not declared: `summarise` would refuse it."""
    spec = benchmark_spec("toyland")
    items = toyland.score(respond(toyland.prompts(data, "validation"), lambda row: [LONG]))
    rows = {row["metric"]: row for row in summarise(toyland, spec, items)}
    for metric in spec.card.metrics:
        assert rows[metric.name]["status"] == "ok", metric
        assert metric.low <= rows[metric.name]["value"] <= metric.high
    expected = {name: row["n_expected"] for name, row in rows.items()}
    assert expected.pop("constraint") == expected.pop("constraint_greedy") == 1
    assert set(expected.values()) == {3}


def test_the_order_of_answers_changes_no_summary(toyland, respond, data):
    spec = benchmark_spec("toyland")
    prompts = toyland.prompts(data, "validation")
    answers = {row["id"]: text for row, text in zip(prompts, [RIGHT, WRONG, LONG] * 2, strict=True)}

    def summary(rows):
        items = toyland.score(respond(rows, lambda row: [answers[row["id"]]]))
        return {row["metric"]: row["value"] for row in summarise(toyland, spec, items)}

    assert summary(prompts) == pytest.approx(summary(prompts[::-1]))
