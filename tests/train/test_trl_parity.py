"""Our loss and gradient against TRL 1.16's trainers, executed, on eight rows and a tiny model.

Source: `compute_loss` of TRL's DPOTrainer (`sigmoid`, `nca_pair`) and KTOTrainer (`kto`): their
tokenisation, collation, log-probabilities and loss. TRL fixes KTO's mismatched completions by
rotating the batch; the same token ids are given to our engine. TRL's defaults of bf16 and gradient
checkpointing are off.
"""

from types import SimpleNamespace

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

from plumbline.model.logprobs import Policy, sequence_logprobs
from plumbline.plugins import method_spec
from plumbline.train.examples import Example, with_references
from plumbline.train.objective import Objective, collate

torch.set_num_threads(1)

ROWS, WORDS = 8, 24
#: Seeds of (policy, reference). Exchanged, they turn the sign of the mean log-ratio.
MODELS, EXCHANGED = (1, 2), (2, 1)
OPTIONS = {
    "per_device_train_batch_size": ROWS,
    "bf16": False,
    "gradient_checkpointing": False,
    "use_cpu": True,
    "report_to": "none",
    "max_length": None,
}


def tiny_model(seed: int) -> GPTNeoXForCausalLM:
    """A GPT-NeoX with weights so large that its log-ratios to another seed are several nats."""
    torch.manual_seed(seed)
    config = GPTNeoXConfig(
        vocab_size=WORDS + 2,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.2,
        eos_token_id=WORDS,
        pad_token_id=WORDS + 1,
    )
    return GPTNeoXForCausalLM(config)


def tokenizer() -> PreTrainedTokenizerFast:
    words = [f"w{index}" for index in range(WORDS)] + ["</s>", "<pad>"]
    core = Tokenizer(WordLevel({word: index for index, word in enumerate(words)}, "w0"))
    core.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="</s>", pad_token="<pad>")


def text(length: int) -> str:
    return " ".join(f"w{int(index)}" for index in torch.randint(WORDS, (length,)))


def pair_rows() -> list[dict]:
    torch.manual_seed(0)
    return [
        {
            "prompt": text(2 + row % 3) + " ",
            "chosen": text(1 + row) + " ",
            "rejected": text(8 - row) + " ",
        }
        for row in range(ROWS)
    ]


def single_rows() -> list[dict]:
    torch.manual_seed(0)
    return [
        {
            "prompt": text(2 + row % 3) + " ",
            "completion": text(1 + row) + " ",
            "label": row % 3 != 0,
        }
        for row in range(ROWS)
    ]


def trl_step(trainer_class: type, config, rows: list[dict], seeds: tuple) -> SimpleNamespace:
    """TRL's loss and gradients on one batch, and the token ids it used."""
    from datasets import Dataset

    trainer = trainer_class(
        model=tiny_model(seeds[0]),
        ref_model=tiny_model(seeds[1]),
        args=config,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer(),
    )
    used = list(trainer.train_dataset)
    loss = trainer.compute_loss(trainer.model, trainer.data_collator(used))
    loss.backward()
    gradients = {name: item.grad for name, item in trainer.model.named_parameters()}
    return SimpleNamespace(loss=loss.item(), gradients=gradients, used=used)


def our_step(
    method: str, point: dict[str, float], examples: list[Example], seeds: tuple
) -> SimpleNamespace:
    """The engine's loss and gradients: coefficients of the log-probabilities, then the model."""
    model, objective = tiny_model(seeds[0]), Objective.of(method_spec(method), point)
    policy = Policy.sharing(model, longest=64)
    inputs = collate(referenced(examples, tiny_model(seeds[1])), policy.pack)
    tokens = objective.forward(policy, inputs)
    mismatched = objective.mismatched(policy, inputs)
    losses, coefficients = objective.coefficients(tokens, inputs, mismatched, len(examples))
    tokens.backward(coefficients)
    gradients = {name: item.grad for name, item in model.named_parameters()}
    sums = None if mismatched is None else mismatched.sum(1)
    drift = None if sums is None else (sums - inputs.mismatched_references).mean()
    return SimpleNamespace(loss=losses.mean().item(), gradients=gradients, drift=drift)


def referenced(examples: list[Example], reference: GPTNeoXForCausalLM) -> list[Example]:
    """The examples with the reference's log-probabilities, by the engine."""
    sums = sequence_logprobs(Policy(reference), [item.whole for item in examples])
    table = {
        (item.id, index): value
        for item, values in zip(examples, sums, strict=True)
        for index, value in enumerate(values)
    }
    return with_references(examples, table)


def assert_same(ours: SimpleNamespace, theirs: SimpleNamespace) -> None:
    assert ours.loss == pytest.approx(theirs.loss, abs=1e-6)
    assert ours.gradients.keys() == theirs.gradients.keys()
    for name, gradient in theirs.gradients.items():
        torch.testing.assert_close(ours.gradients[name], gradient, rtol=1e-5, atol=1e-6, msg=name)
    largest = max(gradient.abs().max() for gradient in theirs.gradients.values())
    assert largest > 1e-2, "the gradients are too small for the comparison to mean anything"


@pytest.mark.parametrize(("method", "loss_type"), [("dpo", "sigmoid"), ("nca", "nca_pair")])
def test_pairs(method, loss_type, tmp_path):
    from trl import DPOConfig, DPOTrainer

    config = DPOConfig(str(tmp_path), beta=0.3, loss_type=[loss_type], **OPTIONS)
    theirs = trl_step(DPOTrainer, config, pair_rows(), MODELS)
    examples = [
        Example(str(index), tuple(row["prompt_ids"]), (row["chosen_ids"], row["rejected_ids"]))
        for index, row in enumerate(theirs.used)
    ]
    assert_same(our_step(method, {"beta": 0.3}, examples, MODELS), theirs)


@pytest.mark.parametrize(("seeds", "clamped"), [(MODELS, True), (EXCHANGED, False)])
def test_kto(seeds, clamped, tmp_path):
    """z_0 is clamped at zero for one order of the two models and counts for the other."""
    from trl import KTOConfig, KTOTrainer

    weights = {"desirable_weight": 1.5, "undesirable_weight": 0.75}
    config = KTOConfig(str(tmp_path), beta=0.3, loss_type="kto", **weights, **OPTIONS)
    theirs = trl_step(KTOTrainer, config, single_rows(), seeds)
    examples = [
        Example(
            str(index),
            tuple(row["prompt_ids"]),
            (row["completion_ids"],),
            desirable=row["label"],
            mismatched=tuple(row["KL_completion_ids"]),
        )
        for index, row in enumerate(theirs.used)
    ]
    ours = our_step("kto", {"beta": 0.3, **weights}, examples, seeds)
    assert_same(ours, theirs)
    assert (ours.drift < -0.1) if clamped else (ours.drift > 0.1)
