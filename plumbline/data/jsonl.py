"""Your own feedback: one JSON object a line, in the form that fits what you have.

    {"prompt": ..., "chosen": text, "rejected": text}
    {"prompt": ..., "completion": text, "label": true or false}
    {"prompt": ..., "completions": [text, ...], "scores": [number in [0, 1], ...]}

`prompt` is text or a list of messages that ends with a user turn. `id` is optional.
"""

from collections.abc import Iterator

from plumbline.data.records import Row, Value, records


def jsonl(path: str) -> Iterator[Row]:
    """Feedback of any kind from a file or a folder of files; other fields are ignored."""
    for id, row in records(path):
        own = row["id"].text() if "id" in row else id
        yield {"id": own, "prompt": row["prompt"].prompt(), **_feedback(row)}


def _feedback(row: Value) -> Row:
    if "chosen" in row or "rejected" in row:
        return _pair(row)
    if "label" in row:
        return _labelled(row)
    if "scores" in row:
        return _scored(row)
    raise row.wrong("chosen and rejected, or completion and label, or completions and scores")


def _pair(row: Value) -> Row:
    completions = [row["chosen"].text(), row["rejected"].text()]
    return {"completions": completions, "scores": None, "chosen": 0, "rejected": 1}


def _labelled(row: Value) -> Row:
    desirable = row["label"].truth()
    return {
        "completions": [row["completion"].text()],
        "scores": None,
        "chosen": 0 if desirable else None,
        "rejected": None if desirable else 0,
    }


def _scored(row: Value) -> Row:
    completions = [item.text() for item in row["completions"].items()]
    scores = [item.number(0.0, 1.0) for item in row["scores"].items()]
    if len(completions) < 2:
        raise row["completions"].wrong("at least two completions")
    if len(scores) != len(completions):
        raise row["scores"].wrong(f"{len(completions)} scores, one per completion")
    return {"completions": completions, "scores": scores, "chosen": None, "rejected": None}
