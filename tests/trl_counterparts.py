"""Which loss of TRL's a method is compared with, and both of them on the same numbers.

`COUNTERPARTS` is the one place where a method names its counterpart. Methods that are not in it are
absent from TRL; those in it whose file is not there are passed over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import trl_losses
from torch import Tensor

from plumbline.outside.point import loss_at
from plumbline.outside.rows import losses_and_gradients, read
from plumbline.plugins import MethodSpec

#: Tokens of the chosen and of the rejected completions of three pairs.
LENGTHS = (3, 6, 4), (5, 2, 4)
#: Log-ratios of the mismatched completions of these six.
MISMATCHED = [0.3, -0.2, 1.5, 0.1, 0.0, 2.0]
#: What counts as the same number; TRL casts to float32 here and there.
RELATIVE, ABSOLUTE = 1e-5, 1e-6


@dataclass(frozen=True)
class Numbers:
    """Of 2 B completions, the chosen ones first, what stands at each token: [tokens], nats."""

    policy: list[Tensor]
    reference: list[Tensor]
    log_squares: list[Tensor]

    def columns(self, reduce: Callable[[Tensor], Tensor]) -> tuple[Tensor, ...]:
        """[B] for the chosen and for the rejected completions, reduced over tokens."""
        return torch.stack([reduce(tokens) for tokens in self.policy]).chunk(2)


@dataclass(frozen=True)
class Counterpart:
    """A loss of TRL's.

    words: what it is called there, with its settings; point: the method's hyperparameters that mean
    the same; loss: the mean over the batch, executed; why: what makes both differ, where they do.
    """

    words: str
    point: dict[str, float]
    loss: Callable[[Numbers], Tensor]
    why: str = ""
    dtype: torch.dtype = torch.float64


@dataclass(frozen=True)
class Comparison:
    """Both losses, means over the batch, and the first number in which the two differ, in words.

    First comes the loss, then its gradient on each token; empty where all agree.
    """

    ours: float
    theirs: float
    difference: str


def compared(spec: MethodSpec, counterpart: Counterpart) -> Comparison:
    """A method and its counterpart on the same numbers."""
    given = numbers(counterpart.dtype)
    theirs = counterpart.loss(given)
    slopes = torch.autograd.grad(theirs, given.policy, allow_unused=True, materialize_grads=True)
    batch = read(rows(given, spec.feedback), spec, counterpart.dtype)
    found = losses_and_gradients(loss_at(spec, counterpart.point), batch)
    count = len(found["losses"])
    ours = sum(found["losses"]) / count
    gradients = found["gradients"].items()
    columns = [tokens for key, column in gradients if key.startswith("policy") for tokens in column]
    pairs = {"loss": (ours, theirs.item())}
    for index, (own, other) in enumerate(zip(columns, slopes, strict=True)):
        for place, (one, two) in enumerate(zip(own, other.tolist(), strict=True)):
            pairs[gradient_name(index, place)] = one / count, two
    return Comparison(ours, theirs.item(), first_difference(pairs))


def first_difference(pairs: dict[str, tuple[float, float]]) -> str:
    """The first pair that is not one number, in words."""
    for name, (ours, theirs) in pairs.items():
        if abs(ours - theirs) > ABSOLUTE + RELATIVE * abs(theirs):
            return f"{name}: {ours:.5g} here, {theirs:.5g} in TRL"
    return ""


def gradient_name(index: int, place: int) -> str:
    """What the gradient on a completion's token is called."""
    side = "chosen" if index < len(LENGTHS[0]) else "rejected"
    return f"gradient on token {place + 1} of {side} completion {index % len(LENGTHS[0]) + 1}"


def numbers(dtype: torch.dtype) -> Numbers:
    """The same log-probabilities in every run; log-ratios of about a nat a completion."""
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.rand(3, count, generator=generator).to(dtype) for count in sum(LENGTHS, ())]
    policy = [(-0.2 - 2 * item[0]).requires_grad_() for item in drawn]
    reference = [
        (tokens.detach() + 2.4 * item[1] - 1.2).clamp(max=-0.05)
        for tokens, item in zip(policy, drawn, strict=True)
    ]
    return Numbers(policy, reference, [-0.5 - item[2] for item in drawn])


def rows(given: Numbers, feedback: str) -> list[dict[str, Any]]:
    """The same numbers as `plumbline loss` takes them."""
    keys = {
        "policy": given.policy,
        "reference": given.reference,
        "token_log_squares": given.log_squares,
    }
    cells = [
        {key: values[index].tolist() for key, values in keys.items()}
        for index in range(len(given.policy))
    ]
    half = len(cells) // 2
    if feedback == "singles":
        return [
            cell | {"desirable": index < half, "mismatched": MISMATCHED[index]}
            for index, cell in enumerate(cells)
        ]
    return [
        {f"{key}_chosen": value for key, value in chosen.items()}
        | {f"{key}_rejected": value for key, value in rejected.items()}
        for chosen, rejected in zip(cells[:half], cells[half:], strict=True)
    ]


# What TRL has


def dpo(loss_type: str, point: dict[str, float], why: str = "", **settings: Any) -> Counterpart:
    """A loss type of DPOTrainer's."""

    def loss(given: Numbers) -> Tensor:
        weights = {"log_sum_sq_probs": given.log_squares} if "use_weighting" in settings else {}
        return trl_losses.dpo(loss_type, given.policy, given.reference, **settings, **weights)

    # in float64 TRL's alpha-divergence has no clamp to look up
    in_float32 = settings.get("f_divergence_type") == "alpha_divergence"
    dtype = torch.float32 if in_float32 else torch.float64
    return Counterpart(words("DPOTrainer", loss_type, settings), point, loss, why, dtype)


def kto(loss_type: str, point: dict[str, float], **settings: Any) -> Counterpart:
    """A loss type of KTOTrainer's; the chosen completions are desirable, the rejected ones not."""

    def loss(given: Numbers) -> Tensor:
        desirable = torch.arange(len(given.policy)) < len(LENGTHS[0])
        kl = torch.tensor(MISMATCHED, dtype=torch.float64)
        return trl_losses.kto(loss_type, given.policy, given.reference, desirable, kl, **settings)

    return Counterpart(words("KTOTrainer", loss_type, settings), point, loss)


def cpo(
    loss_type: str, point: dict[str, float], reduce: Callable[[Tensor], Tensor], **settings: Any
) -> Counterpart:
    """A loss type of CPOTrainer's, whose likelihood term is off."""

    def loss(given: Numbers) -> Tensor:
        return trl_losses.cpo(loss_type, *given.columns(reduce), **settings).mean()

    return Counterpart(words("CPOTrainer", loss_type, {"cpo_alpha": 0} | settings), point, loss)


def orpo(beta: float) -> Counterpart:
    """ORPOTrainer's odds ratio. Its likelihood term, which is not executed, is written here."""

    def loss(given: Numbers) -> Tensor:
        chosen, rejected = given.columns(torch.mean)
        return (-chosen - trl_losses.odds_ratio(chosen, rejected, beta)).mean()

    text = f"ORPOTrainer's `odds_ratio_loss`, beta={beta}; the likelihood term is ours"
    return Counterpart(text, {"weight": beta}, loss)


def added(one: Counterpart, other: Counterpart, weight: float, why: str) -> Counterpart:
    """A loss and `weight` times another."""

    def loss(given: Numbers) -> Tensor:
        return one.loss(given) + weight * other.loss(given)

    return Counterpart(f"{one.words}, and {weight} {other.words}", one.point, loss, why)


def words(trainer: str, loss_type: str, settings: dict[str, Any]) -> str:
    """What a loss is called in TRL."""
    listed = "".join(f", {name}={value}" for name, value in settings.items())
    return f"{trainer} `{loss_type}`{listed}"


B = {"beta": 0.3}
WEIGHTS = {"desirable_weight": 1.5, "undesirable_weight": 0.75}
SUMS = "the paper's sums over tokens, where TRL takes means"
BATCH = "means over each response's tokens, where TRL takes one over those of the batch"
#: method -> what TRL calls it, at hyperparameters that are not the defaults.
COUNTERPARTS = {
    "alpha_po": cpo(
        "simpo",
        {"beta": 1.5, "gamma": 0.4, "alpha": 0.2},
        torch.mean,
        beta=1.5,
        simpo_gamma=0.4,
        alpha=0.2,
    ),
    "aot": dpo("aot", B, **B),
    "aot_unpaired": dpo("aot_unpaired", B, **B),
    "apo_down": dpo("apo_down", B, **B),
    "apo_zero": dpo("apo_zero", B, **B),
    "apo_zero_unpaired": kto("apo_zero_unpaired", B | WEIGHTS, **B, **WEIGHTS),
    "bco_pair": dpo("bco_pair", B, **B),
    "cpo": cpo("sigmoid", B | {"alpha": 0.0}, torch.sum, **B),
    "discopop": dpo("discopop", B | {"tau": 0.07}, **B, discopop_tau=0.07),
    "dpo": dpo("sigmoid", B, **B),
    "dpo_norm": dpo("sigmoid_norm", B, **B),
    "exo": dpo("exo_pair", B | {"epsilon": 0.02}, **B, label_smoothing=0.02),
    "f_dpo_alpha": dpo(
        "sigmoid",
        B | {"alpha": 0.3},
        **B,
        f_divergence_type="alpha_divergence",
        f_alpha_divergence_coef=0.7,
    ),
    "f_dpo_forward_kl": dpo("sigmoid", B, **B, f_divergence_type="forward_kl"),
    "f_dpo_js": dpo("sigmoid", B, **B, f_divergence_type="js_divergence"),
    "ipo": dpo("ipo", {"tau": 0.3}, SUMS, **B),
    "ipo_mean": dpo("ipo", {"tau": 0.3}, **B),
    "iterative_rpo": added(dpo("sigmoid", B | {"alpha": 0.7}, **B), dpo("sft", {}), 0.7, BATCH),
    "kto": kto("kto", B | WEIGHTS, **B, **WEIGHTS),
    "ld_dpo": dpo("sigmoid", B | {"alpha": 0.25}, **B, ld_alpha=0.25),
    "low_lr_sft": dpo("sft", {}, BATCH),
    "nca": dpo("nca_pair", B, **B),
    "orpo": orpo(0.7),
    "robust_dpo": dpo("robust", B | {"epsilon": 0.17}, **B, label_smoothing=0.17),
    "rso_hinge": dpo("hinge", {"gamma": 0.3}, **B),
    "simpo": cpo("simpo", {"beta": 1.5, "gamma": 0.4}, torch.mean, beta=1.5, simpo_gamma=0.4),
    "slic_hf": dpo(
        "hinge",
        {"delta": 1.0, "weight": 0.0},
        "the paper's log-probabilities, where TRL has log-ratios: its hinge is `rso_hinge`",
        beta=1.0,
    ),
    "sppo_hard": dpo("sppo_hard", B, **B),
    "wpo": dpo("sigmoid", B, **B, use_weighting=True),
}
