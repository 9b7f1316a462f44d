"""Other labels for the same completions: controls, scores that only compare, and noise.

A rule gives the completions of one group new scores, of a pair 1 and 0, of a single 1 where it is
desirable. Texts, prompts and their order stay, so that a run on other labels sees the very same
batches and shares the reference's log-probabilities. All functions are pure: what is drawn depends
on a seed and on the feedback row's id alone, so that its pair and its singles agree (but for rows
of one completion, which need the others).
"""

from collections.abc import Callable, Sequence
from random import Random
from statistics import fmean

from plumbline.artifacts import derive_seed
from plumbline.data.records import Row

Scores = Sequence[float]
#: (scores, their texts, a random generator of the group) -> new scores.
Rule = Callable[[Scores, Sequence[str], Random], Scores]


def as_given(scores: Scores, texts: Sequence[str], random: Random) -> Scores:
    """The data's own."""
    return scores


def shuffled(scores: Scores, texts: Sequence[str], random: Random) -> Scores:
    """The same scores, dealt out at random: there is nothing to learn."""
    return random.sample(scores, len(scores))


def flipped(scores: Scores, texts: Sequence[str], random: Random) -> Scores:
    """The worst becomes the best: what is learnt is wrong."""
    return [1 - score for score in scores]


def by_length(scores: Scores, texts: Sequence[str], random: Random) -> Scores:
    """The same scores, the higher the longer the text in characters; equal lengths are drawn."""
    order = random.sample(range(len(texts)), len(texts))
    order.sort(key=lambda index: len(texts[index]))
    dealt = dict(zip(order, sorted(scores), strict=True))
    return [dealt[index] for index in range(len(texts))]


def win_rates(scores: Scores, texts: Sequence[str], random: Random) -> Scores:
    """The share of the group that each beats, itself among them; a tie is half a win.

    Less 1/2, this is the score of Theorem 3.1, arXiv:2505.23316v2, at comparisons without noise.
    """
    return [fmean((own > other) + (own == other) / 2 for other in scores) for own in scores]


#: What `labels` may say under `methods` in an experiment file.
RULES: dict[str, Rule] = {
    "given": as_given,
    "random": shuffled,
    "flipped": flipped,
    "longer": by_length,
    "win_rate": win_rates,
}
#: The completions of a view row and their scores, by feedback.
SCORED: dict[str, Callable[[Row], list[tuple[str, float]]]] = {
    "pairs": lambda row: [(row["chosen"], 1.0), (row["rejected"], 0.0)],
    "singles": lambda row: [(row["completion"], float(row["desirable"]))],
    "lists": lambda row: list(zip(row["completions"], row["scores"], strict=True)),
}


def scores(
    rows: Sequence[Row], feedback: str, labels: str, seed: int, flip: float = 0.0
) -> list[list[float]]:
    """New scores of each view row's completions, by the rule that `labels` names.

    A group is what came from one feedback row. Rows that gave one completion each have nobody to
    change labels with, and are one group together: shares of labels stay what they were.
    flip: the probability, for each feedback row by itself, that its new scores are turned around.
    """
    found = _ruled(rows, feedback, labels, seed)
    return [
        [1 - score for score in own] if _errs(row, flip, seed) else own
        for row, own in zip(rows, found, strict=True)
    ]


def _errs(row: Row, rate: float, seed: int) -> bool:
    """Whether a row is mislabelled at this rate; then it is at every higher one."""
    return Random(derive_seed("flip", seed, origin(row))).random() < rate


def origin(row: Row) -> str:
    """The id of the feedback row that a view row came from."""
    return row.get("row", row["id"])


def _ruled(rows: Sequence[Row], feedback: str, labels: str, seed: int) -> list[list[float]]:
    members = [
        (index, text, score)
        for index, row in enumerate(rows)
        for text, score in SCORED[feedback](row)
    ]
    found: list[list[float]] = [[] for _ in rows]
    for key, group in _groups(rows, members).items():
        indices, texts, old = zip(*group, strict=True)
        new = RULES[labels](old, texts, Random(derive_seed("labels", seed, key)))
        for index, score in zip(indices, new, strict=True):
            found[index].append(score)
    return found


Member = tuple[int, str, float]


def _groups(rows: Sequence[Row], members: Sequence[Member]) -> dict[str, list[Member]]:
    """Members by the feedback row they came from; the lonely ones under "", which is no row's."""
    together: dict[str, list[Member]] = {}
    for member in members:
        together.setdefault(origin(rows[member[0]]), []).append(member)
    groups: dict[str, list[Member]] = {}
    for key, group in together.items():
        groups.setdefault(key if len(group) > 1 else "", []).extend(group)
    return groups
