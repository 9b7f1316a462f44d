"""UltraFeedback (Cui et al., arXiv 2310.01377): completions scored from 1 to 10 by GPT-4.

Both of its forms are read: all completions of a prompt (openbmb/UltraFeedback), and pairs with two
scores (HuggingFaceH4/ultrafeedback_binarized, trl-lib/ultrafeedback_binarized).
"""

from collections.abc import Iterator

from plumbline.data.records import Message, Row, Value, records

LOW, HIGH = 1.0, 10.0


def ultrafeedback(path: str) -> Iterator[Row]:
    """Scored feedback from a file, a folder of files, or the hub; scores are mapped to [0, 1].

    A row that lists its completions has no `chosen` and `rejected` yet: `build` draws them. The
    hub's pairs come in several splits of the same prompts; name the one to read
    (`HuggingFaceH4/ultrafeedback_binarized:train_prefs`).
    """
    for id, row in records(path):
        yield {"id": id, **(_listed(row) if "completions" in row else _pair(row))}


def unit(score: Value) -> float:
    """A score from 1 to 10 as a number in [0, 1]."""
    return (score.number(LOW, HIGH) - LOW) / (HIGH - LOW)


def _listed(row: Value) -> Row:
    completions = row["completions"].items()
    return {
        "prompt": row["instruction"].prompt(),
        "completions": [completion["response"].text() for completion in completions],
        "scores": [unit(completion["overall_score"]) for completion in completions],
        "chosen": None,
        "rejected": None,
    }


def _pair(row: Value) -> Row:
    prompt, chosen = _answer(row, row["chosen"])
    other_prompt, rejected = _answer(row, row["rejected"])
    if prompt != other_prompt:
        raise row["rejected"].wrong("the turns of field 'chosen' before the last one")
    return {
        "prompt": prompt,
        "completions": [chosen, rejected],
        "scores": [unit(row["score_chosen"]), unit(row["score_rejected"])],
        "chosen": 0,
        "rejected": 1,
    }


def _answer(row: Value, side: Value) -> tuple[list[Message], str]:
    """Prompt and completion of one side: text, messages with the prompt, or the answer alone."""
    if isinstance(side.value, str):
        return row["prompt"].prompt(), side.text()
    turns = side.turns() if isinstance(side.value, list) else []
    if not turns or turns[-1]["role"] != "assistant":
        raise side.wrong("text, or messages that end with an assistant turn")
    return turns[:-1] or row["prompt"].prompt(), turns[-1]["content"]
