"""Judges: one OpenAI-compatible endpoint that everything which asks a judge talks to.

The evaluators speak their own prompts over HTTP and know nothing of what answers them. Behind the
endpoint stands an *answerer*: `gold` for Toyland, `surface` for any other text.
"""

from __future__ import annotations

from plumbline.errors import ConfigError
from plumbline.judge.gold import GoldJudge
from plumbline.judge.surface import SurfaceJudge
from plumbline.judge.wire import Answerer

ANSWERERS: dict[str, type[Answerer]] = {
    GoldJudge.name: GoldJudge,
    SurfaceJudge.name: SurfaceJudge,
}


def answerer(name: str) -> Answerer:
    """The judge called `name`; ConfigError naming those that exist."""
    if name not in ANSWERERS:
        known = ", ".join(sorted(ANSWERERS))
        raise ConfigError(f"judge: unknown judge {name!r}; known: {known}")
    return ANSWERERS[name]()
