"""The log-prob engine against plain torch: log_softmax of all logits, then gather, row by row.

Everything is float64, so that agreement to 1e-10 nats leaves no room for a misplaced token.
"""

import pytest
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from plumbline.model import attention
from plumbline.model.head import Divergence, Entropy
from plumbline.model.logprobs import (
    Policy,
    can_share,
    mean_hidden,
    passes,
    sequence_logprobs,
)
from plumbline.model.sequences import apart, together

GROUPS = [
    ([5, 6, 7, 8], [[4, 1], [20, 21, 22, 23, 1]]),
    ([9], [[2], [7, 7]]),
    ([3, 3], [[29, 1, 28], [3]]),
]
FLAT = [(prompt, ids) for prompt, answers in GROUPS for ids in answers]
ARCHITECTURES = ["gpt_neox", "llama", "mistral", "qwen2"]


def plain(model, prompt: list[int], completion: list[int]) -> torch.Tensor:
    """log p(completion token | all before it), one unpadded row at a time."""
    logs = model(input_ids=torch.tensor([prompt + completion])).logits.log_softmax(-1)[0]
    return logs[len(prompt) - 1 : -1].gather(1, torch.tensor(completion)[:, None])[:, 0]


def logprobs(policy: Policy) -> torch.Tensor:
    return policy(policy.pack(GROUPS))[0]


@pytest.mark.parametrize("arrange", [together, apart])
@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_token_logprobs_are_the_plain_ones(tiny_model, architecture, tied, arrange):
    model = tiny_model(architecture, tied=tied)
    found = logprobs(Policy(model, arrange)).detach()
    assert found.dtype == torch.float64 and found.shape == (6, 5)
    for row, (prompt, completion) in enumerate(FLAT):
        expected = plain(model, prompt, completion)
        torch.testing.assert_close(found[row, : len(completion)], expected, rtol=0, atol=1e-10)
        assert (found[row, len(completion) :] == 0).all(), "padding must be exactly zero"
    spread = found[found != 0]
    assert spread.max() - spread.min() > 1, "logits too flat for the comparison to mean anything"


@pytest.mark.parametrize("arrange", [together, apart])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_their_gradient_is_the_plain_one(tiny_model, architecture, arrange):
    model = tiny_model(architecture)
    weights = torch.randn(6, 5, dtype=torch.float64)
    (logprobs(Policy(model, arrange)) * weights).sum().backward()
    ours = {name: item.grad.clone() for name, item in model.named_parameters()}
    model.zero_grad()
    sum(
        (plain(model, prompt, completion) * weights[row, : len(completion)]).sum()
        for row, (prompt, completion) in enumerate(FLAT)
    ).backward()
    for name, item in model.named_parameters():
        torch.testing.assert_close(ours[name], item.grad, rtol=0, atol=1e-10)
        assert item.grad.abs().max() > 1e-6 or "key" in name or "query_key" in name


def test_attention_written_out_takes_the_mask_too(tiny_model):
    """transformers' own takes its softmax in float32, whatever the model's precision."""
    model = tiny_model("llama")
    expected = logprobs(Policy(model, together))
    model.set_attn_implementation("eager")
    torch.testing.assert_close(logprobs(Policy(model, together)), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("arrange", [together, apart])
def test_padding_cannot_be_seen(tiny_model, arrange):
    """Other ids in the padding, and other rows beside it, leave a row's numbers alone."""
    policy = Policy(tiny_model(), arrange)
    block = policy.pack(GROUPS)
    found = policy(block)[0]
    lengths = [len(prompt) + sum(map(len, answers)) for prompt, answers in arrange(GROUPS)]
    for row, length in enumerate(lengths):
        block.ids[row, length:] = 17
    torch.testing.assert_close(policy(block)[0], found, rtol=0, atol=1e-12)
    alone = policy(policy.pack(GROUPS[:1]))[0]
    torch.testing.assert_close(alone, found[:2], rtol=0, atol=1e-12)


def test_entropy_and_divergence_for_those_who_ask(tiny_model):
    """Source: full log_softmax of both models, unpadded."""
    model, reference = tiny_model(), tiny_model(seed=1)
    policy, other = Policy(model, together), Policy(reference, together)
    found = policy(policy.pack(GROUPS), also=[lambda rows: Entropy(), other.divergence])
    assert found.shape == (3, 6, 5)
    for row, (prompt, completion) in enumerate(FLAT):
        ids = torch.tensor([prompt + completion])
        logs, theirs = (
            item(input_ids=ids).logits.log_softmax(-1)[0, len(prompt) - 1 : -1]
            for item in (model, reference)
        )
        size = len(completion)
        entropy = -(logs.exp() * logs).sum(1)
        torch.testing.assert_close(found[1, row, :size], entropy, rtol=0, atol=1e-10)
        divergence = (theirs.exp() * (theirs - logs)).sum(1)
        torch.testing.assert_close(found[2, row, :size], divergence, rtol=0, atol=1e-10)
        assert not found[:, row, size:].any()
    assert isinstance(other.divergence(policy.pack(GROUPS)), Divergence)
    found[1:].sum().backward()
    assert all(item.grad is None for item in reference.parameters())


def test_float32_models_give_float32(tiny_model):
    assert logprobs(Policy(tiny_model().float())).dtype == torch.float32


def test_half_precision_logits_are_normalised_in_float32(tiny_model):
    """Under bf16 probabilities still sum to one: logsumexp is not rounded to 8 bits."""
    policy = Policy(tiny_model().float(), apart, "bf16")
    every = [([5, 6], [[token]]) for token in range(30)]
    found = policy(policy.pack(every))[0]
    assert found.dtype == torch.float32
    assert found.double().exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_bf16_training_keeps_float32_weights_and_gradients(tiny_model):
    """A gradient differs from the exact one by a few hundredths: 0.013 was measured."""
    model = tiny_model().float()
    gradients = []
    for precision in ("float32", "bf16"):
        model.zero_grad()
        logprobs(Policy(model, together, precision)).sum().backward()
        gradients.append(torch.cat([item.grad.flatten() for item in model.parameters()]))
    assert gradients[1].dtype == torch.float32
    difference = (gradients[1] - gradients[0]).norm() / gradients[0].norm()
    assert 1e-4 < difference < 0.05


# Who can share a prompt


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_ordinary_attention_can(tiny_model, architecture):
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        assert can_share(tiny_model(architecture).to(dtype), longest=64)


def test_who_cannot():
    """A state carried from token to token; positions counted by the model; a short window."""
    small = {"vocab_size": 30, "hidden_size": 16, "pad_token_id": 0}
    torch.manual_seed(0)
    mamba = MambaForCausalLM(MambaConfig(**small, num_hidden_layers=1, state_size=4))
    bloom = BloomForCausalLM(BloomConfig(**small, n_layer=1, n_head=2))
    sizes = {"num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1}
    window = MistralForCausalLM(
        MistralConfig(**small, **sizes, intermediate_size=16, sliding_window=16)
    )
    assert not can_share(mamba, longest=4) and not can_share(bloom, longest=4)
    assert can_share(window, longest=16) and not can_share(window, longest=17)


def test_a_model_that_leaks_is_found_out(tiny_model, monkeypatch):
    """It takes positions, but forgets the mask: only its numbers tell."""
    model = tiny_model()
    plain_forward = model.base_model.forward

    def forward(input_ids, attention_mask=None, position_ids=None, **options):
        return plain_forward(input_ids=input_ids, position_ids=position_ids, **options)

    monkeypatch.setattr(model.base_model, "forward", forward)
    assert not can_share(model, longest=64)


def test_those_who_cannot_get_rows_of_their_own(tiny_model):
    assert Policy.sharing(tiny_model(), longest=64).arrange is together
    sliding = tiny_model("mistral")
    sliding.config.sliding_window = 8
    assert Policy.sharing(sliding, longest=64).arrange is apart


# Long rows


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_blocks_give_what_the_mask_gives(tiny_model, architecture, monkeypatch):
    """Log-probabilities and gradients of rows of unlike lengths, by one attention and the other."""
    found = []
    for long in (6, 10_000):
        monkeypatch.setattr(attention, "LONG", long)
        model = tiny_model(architecture)
        policy = Policy.sharing(model, longest=64)
        assert model.config._attn_implementation == attention.NAME
        values = logprobs(policy)
        values.sum().backward()
        gradient = torch.cat([item.grad.flatten() for item in model.parameters()])
        found.append((values.detach(), gradient))
    for blocks, mask in zip(*found, strict=True):
        torch.testing.assert_close(blocks, mask, rtol=0, atol=1e-10)


def test_blocks_are_what_long_rows_get(tiny_model, monkeypatch):
    asked, plain = [], attention.sdpa_attention_forward

    def counted(module, query, *rest, **options):
        asked.append(query.shape[2])
        return plain(module, query, *rest, **options)

    policy = Policy.sharing(tiny_model(), longest=64)
    monkeypatch.setattr(attention, "sdpa_attention_forward", counted)
    monkeypatch.setattr(attention, "LONG", 11)
    policy(policy.pack(GROUPS[:1]))
    assert asked == 2 * [4, 2, 5], "a prompt and its completions, in each of two layers"
    asked.clear()
    policy(policy.pack(GROUPS[1:]))
    assert asked == 2 * [6], "whole rows of at most six tokens, masked"


def test_who_cannot_take_blocks_keeps_the_mask(tiny_model, monkeypatch):
    """A model that does not hand spans on gives other numbers, and is found out by them."""
    model = tiny_model()
    plain_forward = model.base_model.forward

    def forward(input_ids, attention_mask=None, position_ids=None, use_cache=None, **options):
        return plain_forward(input_ids, attention_mask, position_ids, use_cache=use_cache)

    monkeypatch.setattr(model.base_model, "forward", forward)
    assert Policy.sharing(model, longest=64).arrange is together
    assert model.config._attn_implementation == "sdpa"
    strict = tiny_model()
    monkeypatch.setattr(attention, "passes_spans_on", lambda model: False)
    Policy.sharing(strict, longest=64)
    assert strict.config._attn_implementation == "sdpa"


def test_the_attention_is_no_part_of_a_saved_model(tiny_model, tmp_path):
    model = tiny_model()
    Policy.sharing(model, longest=64)
    model.save_pretrained(tmp_path)
    assert attention.NAME not in (tmp_path / "config.json").read_text()


# Many rows


@pytest.mark.parametrize("tokens", [1, 12, 10_000])
def test_sums_come_in_the_order_given(tiny_model, tokens, monkeypatch):
    """They are computed in order of length: the longest row stands first here."""
    monkeypatch.setattr("plumbline.model.logprobs.TOKENS", tokens)
    model = tiny_model()
    found = sequence_logprobs(Policy(model, together), GROUPS)
    expected = [[plain(model, prompt, ids).sum().item() for ids in ids_] for prompt, ids_ in GROUPS]
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-10)


def test_passes_by_hand():
    """Lengths 5 1 3 3 9 in at most 8 tokens, padding included: 1 3, then 3 5 would be 10."""
    assert list(passes([5, 1, 3, 3, 9], 8)) == [[1, 2], [3], [0], [4]]


def test_probabilities_of_all_two_token_answers_sum_to_one(tiny_model):
    answers = [[first, second] for first in range(30) for second in range(30)]
    [sums] = sequence_logprobs(Policy(tiny_model(), together), [([5, 6, 7], answers)])
    assert torch.tensor(sums, dtype=torch.float64).exp().sum().item() == pytest.approx(1, abs=1e-9)
    assert all(value < 0 for value in sums)


@pytest.mark.parametrize("tokens", [1, 10_000])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_mean_hidden_states_are_the_plain_ones(tiny_model, architecture, tokens):
    """Source: the model's own last hidden states, one unpadded prompt at a time."""
    model = tiny_model(architecture)
    prompts = [(5, 6, 7, 8), (9,), (3, 3), (29, 1, 28, 4, 4)]
    found = mean_hidden(Policy.sharing(model, 64), prompts, tokens)
    for prompt, vector in zip(prompts, found, strict=True):
        output = model(input_ids=torch.tensor([prompt]), output_hidden_states=True)
        expected = output.hidden_states[-1][0].mean(0)
        torch.testing.assert_close(vector, expected, rtol=1e-9, atol=1e-12)


def test_mean_hidden_states_of_a_half_precision_pass_are_float32(tiny_model):
    model = tiny_model("llama").float()
    found = mean_hidden(Policy(model, precision="bf16"), [(5, 6, 7), (9,)])
    exact = mean_hidden(Policy(model), [(5, 6, 7), (9,)])
    assert found.dtype == torch.float32
    assert 0 < (found - exact).abs().max() < 0.1
