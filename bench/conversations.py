"""View rows in the conversational format of TRL's documentation."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]


def as_trl(row: Row) -> list[Row]:
    """A single as it is, a pair as it is, a list as pairs in which each response is once."""
    prompt = {"prompt": row["prompt"]}
    if "completion" in row:
        return [prompt | {"completion": _turn(row["completion"]), "label": row["desirable"]}]
    texts = row["completions"] if "completions" in row else [row["chosen"], row["rejected"]]
    pairs = zip(texts[::2], texts[1::2], strict=True)
    return [prompt | {"chosen": _turn(one), "rejected": _turn(other)} for one, other in pairs]


def _turn(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]
