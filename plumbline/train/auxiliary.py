"""Models that only serve the training of others: DPO on the pairs, and on the pairs reversed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from plumbline.layout import Auxiliary
from plumbline.train.examples import Example, turned
from plumbline.train.run import Bench


@dataclass(frozen=True)
class AuxiliaryBench(Bench):
    """`losses/dpo.py` at its defaults in the setting's recipe, towards one side of the pairs."""

    side: str

    @cached_property
    def examples(self) -> list[Example]:
        """The training pairs, the side to prefer first."""
        return [SIDES[self.side](item) for item in super().examples]

    def parts(self) -> dict:
        """Everything that decides the weights."""
        return super().parts() | {"side": self.side}

    def point(self, run: Auxiliary) -> dict[str, float]:
        """The method's defaults."""
        return {}


#: By the side that a model is to prefer, what becomes of a pair.
SIDES = {"chosen": lambda example: example, "rejected": turned}
