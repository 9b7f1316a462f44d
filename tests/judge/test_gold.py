import math

import pytest

from plumbline.errors import JudgeError
from plumbline.judge.gold import GoldJudge
from plumbline.toyland import gold
from plumbline.toyland.evaluation import alpaca_reference, mt_bench_questions, reference_turns

GRADING = (
    "[Question]\n{question}\n\n[The Start of Assistant's Answer]\n{answer}\n"
    "[The End of Assistant's Answer]"
)


@pytest.fixture(scope="module")
def rows():
    return alpaca_reference(40)


def test_compares_as_the_gold_judge_does(rows, comparison):
    for row, other in zip(rows, rows[1:], strict=False):
        texts = row["instruction"], row["output"], other["output"]
        answer = GoldJudge().answer(comparison(*texts))
        verdicts = [gold.judge([row["instruction"]], text) for text in texts[1:]]
        assert answer.probabilities["m"] == gold.preference(*verdicts)


def test_swapping_the_outputs_swaps_the_verdict_exactly(rows, comparison):
    for row, other in zip(rows, rows[1:], strict=False):
        straight = GoldJudge().answer(
            comparison(row["instruction"], row["output"], other["output"])
        )
        swapped = GoldJudge().answer(comparison(row["instruction"], other["output"], row["output"]))
        assert straight.probabilities["m"] == swapped.probabilities["M"]
        assert straight.probabilities["M"] == swapped.probabilities["m"]
        assert math.isclose(sum(straight.probabilities.values()), 1.0)


def test_chooses_the_response_of_higher_reward_wherever_it_stands(rows, choice):
    for row, other in zip(rows, rows[1:], strict=False):
        conversation = f"Human: {row['instruction']}"
        right, wrong = row["output"], other["output"]
        verdicts = [gold.judge([row["instruction"]], text).reward for text in (right, wrong)]
        if verdicts[0] > verdicts[1]:
            straight = GoldJudge().answer(choice(conversation, right, wrong)).text
            swapped = GoldJudge().answer(choice(conversation, wrong, right)).text
            assert straight.endswith("\nBetter response: A")
            assert swapped.endswith("\nBetter response: B")


def test_rates_right_answers_ten_and_silence_lower():
    question = mt_bench_questions()[0]["turns"][0]
    right = GRADING.format(question=question, answer=reference_turns([question])[0])
    silent = GRADING.format(question=question, answer="")
    assert GoldJudge().answer([{"content": right}]).text.endswith("Rating: [[10]]")
    assert not GoldJudge().answer([{"content": silent}]).text.endswith("Rating: [[10]]")


def test_refuses_what_is_not_toyland():
    prompt = GRADING.format(question="Who wrote Hamlet?", answer="Shakespeare")
    with pytest.raises(JudgeError, match="Toyland's prompts only"):
        GoldJudge().answer([{"content": prompt}])
