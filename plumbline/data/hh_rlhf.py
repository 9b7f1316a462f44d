"""Anthropic's helpfulness and harmlessness pairs (Bai et al., arXiv 2204.05862).

A row holds two dialogues, `chosen` and `rejected`, each one string of "\\n\\nHuman: ..." and
"\\n\\nAssistant: ..." turns. They share their beginning and differ in the last answer.
"""

import re
from collections.abc import Iterator
from os.path import commonprefix

from plumbline.data.records import Message, Row, Value, records

MARK = re.compile(r"\n\n(Human|Assistant):")
ROLES = {"Human": "user", "Assistant": "assistant"}

# Beside the pairs, the repository holds transcripts of attacks, which compare nothing.
NOT_PAIRS = ("red-team-attempts",)


def hh_rlhf(path: str) -> Iterator[Row]:
    """Pairwise feedback from a file, a folder of files, or the hub ("Anthropic/hh-rlhf").

    Texts are kept to the character, but for the one space after a mark. In a few rows in a
    thousand the dialogues part before the last answer; there, the completions are all that
    follows the last shared prompt, with the marks of later turns in their text.
    """
    for id, row in records(path, skip=NOT_PAIRS):
        prompt, chosen, rejected = _parted(row["chosen"], row["rejected"])
        yield {
            "id": id,
            "prompt": prompt,
            "completions": [chosen, rejected],
            "scores": None,
            "chosen": 0,
            "rejected": 1,
        }


def _parted(chosen: Value, rejected: Value) -> tuple[list[Message], str, str]:
    """The shared prompt, and what each dialogue answers."""
    shared = commonprefix([_dialogue(chosen), _dialogue(rejected)])
    answers = [mark for mark in speaker_changes(shared) if mark[1] == "Assistant"]
    if not answers:
        raise rejected.wrong("a dialogue that begins with the turns of field 'chosen'")
    prompt = messages(shared[: answers[-1].start()])
    completions = (side.value[answers[-1].end() :] for side in (chosen, rejected))
    return prompt, *(completion.removeprefix(" ") for completion in completions)


def _dialogue(side: Value) -> str:
    text = side.text()
    if not text.startswith("\n\nHuman:") or "\n\nAssistant:" not in text:
        raise side.wrong(r"a dialogue '\n\nHuman: ...\n\nAssistant: ...'")
    return text


def speaker_changes(dialogue: str) -> list[re.Match[str]]:
    """The marks at which the speaker changes. One that names who is speaking is part of the text,
    so that roles alternate, as chat templates require."""
    marks = list(MARK.finditer(dialogue))
    speakers = [None, *(mark[1] for mark in marks)]
    return [mark for mark, before in zip(marks, speakers, strict=False) if mark[1] != before]


def messages(dialogue: str) -> list[Message]:
    """A dialogue as messages."""
    marks = speaker_changes(dialogue)
    ends = [*(mark.start() for mark in marks[1:]), len(dialogue)]
    return [
        {"role": ROLES[mark[1]], "content": dialogue[mark.end() : end].removeprefix(" ")}
        for mark, end in zip(marks, ends, strict=True)
    ]
