"""What a loss sees: tensors with a shape, a dtype and a unit, and nothing else.

B is the number of examples of the global batch, N the number of responses to one prompt, T the
number of completion tokens after padding. Log-probabilities are **sums over the completion's
tokens** (end token included, prompt and padding excluded), in nats, float32, with the token counts
beside them: only a loss that wants a mean divides.

This module never imports torch, so that method files can be listed without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plumbline.errors import MethodError

if TYPE_CHECKING:
    from torch import Tensor

#: What a method may declare in `needs`, and what it then finds on its batch.
NEEDS = {
    "reference": "completions.reference [B] or [B, N]: log-probability under the frozen reference",
    "mismatched": "singles.mismatched, a Completions: the same prompt with another prompt's "
    "completion (a seeded derangement fixed at data time)",
    "token_values": "completions.token_policy [B, T] or [B, N, T], per-token log-probabilities, "
    "zero on padding, and .token_mask, true on the completion's tokens",
    "embedding": "batch.embedding [B, H]: mean last hidden state of the frozen reference over the "
    "prompt's tokens",
    "propensity": "singles.propensity [B] in (0, 1): whether the prompt is one of a desirable "
    "response, by a logistic classifier on embeddings to which both labels weigh the same",
    "label": "batch.label [B] in [0, 1]: 1 until training comes to the example, then what the "
    "file's `relabel` gave when it last did",
    "token_reference": "completions.token_reference, shaped like token_policy: per-token "
    "log-probabilities under the frozen reference, zero on padding",
    "token_divergence": "completions.token_divergence, shaped like token_policy: KL(reference || "
    "policy) over the whole vocabulary at each token, nats, >= 0, zero on padding; with gradient",
    "token_reverse_divergence": "completions.token_reverse_divergence, shaped like token_policy: "
    "KL(policy || reference) likewise",
    "token_log_squares": "completions.token_log_squares, shaped like token_policy: log of the sum "
    "of the policy's squared probabilities over the vocabulary at each token, nats, <= 0, zero on "
    "padding; with gradient",
    "token_sample": "completions.token_sample, shaped like token_policy: one on as many tokens of "
    "each completion as the prompt's shortest has, drawn without replacement and fixed with the "
    "data, zero on the others and on padding",
    "token_contrast": "completions.token_contrast, shaped like token_policy: per-token log-ratio, "
    "nats, of two models that DPO trained from the reference, one on the pairs as they are and one "
    "with their labels reversed, zero on padding",
    "token_activity": "completions.token_activity, shaped like token_policy: how large the "
    "reference's activations are where the token is predicted, from 0 at the completion's least "
    "active token to 1 at its most active one in each layer, the mean over layers, zero on padding",
    "token_importance": "completions.token_importance, shaped like token_policy: the token's share "
    "of what the reference's last prediction in the completion owes to each token's embedding, >= "
    "0, one over the completion, zero on padding",
    "traceless": "pairs.traceless, a Pairs: the same completions without their traces, which "
    "learns too; a completion without a trace is as it was",
    "reference_samples": "pairs.reference_samples, a Completions [B, K]: completions of the same "
    "prompt drawn from the frozen reference and fixed with the data, the first K = `samples` of "
    "16, a hyperparameter of the method; of the needs of tokens they have token_values and "
    "token_reference, [B, K, T]",
}
#: Those of an example as a whole, found on its batch and not on a column.
OF_EXAMPLES = ("embedding", "propensity", "label")
#: Those for which the prompts' embeddings must have been computed.
EMBEDDED = frozenset({"embedding", "propensity"})
#: Those read from the policy's logits, which carry gradient as its log-probabilities do.
READINGS = ("token_divergence", "token_reverse_divergence", "token_log_squares")
#: Those that a pass over the training data writes, one file each, for the methods that declare it.
ANNOTATED = (
    "token_reference",
    "token_contrast",
    "token_activity",
    "token_importance",
    "reference_samples",
)
#: The models, beside the reference, that such a pass asks.
AUXILIARY = {"token_contrast": ("chosen", "rejected")}


class Declared:
    """What has needs: those that were declared are attributes, and others say how to get them."""

    def __getattr__(self, name: str) -> Tensor:
        if name.startswith("__") or name == "needed":
            raise AttributeError(name)
        if name in self.needed:
            return self.needed[name]
        raise MethodError(
            f"the batch has no {name!r}: a method that reads it declares it in needs=(...); "
            f"available needs are {', '.join(sorted(NEEDS))}"
        )


@dataclass(frozen=True)
class Completions(Declared):
    """One column of responses.

    policy: [B] or [B, N] float32, nats, <= 0; carries the gradient.
    tokens: [B] or [B, N] int64, >= 1; completion tokens counted in the sum.
    needed: tensors that a method asked for by `needs`, found as attributes (`reference`, ...).
    """

    policy: Tensor
    tokens: Tensor
    needed: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def logratio(self) -> Tensor:
        """log policy/reference, nats; needs `reference`."""
        return self.policy - self.needed_tensor("reference")

    @property
    def mean_policy(self) -> Tensor:
        """Log-probability per token, nats; for length-normalised losses."""
        return self.policy / self.tokens

    def needed_tensor(self, name: str) -> Tensor:
        """The declared tensor `name`; MethodError where it was not declared."""
        return getattr(self, name)


@dataclass(frozen=True)
class Pairs(Declared):
    """Pairwise feedback: B prompts, each with a chosen and a rejected completion.

    needed: as in `Completions`, what a method asked for of each example (`embedding`, ...), and
    `traceless`, a further Pairs, or `reference_samples`, Completions.
    """

    chosen: Completions
    rejected: Completions
    needed: Mapping[str, Tensor | Pairs | Completions] = field(default_factory=dict)


@dataclass(frozen=True)
class Singles(Declared):
    """Binary feedback: B prompts, each with one completion and a label.

    desirable: [B] bool. mismatched: see `NEEDS`; None unless declared. needed: see `Pairs`.
    """

    completion: Completions
    desirable: Tensor
    mismatched: Completions | None = None
    needed: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Lists(Declared):
    """Scalar feedback: B prompts, each with N completions and their scores.

    completions: fields of shape [B, N]. scores: [B, N] float32 in [0, 1], higher is better.
    needed: see `Pairs`.
    """

    completions: Completions
    scores: Tensor
    needed: Mapping[str, Tensor] = field(default_factory=dict)


#: Feedback name of each batch type: the word used in data views, tables and messages.
FEEDBACK = {"Pairs": "pairs", "Singles": "singles", "Lists": "lists"}
