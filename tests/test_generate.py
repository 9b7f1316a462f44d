"""Answers turn by turn: a follow-up is asked after the model's own answer, in the order given.

What they say of themselves: nothing empty, unfinished, cut or refused is dropped or left uncounted.
"""

import copy

import pytest
import torch

from plumbline import generate as stage
from plumbline.errors import ConfigError
from plumbline.generate import answer, converse, counts
from plumbline.model.folder import scratch_model
from plumbline.model.logprobs import Policy
from plumbline.model.sampling import Answer, Turn
from plumbline.model.tokenizer import prompt_ids, word_tokenizer
from plumbline.rows import RESPONSE
from plumbline.schema import ScratchModel
from plumbline.toyland.world import VOCABULARY

torch.set_num_threads(1)
WORDS = VOCABULARY[20:40]


@pytest.fixture(scope="module")
def tokenizer():
    return word_tokenizer(VOCABULARY)


@pytest.fixture
def model(tokenizer):
    """A random GPT-NeoX in float64 with 64 positions."""
    choice = {"hidden_size": 16, "layers": 1, "heads": 2, "max_positions": 64}
    made = scratch_model(
        ScratchModel(architecture="gpt_neox", tokenizer="toyland", **choice), tokenizer
    ).double()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.5, generator=torch.Generator().manual_seed(3))
    return made


def row(name: str, text: str, *follow_ups: str, temperature: float = 1.0, limit: int = 6) -> dict:
    return {
        "id": name,
        "prompt": [{"role": "user", "content": text}],
        "follow_ups": list(follow_ups),
        "temperature": temperature,
        "max_new_tokens": limit,
        "payload": "{}",
    }


@pytest.fixture
def asked(monkeypatch):
    """Records what the sampler is asked; it answers with the prompt's number of tokens."""
    calls = []

    def record(model, prompts, keys, **options):
        calls.append({"prompts": prompts, "keys": keys, **options})
        return [Answer([20 + len(prompt)], True) for prompt in prompts]

    monkeypatch.setattr(stage, "generate", record)
    return calls


def test_the_second_turn_carries_the_models_own_first_answer(model, tokenizer, asked):
    one, two = WORDS[:2]
    [found] = answer(model, tokenizer, [row("q", one, two)], seed=0)
    # <user> w <bot> is 3 tokens, so the first answer is word 23; then 4 more tokens and 3 again.
    first = VOCABULARY[23]
    turns = [("user", one), ("assistant", first), ("user", two)]
    second = [{"role": role, "content": text} for role, text in turns]
    assert asked[0]["prompts"] == [prompt_ids(tokenizer, second[:1])]
    assert asked[1]["prompts"] == [prompt_ids(tokenizer, second)]
    assert found["answers"] == [first, VOCABULARY[20 + len(asked[1]["prompts"][0])]]
    assert found["finished"] == [True, True] and found["tokens"] == [1, 1]
    assert found["prompt"] == second[:1], "the row's own prompt is left alone"


def test_turns_have_noise_of_their_own(model, tokenizer, asked):
    answer(model, tokenizer, [row("q", WORDS[0], WORDS[1], WORDS[2])], seed=9)
    assert [call["keys"] for call in asked] == [["q/0"], ["q/1"], ["q/2"]]
    assert {call["seed"] for call in asked} == {9}


def test_prompts_that_are_decoded_differently_are_asked_apart(model, tokenizer, asked):
    rows = [
        row("a", WORDS[0]),
        row("b", WORDS[1], temperature=0.0),
        row("c", WORDS[2]),
        row("d", WORDS[3], limit=3),
        row("e", WORDS[4], WORDS[5]),
    ]
    found = answer(model, tokenizer, rows, seed=0)
    assert [item["id"] for item in found] == ["a", "b", "c", "d", "e"]
    kinds = {
        key: (call["temperature"], call["max_new_tokens"]) for call in asked for key in call["keys"]
    }
    assert kinds == {
        "a/0": (1.0, 6),
        "b/0": (0.0, 6),
        "c/0": (1.0, 6),
        "d/0": (1.0, 3),
        "e/0": (1.0, 6),
        "e/1": (1.0, 6),
    }


def test_a_long_prompt_is_cut_at_its_start(model, tokenizer, asked):
    """64 positions and 6 new tokens leave 58."""
    text = " ".join(WORDS * 5)
    found = answer(model, tokenizer, [row("q", text), row("r", WORDS[0])], seed=0)
    whole = prompt_ids(tokenizer, [{"role": "user", "content": text}])
    assert len(whole) > 58 and asked[0]["prompts"][0] == whole[-58:]
    assert [item["cut"] for item in found] == [[len(whole) - 58], [0]]


@pytest.mark.parametrize("limit", [64, 65])
def test_an_answer_that_leaves_no_room_for_its_prompt_is_refused(model, tokenizer, limit):
    with pytest.raises(
        ConfigError, match=f"max_new_tokens: {limit} leaves no room .* 64 positions"
    ):
        answer(model, tokenizer, [row("q", WORDS[0], limit=limit)], seed=0)


def test_order_and_company_change_no_answer(model, tokenizer):
    rows = [row(f"q{index}", word, WORDS[index + 1]) for index, word in enumerate(WORDS[:6])]
    found = answer(model, tokenizer, rows, seed=0)
    assert answer(model, tokenizer, rows[::-1], seed=0) == found[::-1]
    assert answer(model, tokenizer, rows[2:3], seed=0) == found[2:3]
    assert answer(model, tokenizer, rows, seed=0, batch=1) == found
    assert answer(model, tokenizer, rows, seed=0, batch=4) == found
    assert len({tuple(item["answers"]) for item in found}) == 6
    assert answer(model, tokenizer, rows, seed=1) != found


def test_rows_fit_the_schema_and_empty_answers_are_kept(model, tokenizer, monkeypatch):
    monkeypatch.setattr(stage, "generate", lambda *_, **__: [Answer([], True)])
    [found] = answer(model, tokenizer, [row("q", WORDS[0])], seed=0)
    assert found["answers"] == [""] and found["tokens"] == [0] and found["finished"] == [True]
    assert set(found) <= set(RESPONSE.names)


def test_special_words_are_no_part_of_an_answer(model, tokenizer, monkeypatch):
    """A model may say <user>; the text that is judged and carried on does not."""
    monkeypatch.setattr(stage, "generate", lambda *_, **__: [Answer([2, 25, 3], False)])
    [found] = answer(model, tokenizer, [row("q", WORDS[0])], seed=0)
    assert found["answers"] == [VOCABULARY[25]] and found["tokens"] == [3]


@pytest.mark.parametrize("training", [True, False])
def test_the_models_mode_is_left_as_it_was(model, tokenizer, training):
    model.train(training)
    answer(model, tokenizer, [row("q", WORDS[0])], seed=0)
    assert model.training is training


def another(model, seed: int):
    """A model of the same shape with other weights."""
    made = copy.deepcopy(model)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.5, generator=torch.Generator().manual_seed(seed))
    return made


def logits(model, tokenizer, prompt, ids=()) -> torch.Tensor:
    """Of the token after each of the last 1 + len(ids) of prompt and ids."""
    whole = [*prompt_ids(tokenizer, prompt), *ids]
    with torch.no_grad():
        return model(torch.tensor([whole])).logits[0, -1 - len(ids) :]


def test_an_answers_log_ratio_by_hand(model, tokenizer, monkeypatch):
    """Token by token from the models' own logits; the end token counts where it came."""
    ids, end, reference = [25, 30], tokenizer.eos_token_id, another(model, 4)
    for finished, drawn in ((True, [*ids, end]), (False, ids)):
        said = [Answer(ids, finished)]
        monkeypatch.setattr(stage, "generate", lambda *_, said=said, **__: said)
        asked = [row("q", WORDS[0])]
        [found] = answer(model, tokenizer, asked, seed=0, reference=Policy(reference))
        own, other = (
            sum(
                step.log_softmax(-1)[token].item()
                for step, token in zip(
                    logits(one, tokenizer, found["prompt"], drawn[:-1]), drawn, strict=True
                )
            )
            for one in (model, reference)
        )
        assert found["logratios"] == [pytest.approx(own - other)]


def test_the_mean_log_ratio_is_the_divergence(model, tokenizer):
    """Answers of one token, whose divergence is a sum over the vocabulary; four standard errors."""
    reference, asked = another(model, 4), [row(f"q{n}", WORDS[0], limit=1) for n in range(400)]
    found = answer(model, tokenizer, asked, seed=0, reference=Policy(reference))
    ratios = torch.tensor([item["logratios"][0] for item in found])
    p, q = (
        logits(one, tokenizer, asked[0]["prompt"])[-1].log_softmax(-1) for one in (model, reference)
    )
    exact = (p.exp() * (p - q)).sum()
    assert exact > 0.1 and abs(ratios.mean() - exact) < 4 * ratios.std() / 20


def test_without_a_reference_there_is_no_log_ratio(model, tokenizer):
    [found] = answer(model, tokenizer, [row("q", WORDS[0], WORDS[1])], seed=0)
    assert found["logratios"] == [None, None]


def test_nothing_asked_is_nothing_answered(model, tokenizer):
    assert answer(model, tokenizer, [], seed=0) == []


def test_a_refused_turn_ends_its_conversation_and_no_other():
    asked = []

    def speak(conversations, keys, temperature, limit):
        asked.append(keys)
        return [None if key == "a/1" else Turn(f"to {key}", True, 2) for key in keys]

    rows = [row("a", "x", "y", "z"), row("b", "x", "y", "z")]
    found = converse(speak, rows)
    assert asked == [["a/0", "b/0"], ["a/1", "b/1"], ["b/2"]]
    assert [item["answers"] for item in found] == [["to a/0"], ["to b/0", "to b/1", "to b/2"]]
    assert counts(found) == {"answered": 4, "empty": 0, "unfinished": 0, "cut": 0, "missing": 2}


def test_every_turn_is_counted_for_what_it_is():
    """Three turns of two rows: one says nothing, one spaces only and at the limit, one was cut."""
    turns = iter([Turn("", True, 0), Turn(" \n", False, 6), Turn("fine", True, 1, cut=9)])
    rows = converse(lambda given, *_: [next(turns) for _ in given], [row("a", "x"), row("b", "x")])
    rows += converse(lambda given, *_: [next(turns) for _ in given], [row("c", "x")])
    assert counts(rows) == {"answered": 3, "empty": 2, "unfinished": 1, "cut": 1, "missing": 0}
    assert [item["answers"] for item in rows] == [[""], [" \n"], ["fine"]], "all are kept"
    assert counts([]) == dict.fromkeys(["answered", "empty", "unfinished", "cut", "missing"], 0)
