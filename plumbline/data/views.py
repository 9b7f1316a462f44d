"""From feedback rows to training examples: the same rows as pairs, as singles and as lists.

All functions are pure. What they draw depends on a seed and on the row's id alone, so that a view
of fewer rows is a part of the view of all rows (but for `mismatched`, which needs the others).
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random

from plumbline.artifacts import derive_seed
from plumbline.data.records import Row, shown
from plumbline.errors import DataError
from plumbline.splits import normalise

logger = logging.getLogger(__name__)


def kinds(row: Row) -> set[str]:
    """Which of pairs, singles and lists a row can give; none where it compares nothing."""
    given = {
        "pairs": row["chosen"] is not None and row["rejected"] is not None,
        "singles": row["chosen"] is not None or row["rejected"] is not None,
        "lists": row["scores"] is not None and len(row["scores"]) > 1,
    }
    return {kind for kind, is_given in given.items() if is_given}


def common_kinds(rows: Sequence[Row]) -> list[str]:
    """What every row can give, sorted."""
    return sorted(set.intersection(*map(kinds, rows))) if rows else []


#: Share of each class of singles that is kept, in (0, 1].
Shares = Mapping[str, float]
ALL: Shares = {"desirable": 1.0, "undesirable": 1.0}


def classes(rows: Sequence[Row], seed: int = 0, keep: Shares = ALL) -> dict[str, int]:
    """How many singles of each class rows give: their ratio balances a loss that weighs classes."""
    counts = Counter(map(_class, _kept(rows, seed, keep)))
    return {name: counts[name] for name in ALL}


def pairs(rows: Sequence[Row]) -> list[Row]:
    """{id, prompt, chosen, rejected} of each row; DataError where one has no pair."""
    _require(rows, "pairs")
    return [
        {
            "id": row["id"],
            "prompt": row["prompt"],
            "chosen": row["completions"][row["chosen"]],
            "rejected": row["completions"][row["rejected"]],
        }
        for row in rows
    ]


def traceless(rows: Sequence[Row], trace_end: str) -> list[Row]:
    """The rows of `pairs` with completions that have no trace.

    A trace is all up to the first `trace_end`, which is not empty, and the white space behind it; a
    completion without one stays as it is. DataError where a row has no pair, or where no completion
    has a trace.
    """
    found = pairs(rows)
    if not any(trace_end in row[side] for row in found for side in ("chosen", "rejected")):
        raise DataError(
            f"no completion of a pair has a trace: none contains {trace_end!r}; data.trace_end "
            "must be the text that ends one (in Toyland data.source must be toyland_traces)"
        )
    return [
        row | {side: _without_trace(row[side], trace_end) for side in ("chosen", "rejected")}
        for row in found
    ]


def _without_trace(completion: str, trace_end: str) -> str:
    _, ended, answer = completion.partition(trace_end)
    return answer.lstrip() if ended else completion


def singles(rows: Sequence[Row], seed: int, keep: Shares = ALL) -> list[Row]:
    """{id, row, prompt, completion, desirable, mismatched}; a pair becomes two neighbours.

    keep: the share of each class that stays; every example is drawn for itself, so that the same
    ones stay whatever others there are. row: the id of the feedback row it came from.
    mismatched: the completion of an example with another prompt, each used once; KTO's z0 is
    taken over it (arXiv 2402.01306). DataError where a row has no label, or where more than half
    of the examples share a prompt.
    """
    _require(rows, "singles")
    examples = _kept(rows, seed, keep)
    partners = derangement([normalise(example["prompt"]) for example in examples], seed)
    return [
        {**example, "mismatched": examples[partner]["completion"]}
        for example, partner in zip(examples, partners, strict=True)
    ]


def _kept(rows: Sequence[Row], seed: int, keep: Shares) -> list[Row]:
    examples = [example for row in rows for example in _labelled(row)]
    return [item for item in examples if _draw(item, seed) < keep[_class(item)]]


def _class(example: Row) -> str:
    return "desirable" if example["desirable"] else "undesirable"


def _draw(example: Row, seed: int) -> float:
    """A number in [0, 1) of the example's own."""
    return derive_seed("keep", seed, example["id"]) / 2**32


def _labelled(row: Row) -> list[Row]:
    sides = [side for side in ("chosen", "rejected") if row[side] is not None]
    return [
        {
            "id": f"{row['id']}/{side}",
            "row": row["id"],
            "prompt": row["prompt"],
            "completion": row["completions"][row[side]],
            "desirable": side == "chosen",
        }
        for side in sides
    ]


def derangement(groups: Sequence[str], seed: int) -> list[int]:
    """A seeded permutation of positions that sends none to a position of its own group.

    Positions are shuffled, brought together by group (in random order) and rotated by at least
    the largest group's size, which leaves every group. DataError where a group is over half.
    """
    if not groups:
        return []
    (largest, size), total = Counter(groups).most_common(1)[0], len(groups)
    if 2 * size > total:
        raise DataError(
            f"no mismatched completions: {size} of {total} examples have the prompt "
            f"{shown(largest)}; at most half may share one"
        )
    random = Random(derive_seed("mismatched", seed))
    shuffled = random.sample(range(total), total)
    place = {groups[position]: index for index, position in enumerate(shuffled)}
    order = sorted(shuffled, key=lambda position: place[groups[position]])
    shift = random.randint(size, total - size)
    partner = dict(zip(order, order[shift:] + order[:shift], strict=True))
    return [partner[position] for position in range(total)]


def lists(rows: Sequence[Row], responses: int, seed: int) -> list[Row]:
    """{id, prompt, completions, scores}, `responses` (at least 2) of each, in the row's order.

    The best completion and a seeded random choice of the others; all, where a row has that many.
    A row with fewer is left out, since a batch of lists is rectangular, and a warning counts
    them; DataError where that leaves none, or where a row has no scores.
    """
    _require(rows, "lists")
    long_enough = [row for row in rows if len(row["scores"]) >= responses]
    if rows and not long_enough:
        most = max(len(row["scores"]) for row in rows)
        raise DataError(f"responses is {responses}; this data has at most {most} for a prompt")
    if len(long_enough) < len(rows):
        missing = len(rows) - len(long_enough)
        logger.warning("%d of %d prompts have under %d responses", missing, len(rows), responses)
    return [_shortened(row, responses, seed) for row in long_enough]


def _shortened(row: Row, responses: int, seed: int) -> Row:
    kept = sorted(best_first(row["scores"], row["id"], seed)[:responses])
    return {
        "id": row["id"],
        "prompt": row["prompt"],
        "completions": [row["completions"][index] for index in kept],
        "scores": [row["scores"][index] for index in kept],
    }


def best_first(scores: Sequence[float], key: str, seed: int) -> list[int]:
    """The index of the highest score (ties are drawn), then all others in random order."""
    random = Random(derive_seed("best_first", seed, key))
    order = random.sample(range(len(scores)), len(scores))
    best = max(order, key=scores.__getitem__)
    return [best, *(index for index in order if index != best)]


def best_against_random(
    completions: Sequence[str], scores: Sequence[float], key: str, seed: int
) -> tuple[int, int]:
    """Indices (chosen, rejected) of a pair: the best completion, and a random other one.

    This is how pairs are made of scored completions in arXiv 2505.23316, appendix G. The other
    one may score the same; it is another text wherever there is one.
    """
    best, *others = best_first(scores, key, seed)
    different = [index for index in others if completions[index] != completions[best]]
    return best, (different or others)[0]


def _require(rows: Sequence[Row], kind: str) -> None:
    lacking = next((row for row in rows if kind not in kinds(row)), None)
    if lacking is not None:
        offered = " and ".join(common_kinds(rows)) or "nothing in all of its rows"
        raise DataError(f"row {lacking['id']!r} gives no {kind}; this data gives {offered}")
