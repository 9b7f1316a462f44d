"""Reading an evaluator's prompt: what is being judged, from the text alone.

Three families are understood: AlpacaEval's weighted comparison of the outputs "m" and "M",
MT-Bench's single grading, with one turn or two, with or without reference answers, and the choice
between responses A and B to a conversation. A prompt is read by its section markers. Each has to
occur exactly as often as its template says: an answer that contains one is refused rather than
misread.

Sources: alpaca_eval 0.6.6, evaluators_configs/alpaca_eval_clf_gpt4_turbo/alpaca_eval_clf.txt;
FastChat 0e6d3e4, fastchat/llm_judge/data/judge_prompts.jsonl (single-v1, single-math-v1 and their
multi-turn forms); the last is our own, from benchmarks/hh_win_rate.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from plumbline.artifacts import digest
from plumbline.errors import JudgeError
from plumbline.judge.wire import Message

COMPARISON = (
    '"instruction": """',
    '""",\n}\n\n## Model Outputs',
    '"model_identifier": "m",\n        "output": """',
    '"""\n    },\n    {\n        "model_identifier": "M",\n        "output": """',
    '"""\n    }\n}\n\n## Task',
)
ANSWER = ("\n\n[The Start of Assistant's Answer]\n", "\n[The End of Assistant's Answer]")
ONE_TURN = ("[Question]\n", *ANSWER)
ONE_TURN_WITH_REFERENCE = (
    "[Question]\n",
    "\n\n[The Start of Reference Answer]\n",
    "\n[The End of Reference Answer]",
    *ANSWER,
)
TWO_TURNS = (
    "<|The Start of Assistant A's Conversation with User|>\n\n### User:\n",
    "\n\n### Assistant A:\n",
    "\n\n### User:\n",
    "\n\n### Assistant A:\n",
    "\n\n<|The End of Assistant A's Conversation with User|>",
)
TWO_TURNS_WITH_REFERENCES = (
    "<|The Start of Reference Answer|>\n\n### User:\n",
    "\n\n### Reference answer:\n",
    "\n\n### User:\n",
    "\n\n### Reference answer:\n",
    "\n\n<|The End of Reference Answer|>",
    *TWO_TURNS,
)
CHOICE = (
    "[Conversation]\n",
    "\n[End of Conversation]\n\n[Response A]\n",
    "\n[End of Response A]\n\n[Response B]\n",
    "\n[End of Response B]",
)
SPEAKER = re.compile(r"(?:^|\n\n)(Human|Assistant): ")


@dataclass(frozen=True)
class Comparison:
    """Which of two outputs is better: `first` is called "m" in the prompt, `second` "M"."""

    instruction: str
    first: str
    second: str


@dataclass(frozen=True)
class Grading:
    """How good the last of `answers` is. All in conversation order; `references` may be empty."""

    turns: tuple[str, ...]
    answers: tuple[str, ...]
    references: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choice:
    """Which of the responses "A" and "B" is better. turns: the user's, in conversation order."""

    turns: tuple[str, ...]
    first: str
    second: str

    def better(self, first: float, second: float) -> str:
        """The name of the response with the larger score. Responses of equal score are told apart
        by their text's hash, not by their place: swapping them always swaps the verdict."""
        return "A" if (first, digest(self.first)) >= (second, digest(self.second)) else "B"


def user_turns(conversation: str) -> tuple[str, ...]:
    """What the human says in a conversation of `Human: ` and `Assistant: ` turns."""
    _, *parts = SPEAKER.split(conversation)
    speakers, texts = parts[::2], parts[1::2]
    pairs = zip(speakers, texts, strict=True)
    return tuple(text for speaker, text in pairs if speaker == "Human")


# The pieces between each form's markers, and what they mean. Forms with references come first,
# since their markers include those of the forms without.
FORMS = {
    COMPARISON: lambda instruction, _, first, second: Comparison(instruction, first, second),
    ONE_TURN_WITH_REFERENCE: lambda question, reference, _, answer: Grading(
        (question,), (answer,), (reference,)
    ),
    ONE_TURN: lambda question, answer: Grading((question,), (answer,)),
    TWO_TURNS_WITH_REFERENCES: lambda _q1, reference_1, _q2, reference_2, _, *turns: Grading(
        tuple(turns[::2]), tuple(turns[1::2]), (reference_1, reference_2)
    ),
    TWO_TURNS: lambda *turns: Grading(turns[::2], turns[1::2]),
    CHOICE: lambda conversation, *responses: Choice(user_turns(conversation), *responses),
}


def read(messages: Sequence[Message]) -> Comparison | Grading | Choice:
    """What a judge's prompt, the last of `messages`, asks; JudgeError where it is of no known form
    or one of its texts contains a section marker."""
    text = messages[-1]["content"]
    form = next((form for form in FORMS if all(marker in text for marker in form)), None)
    pieces = between(text, form) if form else None
    if pieces is None:
        raise JudgeError(
            "the prompt is neither AlpacaEval's comparison of 'm' and 'M', nor MT-Bench's single "
            "grading, nor a choice between responses A and B, or one of its texts contains a "
            "section marker"
        )
    return FORMS[form](*pieces)


def between(text: str, markers: Sequence[str]) -> list[str] | None:
    """The texts between consecutive markers, or None if the markers are not all there in order or
    one of them occurs more often than `markers` says."""
    for marker in set(markers):
        if text.count(marker) != sum(marker in other for other in markers):
            return None
    found = []
    _, _, rest = text.partition(markers[0])
    for marker in markers[1:]:
        piece, there, rest = rest.partition(marker)
        if not there:
            return None
        found.append(piece)
    return found
