"""A loss of ours in a trainer of TRL's, which keeps everything but the number that it minimises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from plumbline.batches import Completions, Lists, Pairs, Singles
from plumbline.errors import ConfigError
from plumbline.outside.point import loss_at
from plumbline.plugins import MethodSpec, method_spec

#: The needs that what such a trainer computes can satisfy.
KNOWN = ("reference", "token_values", "token_reference", "token_log_squares", "mismatched")


def trl_loss(trainer: type, name: str, *, folder: Path | None = None, **point: float) -> type:
    """The class `trainer` with a method's loss: `DPOTrainer = trl_loss(DPOTrainer, "nca", beta=1)`.

    trainer: TRL's DPOTrainer, or a class made of it, for methods on pairs, and on lists, of which a
    pair is one with the scores 1 and 0; KTOTrainer for methods on singles. folder: where the
    method's file lies, if not in `losses/`; point: hyperparameters, by default the file's. TRL's
    own loss is computed beside for the metrics that it logs. A coupled method sees the micro-batch
    of one process. ConfigError for needs that the trainer cannot satisfy and for a wrong point.
    """
    spec = method_spec(name, (folder,) if folder else ())
    if lacking := [need for need in spec.card.needs if need not in KNOWN]:
        raise ConfigError(
            f"{name} needs {', '.join(lacking)}; a trainer of TRL's has {', '.join(KNOWN)}"
        )
    loss = loss_at(spec, point)

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        policy: list[Any] = []
        with _outputs_of(self.model if self.ref_model is None else self.ref_model) as frozen:
            given = _recording(model, policy), inputs, return_outputs, num_items_in_batch
            found = super(made, self).compute_loss(*given)
        value = loss(_Passes(spec, inputs, policy, frozen).batch()).mean()
        return (value, found[1]) if return_outputs else value

    made = type(trainer.__name__, (trainer,), {"compute_loss": compute_loss})
    return made


def _recording(model: Callable, outputs: list[Any]) -> Callable:
    """The model; what it returns is kept in `outputs`."""

    def forward(**inputs: Any) -> Any:
        outputs.append(model(**inputs))
        return outputs[-1]

    return forward


@contextmanager
def _outputs_of(module: torch.nn.Module) -> Iterator[list[Any]]:
    """What a module returns while the context lasts, call by call."""
    found: list[Any] = []
    handle = module.register_forward_hook(lambda module, inputs, output: found.append(output))
    try:
        yield found
    finally:
        handle.remove()


@dataclass(frozen=True)
class _Passes:
    """What a trainer computed of one batch, as the method sees it.

    policy, frozen: what each model returned, in turn: of the batch last, and before it of KTO's
    mismatched completions where TRL wants them. Adapters have one model, which is both.
    """

    spec: MethodSpec
    inputs: Mapping[str, Any]
    policy: list[Any]
    frozen: list[Any]

    def batch(self) -> Pairs | Singles | Lists:
        singles = "label" in self.inputs
        if singles != (self.spec.feedback == "singles"):
            wanted = "DPOTrainer" if singles else "KTOTrainer"
            name, feedback = self.spec.name, self.spec.feedback
            raise ConfigError(f"{name} learns from {feedback}: use TRL's {wanted}")
        whole = self.completions()
        if singles:
            labels = torch.as_tensor(self.inputs["label"], device=whole.policy.device)
            return Singles(whole, labels.bool(), self.mismatched())
        both = _mapped(whole, lambda item: torch.stack(item.chunk(2), 1))
        if self.spec.feedback == "lists":
            return Lists(both, torch.tensor([1.0, 0.0]).to(both.policy).expand_as(both.policy))
        return Pairs(*(_mapped(both, lambda item, side=side: item[:, side]) for side in (0, 1)))

    def completions(self) -> Completions:
        """All completions of the batch, one below the other as TRL has them."""
        mask = self.inputs["completion_mask"][:, 1:].bool()
        tokens = _to_the_left(_log_probs(self.policy[-1], mask), mask)
        needs, needed = self.spec.card.needs, {}
        if "reference" in needs:
            needed["reference"] = self.references(mask)
        if "token_values" in needs:
            needed |= {"token_policy": tokens, "token_mask": _to_the_left(mask, mask)}
        if "token_reference" in needs:
            needed["token_reference"] = _to_the_left(self.token_references(mask), mask)
        if "token_log_squares" in needs:
            needed["token_log_squares"] = _to_the_left(self.log_squares(mask), mask)
        return Completions(tokens.sum(-1), mask.sum(-1), needed)

    def token_references(self, mask: Tensor) -> Tensor:
        if "ref_chosen_logps" in self.inputs or "ref_logps" in self.inputs:
            raise ConfigError(
                f"{self.spec.name} needs token_reference: leave precompute_ref_log_probs off, "
                "which keeps sums"
            )
        return _log_probs(self.frozen[-1], mask).detach()

    def log_squares(self, mask: Tensor) -> Tensor:
        """What TRL computes of its logits for WPO only."""
        squares = getattr(self.policy[-1], "log_sum_sq_probs", None)
        if squares is None:
            raise ConfigError(f"{self.spec.name} needs token_log_squares: set use_weighting=True")
        return squares[:, -mask.shape[1] :] * mask

    def references(self, mask: Tensor) -> Tensor:
        """Sums under the reference: of TRL's pass before training, or of the one just made."""
        if "ref_chosen_logps" in self.inputs:
            return torch.cat([self.inputs["ref_chosen_logps"], self.inputs["ref_rejected_logps"]])
        if "ref_logps" in self.inputs:
            return self.inputs["ref_logps"]
        return _log_probs(self.frozen[-1], mask).sum(-1).detach()

    def mismatched(self) -> Completions | None:
        """KTO's mismatched completions, where the method needs them."""
        if "mismatched" not in self.spec.card.needs:
            return None
        if "KL_completion_mask" not in self.inputs or len(self.policy) < 2:
            raise ConfigError(f'{self.spec.name} needs mismatched: set loss_type="kto"')
        mask = self.inputs["KL_completion_mask"][:, 1:].bool()
        if "ref_KL_logps" in self.inputs:
            reference = self.inputs["ref_KL_logps"]
        else:
            reference = _log_probs(self.frozen[-2], mask).sum(-1).detach()
        sums = _log_probs(self.policy[-2], mask).sum(-1)
        return Completions(sums, mask.sum(-1), {"reference": reference})


def _log_probs(outputs: Any, mask: Tensor) -> Tensor:
    """[R, T]; learned prompts put places before those of the batch."""
    return outputs.log_probs[:, -mask.shape[1] :] * mask


def _to_the_left(values: Tensor, mask: Tensor) -> Tensor:
    """Values [R, T] of completions, moved to the front from behind their prompts."""
    order = (~mask).long().argsort(dim=1, stable=True)
    return values.gather(1, order)[:, : mask.sum(1).max()]


def _mapped(column: Completions, change: Callable[[Tensor], Tensor]) -> Completions:
    needed = {name: change(value) for name, value in column.needed.items()}
    return Completions(change(column.policy), change(column.tokens), needed)
