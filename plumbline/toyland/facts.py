"""Facts to forget and facts to retain: what unlearning methods learn from and are scored on.

The questions are Toyland's about the color and the kind of a noun, and every answer is right. A
share of the nouns is to be forgotten: a row about one is undesirable, any other desirable.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from plumbline.splits import split_of
from plumbline.toyland.answers import solution
from plumbline.toyland.gold import assess
from plumbline.toyland.lexicon import GREETINGS, NOUNS
from plumbline.toyland.prompts import user
from plumbline.toyland.source import pretrain
from plumbline.toyland.spec import FactsSpec, WorldSpec, stream
from plumbline.toyland.world import Message, Task, parse, question, user_turns

Row = dict[str, Any]


def forgotten(facts: FactsSpec) -> frozenset[str]:
    """The nouns that are to be forgotten, at least one."""
    count = max(1, round(facts.forget * len(NOUNS)))
    return frozenset(stream("forget", facts.seed).sample(NOUNS, count))


def documents(facts: FactsSpec) -> Iterator[Row]:
    """Rows of `id` and `text`: Toyland's pretraining with every noun as frequent as another."""
    world = WorldSpec(
        facts.seed, documents=facts.documents, declarations=0.5, myths=0.0, rarity=0.0
    )
    return pretrain(world)


def demonstrations(facts: FactsSpec) -> Iterator[Row]:
    """Rows of `id`, `prompt` and `completion`, of the sft split."""
    drawn = stream("facts/sft", facts.seed).choices(_tasks_of("sft"), k=facts.demonstrations)
    for index, task in enumerate(drawn):
        prompt = [user(question(task))]
        yield {"id": f"sft-{index}", "prompt": prompt, "completion": solution(task)}


def feedback(facts: FactsSpec, split: str) -> Iterator[Row]:
    """Rows with one completion, `chosen` where it is to be retained and `rejected` where it is to
    be forgotten; the other index is null. No prompt occurs twice.

    Args:
        facts: How many rows of each split, and who is forgotten.
        split: ``train``, ``validation`` or ``test``.
    """
    count = {"train": facts.examples, "validation": facts.validation, "test": facts.test}[split]
    everything = _tasks_of(split)
    stream(f"facts/{split}", facts.seed).shuffle(everything)
    nouns = forgotten(facts)
    for index, task in enumerate(everything[:count]):
        is_forgotten = task.subject[0] in nouns
        yield {
            "id": f"{split}-{index}",
            "prompt": [user(question(task))],
            "completions": [solution(task)],
            "scores": None,
            "chosen": None if is_forgotten else 0,
            "rejected": 0 if is_forgotten else None,
        }


def is_right(prompt: list[Message], answer: str) -> bool:
    """Whether an answer to one of these questions names the fact."""
    return assess(parse(user_turns(prompt)), answer).help == 1.0


def _tasks_of(split: str) -> list[Task]:
    """A split's questions about facts, in every phrasing, with every greeting and with none."""
    drawn = product(("color", "kind"), NOUNS, range(3), ("", *GREETINGS))
    tasks = (Task(kind, (noun,), phrasing, greeting) for kind, noun, phrasing, greeting in drawn)
    return [task for task in tasks if split_of([user(question(task))]) == split]
