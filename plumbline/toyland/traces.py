"""Sums with scratch steps: answers that count up before they name the sum, and may miscount.

A completion with a trace reads ``count two three four five end two and three is five .``: from the
first number a step for each unit of the second, then the word that ends the trace, then the answer,
which names the number that the count came to. The writer's skill decides how often a step is
repeated or left out, so that both the trace and the answer may be wrong. A share of the answers has
no trace. The annotator reads the final answer only, and has no taste for length.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from typing import Any

from plumbline.toyland.gold import assess
from plumbline.toyland.lexicon import NUMBERS
from plumbline.toyland.prompts import assistant, conversations, distinct_conversations
from plumbline.toyland.source import compared, several
from plumbline.toyland.spec import TRACE_END, TracesSpec, WorldSpec, stream
from plumbline.toyland.world import Task, chat_text
from plumbline.toyland.writers import Writer, any_writer, worded, write

Row = dict[str, Any]
KINDS = ("add",)
#: How questions are drawn, and what the annotator is like.
WORLD = WorldSpec(second_turns=0.5, constraints=0.0, length_bias=0.0)
#: A step goes wrong with (1 - skill) times this probability.
MISCOUNT_SHARE = 0.4


def documents(traces: TracesSpec) -> Iterator[Row]:
    """Rows of ``id`` and ``text``: dialogues by writers of mixed skill, of the pretrain split."""
    generator = stream("traces/pretrain", traces.seed)
    asked = conversations(WORLD, "pretrain", generator, KINDS)
    for index, (messages, task) in enumerate(islice(asked, traces.documents)):
        answer = " ".join(written(traces, task, any_writer(generator), generator)).strip()
        yield {"id": f"pretrain-{index}", "text": chat_text([*messages, assistant(answer)])}


def demonstrations(traces: TracesSpec) -> Iterator[Row]:
    """Rows of ``id``, ``prompt`` and ``completion``, of the sft split, by Toyland's own writer."""
    generator = stream("traces/sft", traces.seed)
    writer = Writer(WORLD.demonstration_skill, WORLD.demonstration_verbosity)
    asked = conversations(WORLD, "sft", generator, KINDS)
    for index, (messages, task) in enumerate(islice(asked, traces.demonstrations)):
        completion = " ".join(written(traces, task, writer, generator)).strip()
        yield {"id": f"sft-{index}", "prompt": messages, "completion": completion}


def feedback(traces: TracesSpec, split: str) -> Iterator[Row]:
    """Rows as of ``source.feedback``, scored by their final answers. No prompt occurs twice.

    Args:
        traces: How many rows of each split, and how many answers have a trace.
        split: ``train`` (``traces.pairs`` rows), ``validation`` or ``test``.
    """
    count = {"train": traces.pairs, "validation": traces.validation, "test": traces.test}[split]
    generator = stream(f"traces/{split}", traces.seed)
    asked = distinct_conversations(WORLD, split, generator, KINDS)
    for index, (messages, task) in enumerate(islice(asked, count)):
        yield {"id": f"{split}-{index}", "prompt": messages, **_judged(traces, task, generator)}


def _judged(traces: TracesSpec, task: Task, generator: random.Random) -> Row:
    answers = several(lambda: written(traces, task, any_writer(generator), generator))
    completions = [" ".join(parts).strip() for parts in answers]
    verdicts = [assess(task, answer) for _, answer in answers]
    return compared(WORLD, completions, verdicts, generator)


def written(
    traces: TracesSpec, task: Task, writer: Writer, generator: random.Random
) -> tuple[str, str]:
    """A writer's trace, with the word that ends it, or "", and the final answer to a sum."""
    if generator.random() >= traces.traces:
        return "", write(task, writer, generator)
    numbers = counted(task, writer, generator)
    core = f"{' and '.join(task.subject)} is {numbers[-1]}"
    trace = " ".join(["count", *numbers, TRACE_END])
    return trace, worded(core, task, writer, generator)


def counted(task: Task, writer: Writer, generator: random.Random) -> list[str]:
    """The number words of a count from the first number on, right or with steps of none or two."""
    here, steps = (NUMBERS.index(word) for word in task.subject)
    numbers = [NUMBERS[here]]
    for _ in range(steps):
        slips = generator.random() < MISCOUNT_SHARE * (1 - writer.skill)
        here = min(here + (generator.choice((0, 2)) if slips else 1), len(NUMBERS) - 1)
        numbers.append(NUMBERS[here])
    return numbers
