"""KL divergence of a model from the reference, over its own answers to held-out prompts.

The mean over answers y, sampled from the model at temperature 1, of log pi(y|x) - log pi_ref(y|x):
an unbiased estimate of KL(pi || pi_ref) that needs nothing but the answers (k1 in John Schulman,
Approximating KL Divergence, http://joschu.net/blog/kl-approx.html). One answer's value may be
negative, and so may the mean of few; its standard error is that over prompts. An answer that ends
at the limit counts as it is: the divergence is that of answers of so many tokens.
"""

from plumbline import Data, Metric, Responses, benchmark
from plumbline.artifacts import read_rows


@benchmark(
    title="Reference",
    version="1",
    splits=("validation", "test"),
    metrics=(Metric("kl", "none", "nats", -10000, 10000),),
    referenced=True,
)
def score(responses: Responses) -> list[dict]:
    """One row per answer."""
    return [
        _item(row["id"], row["logratios"][0] if row["answers"] else None) for row in responses.rows
    ]


def prompts(data: Data, split: str, *, limit: int = 256, max_new_tokens: int = 48) -> list[dict]:
    """The first `limit` feedback prompts of a split, called as Toyland's benchmark calls them, so
    that the same answers are sampled for both."""
    return [
        {
            "id": row["id"],
            "prompt": row["prompt"],
            "follow_ups": [],
            "temperature": 1.0,
            "max_new_tokens": max_new_tokens,
            "payload": None,
        }
        for row in read_rows(f"{data.folder}/{split}.parquet")[:limit]
    ]


def _item(name: str, logratio: float | None) -> dict:
    missing = logratio is None
    return {
        "item": name,
        "turn": 1,
        "metric": "kl",
        "value": logratio,
        "status": "missing" if missing else "ok",
        "reason": "no log-ratio: no answer, or one of a server or given model" if missing else None,
        "response": name,
    }
