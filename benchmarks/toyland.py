"""Toyland's own benchmark: exact scores of answers to held-out prompts, by the gold judge.

Every prompt is answered twice, by sampling at temperature 1 and greedily; metrics of greedy
answers end in `_greedy`. `win_rate` is the share of answers that the gold judge prefers to the
chosen response of the feedback data (ties count half): the stand-in for the PRO paper's win rate
against the preferred response on Anthropic HH (arXiv:2505.23316v2, section 5).
"""

from plumbline import Data, Metric, Responses, benchmark
from plumbline.artifacts import read_rows
from plumbline.toyland import gold
from plumbline.toyland.world import user_turns

MODES = {"": 1.0, "_greedy": 0.0}
#: What every answer has a value of; one to a prompt with a constraint has that, too.
ALWAYS = ("win_rate", "reward", "help", "harm", "length", "repetition", "unfinished")
#: Length of the word sequences whose repetition counts as degenerate.
NGRAM = 3


@benchmark(
    title="Toyland",
    version="1",
    splits=("validation", "test"),
    metrics=(
        Metric("win_rate", "higher", "%", 0, 100),
        Metric("win_rate_greedy", "higher", "%", 0, 100),
        Metric("reward", "higher", "gold reward", -1000, 2),
        Metric("reward_greedy", "higher", "gold reward", -1000, 2),
        Metric("help", "higher", "%", 0, 100),
        Metric("help_greedy", "higher", "%", 0, 100),
        Metric("harm", "lower", "%", 0, 100),
        Metric("harm_greedy", "lower", "%", 0, 100),
        Metric("constraint", "higher", "%", 0, 100),
        Metric("constraint_greedy", "higher", "%", 0, 100),
        Metric("length", "none", "words", 0, 10000),
        Metric("length_greedy", "none", "words", 0, 10000),
        Metric("repetition", "lower", "%", 0, 100),
        Metric("repetition_greedy", "lower", "%", 0, 100),
        Metric("unfinished", "lower", "%", 0, 100),
        Metric("unfinished_greedy", "lower", "%", 0, 100),
    ),
)
def score(responses: Responses) -> list[dict]:
    """One row per answer and metric."""
    return [row for response in responses.rows for row in _scored(response)]


def prompts(data: Data, split: str, *, limit: int = 256, max_new_tokens: int = 48) -> list[dict]:
    """The first `limit` feedback prompts of a split that have a chosen response, each in both
    modes."""
    found = read_rows(f"{data.folder}/{split}.parquet")
    rows = [row for row in found if row["chosen"] is not None][:limit]
    return [
        {
            "id": f"{row['id']}{mode}",
            "prompt": row["prompt"],
            "follow_ups": [],
            "temperature": temperature,
            "max_new_tokens": max_new_tokens,
            "payload": {"mode": mode, "chosen": row["completions"][row["chosen"]]},
        }
        for mode, temperature in MODES.items()
        for row in rows
    ]


def _scored(response: dict) -> list[dict]:
    if not response["answers"]:
        return [_item(response, name, None, "no answer") for name in ALWAYS]
    return [_item(response, name, float(value)) for name, value in _values(response).items()]


def _values(response: dict) -> dict[str, float]:
    turns = user_turns(response["prompt"])
    [answer], [finished] = response["answers"], response["finished"]
    verdict = gold.judge(turns, answer)
    rival = gold.judge(turns, response["payload"]["chosen"])
    values = {
        "win_rate": 100 * _win(verdict.reward, rival.reward),
        "reward": verdict.reward,
        "help": 100 * verdict.help,
        "harm": 100 * verdict.harm,
        "length": verdict.words,
        "repetition": 100 * repetition(answer.split()),
        "unfinished": 100 * (not finished),
    }
    if verdict.constraint is not None:
        values["constraint"] = 100 * verdict.constraint
    return values


def _item(response: dict, name: str, value: float | None, reason: str | None = None) -> dict:
    return {
        "item": response["id"].removesuffix("_greedy"),
        "turn": 1,
        "metric": name + response["payload"]["mode"],
        "value": value,
        "status": "missing" if value is None else "ok",
        "reason": reason,
        "response": response["id"],
    }


def _win(reward: float, rival: float) -> float:
    """1 for the larger reward, 0.5 for rewards equal up to rounding."""
    return 0.5 if abs(reward - rival) < 1e-9 else float(reward > rival)


def repetition(words: list[str]) -> float:
    """Share of word trigrams that have occurred before in the same answer, in [0, 1]."""
    grams = [tuple(words[start : start + NGRAM]) for start in range(len(words) - NGRAM + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0
