"""The works that both sides do. Without torch, so that the driver may know them and stay small."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Work:
    """A GPT-NeoX and what it sees in a step.

    prompts: of a step. responses: to each prompt. tokens: of a prompt with one response, half of
    them prompt; None are Toyland's own rows. steps: of a repeat. sharing: whether our side may
    compute a prompt once for all its responses, as it does wherever a model can.
    """

    title: str
    hidden_size: int
    layers: int
    heads: int
    prompts: int
    responses: int
    tokens: int | None = 512
    steps: int = 1
    sharing: bool = True

    def examples(self, feedback: str) -> int:
        """Examples of a step: a single is one response, a pair or a list one prompt."""
        return self.prompts * self.responses if feedback == "singles" else self.prompts


_A = Work("(a) Toyland model, 32 pairs", 96, 3, 4, 32, 2, tokens=None, steps=5)
_B = Work("(b) 31 M, 4 x 512 tokens", 256, 6, 8, 2, 2)
WORKS = {
    "a": _A,
    "b": _B,
    "b_apart": replace(_B, title="(b), prompts apart", sharing=False),
    "c": Work("(c) 31 M, 4 responses to 2 prompts", 256, 6, 8, 2, 4),
}
