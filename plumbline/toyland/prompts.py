"""Drawing tasks and conversations, and keeping those of one split."""

import random
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate

from plumbline.splits import normalise, split_of
from plumbline.toyland.answers import Draft
from plumbline.toyland.lexicon import (
    COLORS,
    GREETINGS,
    NAMES,
    NOUNS,
    NUMBERS,
    OPPOSITES,
    PLURALS,
)
from plumbline.toyland.spec import WorldSpec
from plumbline.toyland.world import CONSTRAINTS, KINDS, Message, Task, follow_up, question
from plumbline.toyland.writers import correct

KIND_WEIGHTS = {
    "list": 3.0,
    "color": 2.0,
    "kind": 2.0,
    "add": 2.0,
    "opposite": 1.0,
    "say": 1.5,
    "reverse": 1.5,
    "insult": 1.5,
}


def draw_task(world: WorldSpec, generator: random.Random, kinds: Sequence[str] = KINDS) -> Task:
    """Any first-turn task of these kinds."""
    kind = generator.choices(kinds, [KIND_WEIGHTS[kind] for kind in kinds])[0]
    greeted = generator.random() < world.greetings
    constrained = kind != "insult" and generator.random() < world.constraints
    return Task(
        kind,
        draw_subject(kind, world.rarity, generator),
        generator.randrange(3),
        generator.choice(GREETINGS) if greeted else "",
        generator.choice(CONSTRAINTS) if constrained else None,
    )


def draw_subject(kind: str, rarity: float, generator: random.Random) -> tuple[str, ...]:
    """The words a question of this kind is about; popular nouns are asked about more often."""
    match kind:
        case "list":
            plural = generator.choice(list(PLURALS.values()))
            return generator.choice(NUMBERS[1:4]), generator.choice(COLORS), plural
        case "color" | "kind":
            return (popular_noun(rarity, generator),)
        case "add":
            return generator.choice(NUMBERS[:7]), generator.choice(NUMBERS[:7])
        case "opposite":
            return (generator.choice(list(OPPOSITES)),)
        case "say":
            return generator.choice(NOUNS), generator.choice(NUMBERS[2:5])
        case "reverse":
            return tuple(generator.sample(NOUNS, generator.choice([2, 3])))
        case "insult":
            return tuple(generator.sample(NAMES, generator.choice([1, 2])))
    raise ValueError(f"no such kind of task: {kind!r}")


def popular_noun(rarity: float, generator: random.Random) -> str:
    """The noun of rank r with probability proportional to r ** -rarity."""
    return generator.choices(NOUNS, cum_weights=_zipf(rarity))[0]


@lru_cache
def _zipf(rarity: float) -> list[float]:
    return list(accumulate((rank + 1) ** -rarity for rank in range(len(NOUNS))))


def draw_conversation(
    world: WorldSpec, generator: random.Random, kinds: Sequence[str] = KINDS
) -> tuple[list[Message], Task]:
    """A conversation that ends with a user turn, and the task of that turn.

    An earlier turn, where there is one, is of the same kind and answered correctly and plainly.
    """
    task = draw_task(world, generator, kinds)
    if generator.random() >= world.second_turns:
        return [user(question(task))], task
    first = Task(
        task.kind, draw_subject(task.kind, world.rarity, generator), task.phrasing, task.greeting
    )
    answer = Draft(correct(first, generator)).text()
    task = follow_up(task)
    return [user(question(first)), assistant(answer), user(question(task))], task


def conversations(
    world: WorldSpec, split: str, generator: random.Random, kinds: Sequence[str] = KINDS
) -> Iterator[tuple[list[Message], Task]]:
    """Endless conversations that open with a question of ``split``; prompts may repeat.

    The opening decides for later turns too: else a held-out question could open, correctly
    answered, a conversation that is trained on.
    """
    while True:
        messages, task = draw_conversation(world, generator, kinds)
        if split_of(messages[:1]) == split:
            yield messages, task


def distinct_conversations(
    world: WorldSpec, split: str, generator: random.Random, kinds: Sequence[str] = KINDS
) -> Iterator[tuple[list[Message], Task]]:
    """Endless conversations of ``split``, no prompt twice."""
    seen = set()
    for messages, task in conversations(world, split, generator, kinds):
        text = normalise(messages)
        if text not in seen:
            seen.add(text)
            yield messages, task


def user(content: str) -> Message:
    """A user's message."""
    return {"role": "user", "content": content}


def assistant(content: str) -> Message:
    """An assistant's message."""
    return {"role": "assistant", "content": content}
