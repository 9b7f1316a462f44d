"""Adapters: an attached one changes nothing, trains alone, and is merged without a loss."""

import pytest
import torch

from plumbline.model.adapter import attach, merged
from plumbline.model.folder import quantization
from plumbline.model.logprobs import Policy
from plumbline.model.sequences import together
from plumbline.schema import Adapter

GROUPS = [([5, 6, 7], [[4, 1], [20, 21, 1]]), ([9], [[2], [7, 7]])]
CHOICE = Adapter(rank=4, alpha=8.0)


def logprobs(policy: Policy) -> torch.Tensor:
    return policy(policy.pack(GROUPS))[0]


@pytest.mark.parametrize("architecture", ["gpt_neox", "llama"])
def test_train_alone_and_merge(tiny_model, architecture, tmp_path):
    """After steps the merged model gives what the adapted one gave, and frozen weights are those
    of before."""
    model, twin = tiny_model(architecture), tiny_model(architecture)
    adapted = attach(model, CHOICE)
    policy = Policy(model, together)
    torch.testing.assert_close(logprobs(policy), logprobs(Policy(twin, together)), rtol=0, atol=0)
    trained = [item for item in policy.parameters() if item.requires_grad]
    counts = sum(item.numel() for item in trained), sum(item.numel() for item in twin.parameters())
    assert 0 < counts[0] < counts[1]
    optimizer = torch.optim.SGD(trained, lr=0.5)
    for _ in range(3):
        (-logprobs(policy).sum()).backward()
        optimizer.step()
        optimizer.zero_grad()
    expected = logprobs(policy).detach()
    result = merged(adapted, CHOICE, tmp_path, tmp_path)
    found = logprobs(Policy(result, together))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    assert (found - logprobs(Policy(twin, together))).abs().max() > 0.1, "it has learned something"
    assert type(result) is type(twin) and result.state_dict().keys() == twin.state_dict().keys()
    changed = {
        name
        for name, item in twin.state_dict().items()
        if not torch.equal(item, result.state_dict()[name])
    }
    linear = {
        f"{name}.weight" for name, item in twin.named_modules() if type(item).__name__ == "Linear"
    }
    assert changed and changed <= linear - {"lm_head.weight", "embed_out.weight"}


def test_scale_and_targets_are_the_configs(tiny_model):
    adapted = attach(tiny_model("llama"), Adapter(rank=2, alpha=6.0, targets=["q_proj"]))
    names = [name for name, item in adapted.named_parameters() if item.requires_grad]
    assert len(names) == 2 * 2 and all("q_proj" in name for name in names)
    layer = adapted.get_base_model().model.layers[0].self_attn.q_proj
    assert layer.scaling["default"] == 3.0, "alpha / rank"


def test_four_bits_as_in_qlora():
    """Source: arXiv:2305.14314, NF4 with double quantization and bf16 products."""
    assert quantization("none") is None
    found = quantization("4bit")
    assert found.load_in_4bit and found.bnb_4bit_quant_type == "nf4"
    assert found.bnb_4bit_use_double_quant and found.bnb_4bit_compute_dtype == torch.bfloat16
