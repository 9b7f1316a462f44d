"""Answers: greedy is arg max, sampling is softmax, and nothing but the prompt decides the noise."""

from collections import Counter

import pytest
import torch
from scipy.stats import chisquare

from plumbline.model.sampling import Answer, GumbelNoise, generate

END = 1
PROMPTS = [[5, 6, 7, 8], [9], [3, 3], [11, 12, 13], [4, 4, 4, 4, 4, 4]]
KEYS = [f"prompt {index}" for index in range(len(PROMPTS))]


def sample(model, prompts=PROMPTS, keys=KEYS, **options) -> list[Answer]:
    settings = {"temperature": 1.0, "max_new_tokens": 8, "seed": 0, "end": END} | options
    return generate(model, prompts, keys, **settings)


def greedy_by_hand(model, prompt: list[int], count: int) -> list[int]:
    """Arg max of the whole forward pass, one token at a time, without a cache."""
    ids = list(prompt)
    for _ in range(count):
        with torch.no_grad():
            token = int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax())
        ids.append(token)
        if token == END:
            break
    return ids[len(prompt) :]


@pytest.mark.parametrize("architecture", ["gpt_neox", "llama"])
def test_temperature_zero_is_arg_max(tiny_model, architecture):
    model = tiny_model(architecture)
    answers = sample(model, temperature=0.0)
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        expected = greedy_by_hand(model, prompt, 8)
        finished = expected[-1] == END
        assert answer == Answer(expected[: len(expected) - finished], finished)
    assert len({tuple(answer.ids) for answer in answers}) > 1


def test_greedy_answers_have_no_noise(tiny_model):
    model = tiny_model()
    assert sample(model, temperature=0.0, seed=1) == sample(model, temperature=0.0, seed=2)


def test_answers_do_not_depend_on_the_batch_or_its_order(tiny_model):
    model = tiny_model()
    together = sample(model)
    rows = zip(PROMPTS, KEYS, strict=True)
    assert [sample(model, [prompt], [key])[0] for prompt, key in rows] == together
    assert sample(model, PROMPTS[::-1], KEYS[::-1]) == together[::-1]
    assert sample(model, batch=2) == together
    assert len({tuple(answer.ids) for answer in together}) == len(PROMPTS)


def test_answers_depend_on_seed_and_key(tiny_model):
    model = tiny_model()
    assert sample(model) == sample(model)
    assert sample(model, seed=1) != sample(model)
    assert sample(model, keys=[f"{key}/1" for key in KEYS]) != sample(model)


def test_equal_prompts_with_different_keys_are_drawn_apart(tiny_model):
    answers = sample(tiny_model(), [[5, 6]] * 8, [str(index) for index in range(8)])
    assert len({tuple(answer.ids) for answer in answers}) > 4


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_first_tokens_follow_softmax(tiny_model, temperature):
    """Chi-square over 4000 draws at a fixed seed; Source: softmax(logits / temperature)."""
    draws, model = 4000, tiny_model()
    keys = [str(index) for index in range(draws)]
    options = {"temperature": temperature, "max_new_tokens": 1, "batch": 1000}
    answers = sample(model, [[5, 6]] * draws, keys, **options)
    found = Counter(END if answer.finished else answer.ids[0] for answer in answers)
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([[5, 6]])).logits[0, -1]
    expected = draws * (logits / temperature).softmax(-1)
    common = [token for token in range(len(expected)) if expected[token] >= 5]
    counts = [found[token] for token in common]
    wanted = [expected[token].item() for token in common]
    if draws - sum(wanted) > 1:  # all rare tokens together
        counts, wanted = [*counts, draws - sum(counts)], [*wanted, draws - sum(wanted)]
    wanted = [value * sum(counts) / sum(wanted) for value in wanted]
    assert len(common) >= 3 and chisquare(counts, wanted).pvalue > 1e-3


def test_later_tokens_are_drawn_afresh(tiny_model):
    """The noise of the second token is not that of the first."""
    flat = torch.zeros(1, 30, dtype=torch.float64)
    noise = GumbelNoise(1.0, [7])
    first, second = noise(None, flat), noise(None, flat)
    assert not torch.equal(first, second)
    assert torch.equal(GumbelNoise(1.0, [7])(None, flat), first)


def test_noise_is_gumbel():
    """Source: mean of the standard Gumbel distribution, Euler's constant; variance pi^2 / 6."""
    noise = GumbelNoise(1.0, [3])(None, torch.zeros(1, 100_000, dtype=torch.float64))
    assert noise.mean().item() == pytest.approx(0.57722, abs=0.02)
    assert noise.var().item() == pytest.approx(torch.pi**2 / 6, rel=0.03)


def test_an_answer_ends_at_its_end_token_or_at_the_limit(tiny_model):
    answers = sample(tiny_model(), [[5, 6]] * 200, [str(key) for key in range(200)])
    assert {answer.finished for answer in answers} == {True, False}
    for answer in answers:
        assert END not in answer.ids
        assert len(answer.ids) < 8 if answer.finished else len(answer.ids) == 8


def test_two_rows_that_end_at_different_lengths_do_not_disturb_each_other(tiny_model):
    """A row that has ended goes on being padded while the others are still drawn."""
    model = tiny_model()
    keys = [str(key) for key in range(30)]
    together = sample(model, [[5, 6]] * 30, keys, max_new_tokens=20)
    alone = [sample(model, [[5, 6]], [key], max_new_tokens=20)[0] for key in keys[:6]]
    assert together[:6] == alone
    assert len({len(answer.ids) for answer in together}) > 3
