"""The head in blocks against plain torch over all logits at once: values, gradients, memory.

Expected numbers are autograd's own, through log_softmax of a model's whole logits.
"""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
    PhiConfig,
    PhiForCausalLM,
)

from plumbline.errors import ConfigError
from plumbline.model import head
from plumbline.model.head import (
    Divergence,
    Entropy,
    Head,
    Largest,
    Logprob,
    LogSquares,
    ReverseDivergence,
    check_head,
    head_of,
    read,
)

ROWS, WIDTH, WORDS = 7, 5, 30


@pytest.fixture(autouse=True, params=[1, 3, 100], ids="rows-a-block-{}".format)
def small_blocks(request, monkeypatch):
    """One row a block, a block that does not divide the rows, and one block for all."""
    monkeypatch.setitem(head.BLOCK, "cpu", request.param * WORDS)


def a_head(dtype=torch.float64, *, bias=False, scale=1.0, cap=None) -> Head:
    torch.manual_seed(0)
    weight = torch.randn(WORDS, WIDTH, dtype=torch.float64).to(dtype).requires_grad_()
    shift = torch.randn(WORDS, dtype=torch.float64).to(dtype).requires_grad_() if bias else None
    return Head(weight, shift, scale, cap)


def some_hidden(dtype=torch.float64, seed=1) -> torch.Tensor:
    torch.manual_seed(seed)
    return torch.randn(ROWS, WIDTH, dtype=torch.float64).to(dtype).requires_grad_()


def plain_logits(given: Head, hidden: torch.Tensor) -> torch.Tensor:
    logits = given.scale * (hidden @ given.weight.T + (0 if given.bias is None else given.bias))
    return logits if given.cap is None else given.cap * (logits / given.cap).tanh()


TARGETS = torch.tensor([3, 0, 29, 3, 7, 7, 12])
OTHER = some_hidden(seed=2).detach()
READINGS = {
    "logprob": (
        lambda other: Logprob(TARGETS),
        lambda logs, other: logs[torch.arange(ROWS), TARGETS],
    ),
    "entropy": (lambda other: Entropy(), lambda logs, other: -(logs.exp() * logs).sum(1)),
    "divergence": (
        lambda other: Divergence(other, OTHER.to(other.weight.dtype)),
        lambda logs, other: (other.exp() * (other - logs)).sum(1),
    ),
    "reverse divergence": (
        lambda other: ReverseDivergence(other, OTHER.to(other.weight.dtype)),
        lambda logs, other: (logs.exp() * (logs - other)).sum(1),
    ),
    "log squares": (
        lambda other: LogSquares(),
        lambda logs, other: logs.exp().square().sum(1).log(),
    ),
}


def both(kind: str, given: Head, hidden: torch.Tensor) -> tuple[list, list]:
    """(value and gradients) by blocks, and by plain torch."""
    make, plain = READINGS[kind]
    with torch.no_grad():
        other = Head(given.weight.flip(0).contiguous())
        theirs = plain_logits(other, OTHER.to(hidden.dtype)).log_softmax(1)
    leaves = [item for item in (hidden, given.weight, given.bias) if item is not None]
    found = []
    for value in (
        read(given, hidden, make(other)),
        plain(plain_logits(given, hidden).log_softmax(1), theirs),
    ):
        upstream = torch.linspace(-1, 2, ROWS, dtype=value.dtype)
        found.append([value.detach(), *torch.autograd.grad((value * upstream).sum(), leaves)])
    return tuple(found)


VARIANTS = {
    "plain": {},
    "bias": {"bias": True},
    "scale": {"scale": 0.0625},
    "cap": {"cap": 3.0},
    "all": {"bias": True, "scale": 0.5, "cap": 2.0},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("kind", READINGS)
def test_float64_to_1e_10_elementwise(kind, variant):
    ours, theirs = both(kind, a_head(**VARIANTS[variant]), some_hidden())
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)
        assert other.abs().max() > 1e-3, "too small for the comparison to mean anything"


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_largest_logit_is_read_and_carries_gradient(variant):
    given, hidden = a_head(**VARIANTS[variant]), some_hidden()
    leaves = [item for item in (hidden, given.weight, given.bias) if item is not None]
    weights = torch.linspace(-1, 2, ROWS, dtype=torch.float64)
    ours, theirs = read(given, hidden, Largest()), plain_logits(given, hidden).amax(1)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)
    slopes = (torch.autograd.grad((item * weights).sum(), leaves) for item in (ours, theirs))
    for one, other in zip(*slopes, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", READINGS)
def test_float32_to_1e_5_of_the_gradients_norm(kind):
    single = both(kind, a_head(torch.float32), some_hidden(torch.float32))[0]
    double = both(kind, a_head(), some_hidden())[1]
    for one, other in zip(single, double, strict=True):
        assert (one.double() - other).norm() < 1e-5 * other.norm()


@pytest.mark.parametrize("kind", READINGS)
def test_bf16_hidden_states_read_in_float32(kind):
    """The difference is that of rounding inputs and products to 8 bits, not of the reading: a
    hundredth of the norm, where 30 words and a width of 5 were measured at 0.006."""
    given, hidden = a_head(torch.float32), some_hidden(torch.float32)
    make, _ = READINGS[kind]
    value = read(given, hidden.to(torch.bfloat16), make(Head(given.weight.detach().flip(0))))
    double = both(kind, a_head(), some_hidden())[1][0]
    assert value.dtype == torch.float32
    assert (value.double() - double).norm() < 0.02 * double.norm()


@given(st.integers(0, 2**31), st.floats(0, 80))
def test_an_entropy_lies_between_0_and_log_v(seed, spread):
    logits = spread * torch.randn(4, WORDS, generator=torch.Generator().manual_seed(seed))
    found = Entropy().value(logits.double())
    assert (found >= -1e-12).all() and (found <= torch.tensor(WORDS).double().log() + 1e-12).all()


@given(st.integers(0, 2**31))
def test_a_divergence_is_0_from_itself_and_positive_from_others(seed):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(2, 4, WIDTH, generator=generator, dtype=torch.float64)
    own = a_head()
    itself = Divergence(own, rows[0]).value(own.logits(rows[0]))
    other = Divergence(own, rows[1]).value(own.logits(rows[0]))
    assert itself.abs().max() < 1e-12 and (other > 0).all()


def test_a_frozen_head_gets_no_gradient():
    """An adapter trains hidden states only: the products for the head's own gradient are saved."""
    given = a_head()
    frozen, hidden = Head(given.weight.detach()), some_hidden()
    read(frozen, hidden, Logprob(TARGETS)).sum().backward()
    assert hidden.grad.abs().max() > 0 and frozen.weight.grad is None


def test_no_tensor_is_as_large_as_all_logits(monkeypatch):
    """Of 4,096 rows and 2,000 words, 8 million logits, at most two blocks are alive at a time."""
    block, words, rows = 100_000, 2_000, 4_096
    monkeypatch.setitem(head.BLOCK, "cpu", block)
    weight, hidden = torch.randn(words, 8), torch.randn(rows, 8, requires_grad=True)
    reading = Logprob(torch.zeros(rows, dtype=torch.long))
    with torch.profiler.profile(profile_memory=True) as seen:
        read(Head(weight), hidden, reading).sum().backward()
    largest = max(item.self_cpu_memory_usage for item in seen.events())
    assert 4 * block / 2 < largest < 3 * 4 * block < 4 * rows * words / 20


SMALL = {
    "vocab_size": WORDS,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "initializer_range": 0.4,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "bos_token_id": 2,
}
SPECIAL = {
    "logit scale": lambda: CohereForCausalLM(CohereConfig(**SMALL, logit_scale=0.25)),
    "logits scaling": lambda: GraniteForCausalLM(GraniteConfig(**SMALL, logits_scaling=8.0)),
    "soft cap": lambda: Gemma2ForCausalLM(
        Gemma2Config(**SMALL, head_dim=8, final_logit_softcapping=3.0)
    ),
    "bias": lambda: PhiForCausalLM(PhiConfig(**SMALL)),
}


@pytest.mark.parametrize("name", SPECIAL)
def test_heads_of_other_architectures(name):
    torch.manual_seed(0)
    model = SPECIAL[name]().double().eval()
    if name == "bias":
        torch.nn.init.normal_(model.lm_head.bias)
    ids = torch.arange(3, 20)[None]
    check_head(model, ids[0].tolist())
    hidden = model.base_model(input_ids=ids, use_cache=False).last_hidden_state[0]
    found = read(head_of(model), hidden[:-1], Logprob(ids[0, 1:]))
    expected = model(input_ids=ids).logits[0, :-1].log_softmax(1).gather(1, ids[0, 1:, None])[:, 0]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    assert expected.std() > 0.1


@pytest.mark.parametrize("architecture", ["gpt_neox", "llama", "mistral", "qwen2"])
def test_a_plain_head_passes(tiny_model, architecture):
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        check_head(tiny_model(architecture).to(dtype).eval(), [5, 6, 7])


def test_a_model_that_changes_its_logits_otherwise_is_refused(tiny_model):
    model = tiny_model()
    model.register_forward_hook(lambda *given: setattr(given[-1], "logits", given[-1].logits * 2))
    with pytest.raises(ConfigError, match="GPTNeoXForCausalLM changes its logits"):
        check_head(model, [5, 6, 7])
