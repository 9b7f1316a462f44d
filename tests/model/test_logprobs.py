"""The log-prob engine against plain torch: log_softmax of all logits, then gather, row by row.

Everything is float64, so that agreement to 1e-10 nats leaves no room for a misplaced token.
"""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import Gemma2Config, Gemma2ForCausalLM

from plumbline.errors import ConfigError
from plumbline.model.logprobs import check_head, pack, sequence_logprobs, token_logprobs

SMALL = {
    "vocab_size": 30,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
}
PROMPTS = [[5, 6, 7, 8], [9], [3, 3], [11, 12, 13]]
COMPLETIONS = [[4, 1], [20, 21, 22, 23, 1], [2], [29, 1, 28]]


def plain(model, prompt: list[int], completion: list[int]) -> torch.Tensor:
    """log p(completion token | all before it), one unpadded row at a time."""
    ids = torch.tensor([prompt + completion])
    with torch.no_grad():
        logs = model(input_ids=ids).logits.log_softmax(-1)[0]
    return logs[len(prompt) - 1 : -1].gather(1, torch.tensor(completion)[:, None])[:, 0]


@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
@pytest.mark.parametrize("architecture", ["gpt_neox", "llama", "mistral", "qwen2"])
def test_token_logprobs_are_the_plain_ones(tiny_model, architecture, tied):
    model = tiny_model(architecture, tied=tied)
    found = token_logprobs(model, pack(PROMPTS, COMPLETIONS))
    assert found.dtype == torch.float64 and found.shape == (4, 5)
    for row, (prompt, completion) in enumerate(zip(PROMPTS, COMPLETIONS, strict=True)):
        expected = plain(model, prompt, completion)
        torch.testing.assert_close(found[row, : len(completion)], expected, rtol=0, atol=1e-10)
        assert (found[row, len(completion) :] == 0).all(), "padding must be exactly zero"
    spread = found[found != 0]
    assert spread.max() - spread.min() > 1, "logits too flat for the comparison to mean anything"


@pytest.mark.parametrize("architecture", ["gpt_neox", "llama", "mistral", "qwen2"])
def test_a_plain_head_passes(tiny_model, architecture):
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        check_head(tiny_model(architecture).to(dtype).train(), [5, 6, 7])


def test_a_model_that_caps_its_logits_is_refused():
    """Gemma 2 squashes logits with tanh: here it turns -31 nats into -7."""
    sizes = SMALL | {"final_logit_softcapping": 3.0, "initializer_range": 0.9}
    torch.manual_seed(0)
    model = Gemma2ForCausalLM(Gemma2Config(**sizes)).double().eval()
    [found] = sequence_logprobs(model, [[5, 6]], [[7, 8]])
    assert abs(found - plain(model, [5, 6], [7, 8]).sum().item()) > 1, "wrong without a word"
    with pytest.raises(ConfigError, match="Gemma2ForCausalLM changes its logits"):
        check_head(model, [5, 6, 7])


def test_their_gradient_is_the_plain_one(tiny_model):
    model = tiny_model()
    weights = torch.randn(4, 5, dtype=torch.float64)
    (token_logprobs(model, pack(PROMPTS, COMPLETIONS)) * weights).sum().backward()
    ours = {name: item.grad.clone() for name, item in model.named_parameters()}
    model.zero_grad()
    total = torch.zeros((), dtype=torch.float64)
    for row, (prompt, completion) in enumerate(zip(PROMPTS, COMPLETIONS, strict=True)):
        logs = model(input_ids=torch.tensor([prompt + completion])).logits.log_softmax(-1)[0]
        for column, token in enumerate(completion):
            total = total + weights[row, column] * logs[len(prompt) - 1 + column, token]
    total.backward()
    for name, item in model.named_parameters():
        torch.testing.assert_close(ours[name], item.grad, rtol=1e-9, atol=1e-12)


def test_padding_cannot_be_seen(tiny_model):
    """Other ids in the padding, and other rows beside it, leave a row's numbers alone."""
    model = tiny_model()
    block = pack(PROMPTS, COMPLETIONS)
    found = token_logprobs(model, block)
    ends = block.starts + block.lengths
    block.ids[torch.arange(block.ids.shape[1]) >= ends[:, None]] = 17
    torch.testing.assert_close(token_logprobs(model, block), found, rtol=0, atol=1e-12)
    alone = token_logprobs(model, pack(PROMPTS[:1], COMPLETIONS[:1]))
    torch.testing.assert_close(alone[0], found[0, :2], rtol=0, atol=1e-12)


def test_float32_models_give_float32(tiny_model):
    found = token_logprobs(tiny_model().float(), pack(PROMPTS, COMPLETIONS))
    assert found.dtype == torch.float32


def test_half_precision_logits_are_normalised_in_float32(tiny_model):
    """A bfloat16 model's probabilities still sum to one: logsumexp is not rounded to 8 bits."""
    model = tiny_model().to(torch.bfloat16)
    every = [[token] for token in range(30)]
    found = token_logprobs(model, pack([[5, 6]] * 30, every))
    assert found.dtype == torch.float32
    assert found.double().exp().sum().item() == pytest.approx(1, abs=1e-5)


rows = st.lists(
    st.tuples(
        st.lists(st.integers(1, 29), min_size=1, max_size=6),
        st.lists(st.integers(1, 29), min_size=1, max_size=6),
    ),
    min_size=1,
    max_size=5,
)


@given(rows)
def test_pack_keeps_every_token_and_pads_on_the_right(given):
    block = pack(*zip(*given, strict=True))
    assert block.ids.shape[1] == max(len(prompt) + len(answer) for prompt, answer in given)
    for row, (prompt, completion) in enumerate(given):
        end = len(prompt) + len(completion)
        assert block.ids[row, :end].tolist() == prompt + completion
        assert not block.ids[row, end:].any()
        assert (block.starts[row], block.lengths[row]) == (len(prompt), len(completion))


@pytest.mark.parametrize("batch", [1, 2, 3, 256])
def test_sums_come_in_the_order_given(tiny_model, batch):
    """They are computed in order of length: the longest row stands second here."""
    model = tiny_model()
    found = sequence_logprobs(model, PROMPTS, COMPLETIONS, batch)
    expected = [plain(model, *row).sum().item() for row in zip(PROMPTS, COMPLETIONS, strict=True)]
    assert found == pytest.approx(expected, abs=1e-10)


def test_probabilities_of_all_two_token_answers_sum_to_one(tiny_model):
    model = tiny_model()
    answers = [[first, second] for first in range(30) for second in range(30)]
    sums = sequence_logprobs(model, [[5, 6, 7]] * 900, answers)
    assert torch.tensor(sums, dtype=torch.float64).exp().sum().item() == pytest.approx(1, abs=1e-9)
    assert all(value < 0 for value in sums)
