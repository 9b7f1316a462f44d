import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.judge.surface import STAMP, SurfaceJudge, surface_score
from plumbline.judge.wire import completion


@given(st.text(), st.text(), st.none() | st.text())
def test_scores_lie_between_zero_and_one(question, answer, reference):
    assert 0 <= surface_score(question, answer, reference) <= 1


def test_scores_by_hand():
    # Source: the formula in the module's docstring, worked out by hand: coverage 1/2,
    # length 1 - exp(-4/100), variety 2/3, F1 of {red, fox} with {fox} 2/3.
    plain = (2 * 0.5 + 0.0392105608 + 2 / 3) / 4
    assert surface_score("red hat", "red fox red fox") == pytest.approx(plain)
    assert surface_score("red hat", "red fox red fox", "fox") == pytest.approx(
        (4 * plain + 4 * 2 / 3) / 8
    )


def test_swapping_the_outputs_swaps_the_verdict_exactly(comparison):
    judge = SurfaceJudge()
    straight = judge.answer(comparison("Name a fruit", "An apple.", "Fruit is nice, nice, nice"))
    swapped = judge.answer(comparison("Name a fruit", "Fruit is nice, nice, nice", "An apple."))
    assert straight.probabilities["m"] == swapped.probabilities["M"]
    assert straight.probabilities["M"] == swapped.probabilities["m"]
    assert straight.text != swapped.text


def test_chooses_the_better_scored_response_wherever_it_stands(choice):
    # The question's words, covered by "An apple is a fruit" and not by "No", decide.
    texts = "An apple is a fruit", "No"
    conversation = "Human: hi\n\nAssistant: hello\n\nHuman: Name a fruit"
    straight = SurfaceJudge().answer(choice(conversation, *texts)).text
    swapped = SurfaceJudge().answer(choice(conversation, *reversed(texts))).text
    assert straight.endswith("Better response: A") and swapped.endswith("Better response: B")
    assert STAMP in straight and straight.startswith("Comparison: ")


def test_every_answer_carries_the_stamp():
    prompt = (
        "[Question]\nq\n\n[The Start of Assistant's Answer]\na\n[The End of Assistant's Answer]"
    )
    judge = SurfaceJudge()
    answer = judge.answer([{"content": prompt}])
    assert STAMP == "plumbing, not a measurement"
    assert STAMP in answer.text
    assert STAMP in completion(judge, {"messages": []}, answer)["system_fingerprint"]
