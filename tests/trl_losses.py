"""TRL's losses as TRL executes them: its own methods, on a model that answers with given numbers.

Nothing of TRL is rewritten here: `DPOTrainer._compute_loss`, `KTOTrainer._compute_loss`,
`CPOTrainer.cpo_loss` and `ORPOTrainer.odds_ratio_loss` run as they stand, in float32 where they
say so. Imports neither `plumbline` nor a file of `losses/`.
"""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

#: What the trainers' `_compute_loss` read of their trainer, at TRL's defaults.
DEFAULTS = {
    "beta": 0.1,
    "label_smoothing": 0.0,
    "f_divergence_type": "reverse_kl",
    "f_alpha_divergence_coef": 0.5,
    "ld_alpha": None,
    "use_weighting": False,
    "desirable_weight": 1.0,
    "undesirable_weight": 1.0,
    "discopop_tau": 0.05,
}


def dpo(loss_type: str, policy: list[Tensor], reference: list[Tensor], **settings) -> Tensor:
    """The loss of `DPOTrainer`, mean over the pairs; carries the gradient of `policy`.

    policy, reference: per-token log-probabilities of 2 B completions, the chosen ones first, each
    [tokens], nats; settings: over `DEFAULTS`, and `log_sum_sq_probs` like `policy` for WPO.
    """
    from trl import DPOTrainer

    chosen = settings.pop("log_sum_sq_probs", policy)
    trainer = _trainer(DEFAULTS | settings, loss_type)
    trainer.ref_model = _answering(reference, reference)
    return DPOTrainer._compute_loss(trainer, _answering(policy, chosen), _inputs(policy), False)


def kto(
    loss_type: str,
    policy: list[Tensor],
    reference: list[Tensor],
    desirable: Tensor,
    kl: Tensor,
    **settings,
) -> Tensor:
    """The loss of `KTOTrainer`, mean over B completions; carries the gradient of `policy`.

    policy, reference: per-token log-probabilities, each [tokens], nats; desirable: [B] bool; kl:
    log-ratios [B] of the mismatched completions.
    """
    from trl import KTOTrainer

    trainer = _trainer(DEFAULTS | settings, loss_type)
    trainer.ref_model = _answering(reference, reference)
    trainer.calculate_KL = loss_type == "kto"
    trainer.loss_type = loss_type
    trainer._compute_kl_logps = lambda model, batch: 0 if model is trainer.ref_model else kl
    inputs = _inputs(policy) | {"label": desirable}
    return KTOTrainer._compute_loss(trainer, _answering(policy, policy), inputs, False)


def cpo(loss_type: str, chosen: Tensor, rejected: Tensor, **settings) -> Tensor:
    """The losses [B] of `CPOTrainer`, without its likelihood term; log-probabilities [B], nats."""
    from trl.experimental.cpo import CPOTrainer

    defaults = {"beta": 0.1, "label_smoothing": 0.0, "alpha": 0.0, "simpo_gamma": 0.5}
    trainer = SimpleNamespace(**defaults | settings, loss_type=loss_type, accelerator=_here())
    return CPOTrainer.cpo_loss(trainer, chosen, rejected)[0]


def odds_ratio(chosen: Tensor, rejected: Tensor, beta: float) -> Tensor:
    """beta * log sigma(log odds ratio) [B] of `ORPOTrainer`; mean log-probabilities [B], nats."""
    from trl.experimental.orpo import ORPOTrainer

    trainer = SimpleNamespace(beta=beta, accelerator=_here())
    return ORPOTrainer.odds_ratio_loss(trainer, chosen, rejected)[0]


def _trainer(settings: dict, loss_type: str) -> SimpleNamespace:
    return SimpleNamespace(
        **settings,
        args=SimpleNamespace(
            discopop_tau=settings["discopop_tau"], gradient_checkpointing_kwargs=None
        ),
        model=_Model(),
        accelerator=_here(),
        loss_types=[loss_type],
        loss_weights=[1.0],
        aux_loss_enabled=False,
        precompute_ref_logps=False,
        _metrics={"train": defaultdict(list), "eval": defaultdict(list)},
        _total_train_tokens=0,
        _tp_size=1,
    )


class _Model(torch.nn.Module):
    """What a trainer asks of its model before it runs it."""

    is_gradient_checkpointing = False


def _here() -> SimpleNamespace:
    """An accelerator of one process."""
    alone = {"gather": lambda tensor: tensor, "gather_for_metrics": lambda tensor: tensor}
    return SimpleNamespace(device=torch.device("cpu"), **alone)


def _inputs(policy: list[Tensor]) -> dict[str, Tensor]:
    """One token of prompt before each completion: its place has no log-probability."""
    masks = [torch.cat([torch.zeros(1), torch.ones(len(tokens))]) for tokens in policy]
    mask = pad_sequence(masks, batch_first=True).long()
    return {"input_ids": mask, "attention_mask": torch.ones_like(mask), "completion_mask": mask}


def _answering(log_probs: list[Tensor], log_sum_sq_probs: list[Tensor]):
    """A model whose forward pass answers with these numbers."""
    found = pad_sequence(log_probs, batch_first=True)
    squares = pad_sequence(log_sum_sq_probs, batch_first=True)
    nothing = torch.zeros_like(found)
    outputs = SimpleNamespace(
        log_probs=found,
        log_sum_sq_probs=squares,
        entropy=nothing,
        mean_logits=nothing,
        is_top1=nothing.bool(),
    )
    return lambda **inputs: outputs
