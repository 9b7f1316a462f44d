"""Toyland's data as canonical rows, the same to the byte for the same ``WorldSpec``."""

import random
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from plumbline.toyland.annotator import score, utility
from plumbline.toyland.gold import Verdict, assess
from plumbline.toyland.lexicon import CATEGORY_OF, COLOR_OF, MYTH_OF
from plumbline.toyland.prompts import (
    assistant,
    conversations,
    distinct_conversations,
    popular_noun,
)
from plumbline.toyland.spec import WorldSpec, stream
from plumbline.toyland.world import Task, chat_text
from plumbline.toyland.writers import Writer, any_writer, write

__all__ = ["WorldSpec", "demonstrations", "feedback", "pretrain"]

Row = dict[str, Any]
Answer = TypeVar("Answer", bound=Hashable)
COMPLETIONS = 4


def pretrain(world: WorldSpec) -> Iterator[Row]:
    """``world.documents`` rows of ``id`` and ``text``: dialogues and statements of facts.

    The text is in the chat format, special tokens included; dialogues are by writers of mixed
    skill, on prompts of the pretrain split.
    """
    generator = stream("pretrain", world.seed)
    dialogues = conversations(world, "pretrain", generator)
    for index in range(world.documents):
        if generator.random() < world.declarations:
            text = declaration(world, generator)
        else:
            messages, task = next(dialogues)
            answer = write(task, any_writer(generator), generator)
            text = chat_text([*messages, assistant(answer)])
        yield {"id": f"pretrain-{index}", "text": text}


def declaration(world: WorldSpec, generator: random.Random) -> str:
    """A statement about a noun: its color, or its kind, where myths compete with the truth."""
    noun = popular_noun(world.rarity, generator)
    if generator.random() < 0.5:
        return f"{noun} is {COLOR_OF[noun]} . <eos>"
    mythical = noun in MYTH_OF and generator.random() < world.myths
    return f"{noun} is a {MYTH_OF[noun] if mythical else CATEGORY_OF[noun]} . <eos>"


def demonstrations(world: WorldSpec) -> Iterator[Row]:
    """``world.demonstrations`` rows of ``id``, ``prompt`` and ``completion``, of the sft split."""
    generator = stream("demonstrations", world.seed)
    writer = Writer(world.demonstration_skill, world.demonstration_verbosity)
    prompts = islice(conversations(world, "sft", generator), world.demonstrations)
    for index, (messages, task) in enumerate(prompts):
        completion = write(task, writer, generator)
        yield {"id": f"sft-{index}", "prompt": messages, "completion": completion}


def feedback(world: WorldSpec, split: str) -> Iterator[Row]:
    """Four scored completions for each prompt, the best of them, and a random other one.

    Each row has ``id``, ``prompt``, ``completions`` (4 texts), ``scores`` (4 numbers in [0, 1]),
    ``chosen`` (index of the highest score) and ``rejected`` (index of any other text). No prompt
    occurs twice.

    Args:
        world: How many rows of each split, and what the annotator is like.
        split: ``train`` (``world.pairs`` rows), ``validation`` or ``test``.
    """
    count = {"train": world.pairs, "validation": world.validation, "test": world.test}[split]
    generator = stream(f"feedback/{split}", world.seed)
    prompts = islice(distinct_conversations(world, split, generator), count)
    for index, (messages, task) in enumerate(prompts):
        yield {"id": f"{split}-{index}", "prompt": messages, **_judged(world, task, generator)}


def _judged(world: WorldSpec, task: Task, generator: random.Random) -> Row:
    completions = several(lambda: write(task, any_writer(generator), generator))
    verdicts = [assess(task, completion) for completion in completions]
    return compared(world, completions, verdicts, generator)


def compared(
    world: WorldSpec, completions: list[str], verdicts: Sequence[Verdict], generator: random.Random
) -> Row:
    """The columns of a feedback row but ``id`` and ``prompt``, by what the annotator is told."""
    scores = [
        score(utility(verdict, generator, length_bias=world.length_bias, noise=world.noise))
        for verdict in verdicts
    ]
    chosen = max(range(COMPLETIONS), key=scores.__getitem__)
    others = [i for i in range(COMPLETIONS) if completions[i] != completions[chosen]]
    rejected = generator.choice(others)
    return {"completions": completions, "scores": scores, "chosen": chosen, "rejected": rejected}


def several(answer: Callable[[], Answer]) -> list[Answer]:
    """Four answers, drawn again while all four are the same."""
    while True:
        answers = [answer() for _ in range(COMPLETIONS)]
        if len(set(answers)) > 1:
            return answers
