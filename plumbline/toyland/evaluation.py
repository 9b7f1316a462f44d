"""Toyland's evaluation sets, in the formats of the evaluators that run on them.

Every set is fixed, whatever the world's settings, and asks only prompts of the test split.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, product
from typing import Any

from plumbline.splits import split_of
from plumbline.toyland.answers import members, solution
from plumbline.toyland.lexicon import (
    CATEGORIES,
    CATEGORY_OF,
    COLOR_OF,
    COLORS,
    GREETINGS,
    MEMBERS,
    MYTH_OF,
    NOUNS,
    NUMBERS,
    PLURALS,
    SINGULARS,
)
from plumbline.toyland.prompts import distinct_conversations, draw_subject, user
from plumbline.toyland.spec import WorldSpec, stream
from plumbline.toyland.world import CONSTRAINTS, PHRASINGS, Task, follow_up, parse, question
from plumbline.toyland.writers import Writer, write

Row = dict[str, Any]

REFERENCE_WRITER = Writer(skill=0.7, verbosity=0.8)
SET_SEED = 0
MULTIPLE_CHOICE_ITEMS = 200
IFEVAL_ITEMS_PER_CONSTRAINT = 30
QUESTIONS_PER_CATEGORY = 10
# MT-Bench's categories in its own order, and the kind of task that stands for each. Its judge is
# given reference answers for math, reasoning and coding.
MT_BENCH_KINDS = {
    "writing": "say",
    "roleplay": "insult",
    "reasoning": "opposite",
    "math": "add",
    "coding": "reverse",
    "extraction": "list",
    "stem": "kind",
    "humanities": "color",
}
REFERENCE_CATEGORIES = ("math", "reasoning", "coding")
_SINGLE_TURNS = WorldSpec(second_turns=0.0)


def is_test(text: str) -> bool:
    """Whether a single-turn prompt with this text belongs to the test split."""
    return split_of([user(text)]) == "test"


def alpaca_reference(n: int = 256) -> list[Row]:
    """Instructions with a decent writer's outputs, as AlpacaEval's reference file has them.

    Rows have ``instruction``, ``output``, ``generator`` and ``dataset`` (the kind of task). No
    instruction occurs twice.
    """
    generator = stream("alpaca_eval", SET_SEED)
    prompts = islice(distinct_conversations(_SINGLE_TURNS, "test", generator), n)
    return [
        {
            "instruction": messages[-1]["content"],
            "output": write(task, REFERENCE_WRITER, generator),
            "generator": "toyland_writer",
            "dataset": task.kind,
        }
        for messages, task in prompts
    ]


def mt_bench_questions() -> list[Row]:
    """80 two-turn questions in FastChat's format: ``question_id``, ``category``, ``turns``."""
    generator = stream("mt_bench", SET_SEED)
    turns = [
        (category, pair)
        for category, kind in MT_BENCH_KINDS.items()
        for pair in islice(_two_turns(kind, generator), QUESTIONS_PER_CATEGORY)
    ]
    return [
        {"question_id": number, "category": category, "turns": pair}
        for number, (category, pair) in enumerate(turns, start=1)
    ]


def mt_bench_references() -> list[Row]:
    """Reference answers in FastChat's format, for the categories judged with a reference."""
    return [
        {
            "question_id": row["question_id"],
            "answer_id": f"toyland-{row['question_id']}",
            "model_id": "gpt-4",
            "choices": [{"index": 0, "turns": reference_turns(row["turns"])}],
            "tstamp": 0.0,
        }
        for row in mt_bench_questions()
        if row["category"] in REFERENCE_CATEGORIES
    ]


def reference_turns(turns: list[str]) -> list[str]:
    """The shortest correct answer to each turn of a conversation."""
    return [solution(parse(turns[: last + 1])) for last in range(len(turns))]


def _two_turns(kind: str, generator: random.Random) -> Iterator[list[str]]:
    """Endless distinct pairs of a first question of the test split and its follow-up."""
    seen = set()
    while True:
        first = Task(kind, draw_subject(kind, 0.0, generator), generator.randrange(3))
        second = follow_up(Task(kind, draw_subject(kind, 0.0, generator)))
        text = question(first)
        if is_test(text) and text not in seen and second.subject != first.subject:
            seen.add(text)
            yield [text, question(second)]


def multiple_choice(name: str) -> list[Row]:
    """200 items of a probe: ``id``, ``question``, ``choices`` (4 texts) and ``answer`` (index).

    Args:
        name: ``arc`` (colors and kinds of the less popular nouns without a myth), ``truthfulqa``
            (kinds of nouns with a myth, which is among the choices) or ``gpqa`` (one or two
            unpopular nouns; a wrong choice has one of another color or category, popular in two
            choices of three).
    """
    subjects, choices = _PROBES[name]
    generator = stream(name, SET_SEED)
    tasks = list(_plain_test_tasks(subjects()))
    rows = []
    for index, task in enumerate(generator.sample(tasks, MULTIPLE_CHOICE_ITEMS)):
        right, *wrong = choices(task, generator)
        options = generator.sample([right, *wrong], 1 + len(wrong))
        rows.append(
            {
                "id": f"{name}-{index}",
                "question": question(task),
                "choices": options,
                "answer": options.index(right),
            }
        )
    return rows


def _plain_test_tasks(subjects: Iterable[tuple[str, tuple[str, ...]]]) -> Iterator[Task]:
    """Each (kind, subject) in every phrasing and greeting whose text is in the test split."""
    for kind, subject in subjects:
        for phrasing, greeting in product(range(len(PHRASINGS[kind])), ["", *GREETINGS]):
            task = Task(kind, subject, phrasing, greeting)
            if is_test(question(task)):
                yield task


def _lesser_known() -> list[tuple[str, tuple[str, ...]]]:
    """Color and kind of every noun of the less popular half that has no myth."""
    nouns = [noun for noun in NOUNS[len(NOUNS) // 2 :] if noun not in MYTH_OF]
    return [(kind, (noun,)) for kind in ("color", "kind") for noun in nouns]


def _fact_choices(task: Task, generator: random.Random) -> list[str]:
    noun = task.subject[0]
    facts, values, form = {
        "color": (COLOR_OF, COLORS, "{} is {}"),
        "kind": (CATEGORY_OF, CATEGORIES, "{} is a {}"),
    }[task.kind]
    others = generator.sample([value for value in values if value != facts[noun]], 3)
    return [form.format(noun, value) for value in [facts[noun], *others]]


def _myth_choices(task: Task, generator: random.Random) -> list[str]:
    noun = task.subject[0]
    known = [CATEGORY_OF[noun], MYTH_OF[noun]]
    others = [category for category in CATEGORIES if category not in known]
    return [f"{noun} is a {category}" for category in [*known, *generator.sample(others, 2)]]


def _list_choices(task: Task, generator: random.Random) -> list[str]:
    """The least popular right nouns; a wrong list has a near miss for one of them, in two lists of
    three the most popular noun of its pair."""
    right = members(task)[-NUMBERS.index(task.subject[0]) :]
    texts = [" , ".join(right)]
    popular, others = _near_misses(task)
    for intruder in [*generator.sample(popular, 2), generator.choice(others)]:
        wrong = list(right)
        wrong[generator.randrange(len(wrong))] = intruder
        texts.append(" , ".join(wrong))
    return texts


def _near_misses(task: Task) -> tuple[list[str], list[str]]:
    """The nouns of pairs that share just the color or just the category: the most popular one of
    each pair, and the others."""
    _, color, plural = task.subject
    category = SINGULARS[plural]
    pairs = [MEMBERS[pair] for pair in MEMBERS if (pair[0] == category) != (pair[1] == color)]
    return [nouns[0] for nouns in pairs], [noun for nouns in pairs for noun in nouns[1:]]


_Subjects = Callable[[], list[tuple[str, tuple[str, ...]]]]
_Choices = Callable[[Task, random.Random], list[str]]
_PROBES: dict[str, tuple[_Subjects, _Choices]] = {
    "arc": (_lesser_known, _fact_choices),
    "truthfulqa": (lambda: [("kind", (noun,)) for noun in MYTH_OF], _myth_choices),
    "gpqa": (
        lambda: [("list", words) for words in product(NUMBERS[1:3], COLORS, PLURALS.values())],
        _list_choices,
    ),
}


def ifeval() -> list[Row]:
    """180 distinct prompts, 30 with each constraint: ``id``, ``prompt`` (text), ``constraint``.

    An answer passes if ``gold.follows(parse([prompt]), answer)``.
    """
    generator = stream("ifeval", SET_SEED)
    world = WorldSpec(second_turns=0.0, constraints=1.0)
    left = dict.fromkeys(CONSTRAINTS, IFEVAL_ITEMS_PER_CONSTRAINT)
    rows: list[Row] = []
    for messages, task in distinct_conversations(world, "test", generator):
        if left.get(task.constraint):
            left[task.constraint] -= 1
            rows.append(
                {
                    "id": f"ifeval-{len(rows)}",
                    "prompt": messages[-1]["content"],
                    "constraint": task.constraint,
                }
            )
        if not any(left.values()):
            return rows
