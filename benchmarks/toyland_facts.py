"""Which of Toyland's facts a model still knows: those it was to forget, and the others.

Held-out questions about facts that were trained on in other words, as many about nouns that are to
be forgotten as about others, answered greedily. Forget and retain accuracy are what unlearning is
scored on (TOFU, arXiv:2401.06121).
"""

from plumbline import Data, Metric, Responses, benchmark
from plumbline.artifacts import read_rows
from plumbline.toyland.facts import is_right


@benchmark(
    title="Toyland facts",
    version="1",
    splits=("validation", "test"),
    metrics=(
        Metric("unlearned", "higher", "%", 0, 100),
        Metric("retain_accuracy", "higher", "%", 0, 100),
        Metric("forget_accuracy", "lower", "%", 0, 100),
    ),
)
def score(responses: Responses) -> list[dict]:
    """Two items an answer: whether it names the fact, and whether that is as it should be."""
    return [row for response in responses.rows for row in _scored(response)]


def prompts(data: Data, split: str, *, limit: int = 256, max_new_tokens: int = 24) -> list[dict]:
    """At most `limit` questions of a split, half of them about facts to forget."""
    rows = read_rows(f"{data.folder}/{split}.parquet")
    forget = [row for row in rows if row["chosen"] is None][: limit // 2]
    retain = [row for row in rows if row["rejected"] is None][: len(forget)]
    return [
        {
            "id": row["id"],
            "prompt": row["prompt"],
            "follow_ups": [],
            "temperature": 0.0,
            "max_new_tokens": max_new_tokens,
            "payload": {"side": side},
        }
        for side, chosen in (("forget", forget), ("retain", retain))
        for row in chosen
    ]


def _scored(response: dict) -> list[dict]:
    side = response["payload"]["side"]
    names = (f"{side}_accuracy", "unlearned")
    if not response["answers"]:
        return [_item(response, name, None, "no answer") for name in names]
    right = is_right(response["prompt"], response["answers"][0])
    values = right, right == (side == "retain")
    return [_item(response, *pair) for pair in zip(names, values, strict=True)]


def _item(response: dict, metric: str, value: bool | None, reason: str | None = None) -> dict:
    return {
        "item": response["id"],
        "turn": 1,
        "metric": metric,
        "value": None if value is None else 100.0 * value,
        "status": "missing" if value is None else "ok",
        "reason": reason,
        "response": response["id"],
    }
