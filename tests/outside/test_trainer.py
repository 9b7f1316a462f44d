"""Our losses in TRL's trainers: one real step each, on a tiny model.

Source of the expected numbers: the same trainer with TRL's own loss, on the same batch; where TRL
has none, log-probabilities that the test takes from the model itself.
"""

import pytest
import torch
from datasets import Dataset
from tiny_models import tiny_model
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import PreTrainedTokenizerFast

from plumbline.errors import ConfigError
from plumbline.outside.trainer import trl_loss

torch.set_num_threads(1)
WORDS = 28
OPTIONS = {
    "per_device_train_batch_size": 4,
    "max_steps": 1,
    "optim": "sgd",  # a step is the gradient, where Adam's first is its sign
    "learning_rate": 0.1,
    "lr_scheduler_type": "constant",
    "logging_steps": 1,
    "save_strategy": "no",
    "bf16": False,
    "gradient_checkpointing": False,
    "use_cpu": True,
    "report_to": "none",
    "disable_tqdm": True,
}


def tokenizer() -> PreTrainedTokenizerFast:
    words = [f"w{index}" for index in range(WORDS)] + ["</s>", "<pad>"]
    core = Tokenizer(WordLevel({word: index for index, word in enumerate(words)}, "w0"))
    core.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="</s>", pad_token="<pad>")


def text(length: int, start: int) -> str:
    return "".join(f"w{(start * 7 + 5 * place) % WORDS} " for place in range(length))


PAIRS = [
    {"prompt": text(2 + row, row), "chosen": text(1 + row, row + 4), "rejected": text(5 - row, row)}
    for row in range(4)
]
SINGLES = [
    {"prompt": text(2 + row, row), "completion": text(1 + row, row + 4), "label": row % 2 == 0}
    for row in range(4)
]


def step(trainer_class: type, config, rows: list[dict]):
    """A trainer after one step: what it logged, and its model."""
    trainer = trainer_class(
        model=tiny_model(seed=1).float(),
        ref_model=tiny_model(seed=2).float(),
        args=config,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer(),
    )
    trainer.train()
    return trainer


def dpo_config(folder, **given):
    from trl import DPOConfig

    return DPOConfig(str(folder), **OPTIONS | given)


def kto_config(folder, **given):
    from trl import KTOConfig

    return KTOConfig(str(folder), **OPTIONS | given)


def assert_same(ours, theirs) -> None:
    """The same loss was logged, and the same step was made."""
    found, expected = ours.state.log_history[0], theirs.state.log_history[0]
    assert found["loss"] == pytest.approx(expected["loss"], abs=1e-5)
    assert found["grad_norm"] == pytest.approx(expected["grad_norm"], rel=1e-4)
    for mine, other in zip(ours.model.parameters(), theirs.model.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "loss_type", "given"),
    [("nca", "nca_pair", {}), ("dpo", "sigmoid", {"precompute_ref_log_probs": True})],
)
def test_a_step_on_pairs_is_trls(tmp_path, name, loss_type, given):
    """TRL's own loss is set to another one in our trainer, so that ours must be what counts."""
    from trl import DPOTrainer

    OursTrainer = trl_loss(DPOTrainer, name, beta=0.3)  # the documented line
    ours = step(OursTrainer, dpo_config(tmp_path, loss_type="hinge", beta=0.3, **given), PAIRS)
    theirs = step(DPOTrainer, dpo_config(tmp_path, loss_type=loss_type, beta=0.3), PAIRS)
    assert_same(ours, theirs)
    assert ours.state.log_history[0]["rewards/margins"] == pytest.approx(
        theirs.state.log_history[0]["rewards/margins"], abs=1e-5
    ), "TRL's own metrics are still logged"


def test_a_step_on_tokens_is_trls(tmp_path):
    """LD-DPO, which looks at each token under the reference too."""
    from trl import DPOTrainer

    ours = trl_loss(DPOTrainer, "ld_dpo", beta=0.3, alpha=0.25)
    ours = step(ours, dpo_config(tmp_path, beta=0.3), PAIRS)
    assert_same(ours, step(DPOTrainer, dpo_config(tmp_path, beta=0.3, ld_alpha=0.25), PAIRS))


def test_a_step_with_trls_weights_is_trls(tmp_path):
    """WPO, whose weights TRL computes where it is asked to weigh."""
    from trl import DPOTrainer

    weighing = {"use_weighting": True, "beta": 0.3}
    ours = trl_loss(DPOTrainer, "wpo", beta=0.3)
    ours = step(ours, dpo_config(tmp_path, loss_type="hinge", **weighing), PAIRS)
    assert_same(ours, step(DPOTrainer, dpo_config(tmp_path, **weighing), PAIRS))
    with pytest.raises(ConfigError, match="wpo needs token_log_squares: set use_weighting=True"):
        step(trl_loss(DPOTrainer, "wpo"), dpo_config(tmp_path), PAIRS)


def test_a_step_on_singles_is_trls(tmp_path):
    from trl import KTOTrainer

    weights = {"desirable_weight": 1.5, "undesirable_weight": 0.75}
    ours = step(trl_loss(KTOTrainer, "kto", beta=0.3, **weights), kto_config(tmp_path), SINGLES)
    theirs = step(KTOTrainer, kto_config(tmp_path, beta=0.3, **weights), SINGLES)
    assert_same(ours, theirs)


def test_a_list_of_two_is_a_pair_with_scores(tmp_path):
    """PRO-S at alpha = 3/2 on scores 1 and 0 is half of PRO-P (Theorem 4.3 of its paper)."""
    from trl import DPOTrainer

    ours = step(trl_loss(DPOTrainer, "pro_s", beta=0.3, alpha=1.5), dpo_config(tmp_path), PAIRS)
    half = step(trl_loss(DPOTrainer, "pro_p", beta=0.3), dpo_config(tmp_path), PAIRS)
    found, expected = (item.state.log_history[0]["loss"] for item in (ours, half))
    assert found == pytest.approx(expected / 2, abs=1e-5)


BY_TOKEN = '''
from torch import Tensor, arange

from plumbline import Pairs, method


@method(title="By token", paper="none", needs=("token_values",))
def by_token(batch: Pairs) -> Tensor:
    """The first token counts once, the second twice, and so on."""

    def total(side):
        places = 1 + arange(side.token_policy.shape[-1])
        return (places * side.token_policy * side.token_mask).sum(-1) / side.tokens

    return total(batch.rejected) - total(batch.chosen)
'''


def test_tokens_stand_at_the_front(tmp_path):
    """Source: log-probabilities straight from the model's logits."""
    from trl import DPOTrainer

    (tmp_path / "by_token.py").write_text(BY_TOKEN)
    made = trl_loss(DPOTrainer, "by_token", folder=tmp_path)
    ours = step(made, dpo_config(tmp_path), PAIRS)
    model = tiny_model(seed=1).float()

    def total(item: dict, key: str) -> torch.Tensor:
        ids = item["prompt_ids"] + item[key]
        logs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        start = len(item["prompt_ids"])
        terms = [
            (place + 1) * logs[start + place - 1, word] for place, word in enumerate(item[key])
        ]
        return sum(terms) / len(terms)

    items = list(ours.train_dataset)
    terms = [total(item, "rejected_ids") - total(item, "chosen_ids") for item in items]
    expected = sum(terms).item() / 4
    assert ours.state.log_history[0]["loss"] == pytest.approx(expected, abs=1e-4)


def test_what_a_trainer_cannot_give_is_refused(tmp_path):
    from trl import DPOTrainer, KTOTrainer

    with pytest.raises(ConfigError, match="relative_po needs embedding; a trainer of TRL's has"):
        trl_loss(DPOTrainer, "relative_po")
    with pytest.raises(ConfigError, match="no hyperparameter 'betta'; did you mean 'beta'"):
        trl_loss(DPOTrainer, "dpo", betta=0.1)
    with pytest.raises(ConfigError, match="beta must be > 0, got 0"):
        trl_loss(DPOTrainer, "dpo", beta=0)
    with pytest.raises(ConfigError, match="kto learns from singles: use TRL's KTOTrainer"):
        step(trl_loss(DPOTrainer, "kto"), dpo_config(tmp_path), PAIRS)
    with pytest.raises(ConfigError, match="dpo learns from pairs: use TRL's DPOTrainer"):
        step(trl_loss(KTOTrainer, "dpo"), kto_config(tmp_path), SINGLES)
    with pytest.raises(ConfigError, match='kto needs mismatched: set loss_type="kto"'):
        config = kto_config(tmp_path, loss_type="apo_zero_unpaired")
        step(trl_loss(KTOTrainer, "kto"), config, SINGLES)
    with pytest.raises(ConfigError, match="needs token_reference: leave precompute_ref_log_probs"):
        config = dpo_config(tmp_path, precompute_ref_log_probs=True)
        step(trl_loss(DPOTrainer, "ld_dpo"), config, PAIRS)
