"""What the IFEval-like task calls."""

from typing import Any


def follows_constraint(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    """Whether the answer follows the constraint of its prompt: 1.0 or 0.0."""
    from plumbline.toyland.gold import follows
    from plumbline.toyland.world import parse

    return {"prompt_level_strict_acc": float(follows(parse([doc["prompt"]]), results[0]))}
