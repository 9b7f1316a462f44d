"""Average ranks, with the two choices that change them named: who is ranked, and how ties break."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from plumbline.errors import ConfigError

SFT = "sft"
#: From (how many are strictly better, how many tie, oneself included) to a place.
TIES = {
    "min": lambda better, tied: float(better + 1),
    "average": lambda better, tied: better + (tied + 1) / 2,
}


@dataclass(frozen=True)
class RankRule:
    """How the average-rank column is made.

    rows: who is ranked: "aligned" (everything but SFT), "all", or names of methods.
    ties: "min", level methods share the better rank; "average", they share the mean of theirs.
    unranked: what methods outside `rows` get: "last", the place below all ranked ones; "omit", a
    dash. barred: methods that never compete, and why; they get a dash.
    """

    rows: Literal["aligned", "all"] | tuple[str, ...] = "aligned"
    ties: Literal["min", "average"] = "min"
    unranked: Literal["last", "omit"] = "last"
    barred: Mapping[str, str] = field(default_factory=dict)

    def ranked(self, methods: Iterable[str]) -> tuple[str, ...]:
        """The names among `methods` that are ranked. Raises ConfigError for an unknown name."""
        methods = tuple(methods)
        free = tuple(name for name in methods if name not in self.barred)
        if self.rows == "all":
            return free
        if self.rows == "aligned":
            return tuple(name for name in free if name != SFT)
        unknown = [name for name in self.rows if name not in methods]
        if unknown:
            raise ConfigError(
                f"report.rank.rows: unknown {', '.join(unknown)}; "
                f'give "aligned", "all" or some of: {", ".join(methods)}'
            )
        return tuple(name for name in self.rows if name in free)


@dataclass(frozen=True)
class Rank:
    """value: mean of `places`, None for a dash, which `reason` explains.

    places: the method's place in each column, 1 is best; empty where it was not ranked.
    """

    value: float | None
    places: tuple[float, ...] = ()
    reason: str = ""


def level(value: float) -> float:
    """A value as it is compared: the order in which seeds were summed must not break a tie."""
    return round(value, 9)


def places(
    values: Mapping[str, float], better: str, ties: Literal["min", "average"] = "min"
) -> dict[str, float]:
    """Each method's place in one column, 1 is best.

    better: "higher" or "lower".
    """
    sign = {"higher": -1, "lower": 1}[better]
    cost = {name: sign * level(value) for name, value in values.items()}
    everyone = list(cost.values())
    return {
        name: TIES[ties](sum(other < mine for other in everyone), everyone.count(mine))
        for name, mine in cost.items()
    }


def average_ranks(
    table: Mapping[str, Mapping[str, float | None]],
    *,
    ranked: Iterable[str],
    columns: Mapping[str, str],
    ties: Literal["min", "average"] = "min",
    unranked: Literal["last", "omit"] = "last",
) -> dict[str, Rank]:
    """The mean over columns of each method's place, for every method of `table`.

    table: method -> column -> value, None for a gap. columns: column -> "higher" or "lower".
    A ranked method with a gap in any column gets a dash and does not compete: its mean would be
    over other columns than its rivals', and theirs over rivals that change from column to column.
    """
    ranked = tuple(ranked)
    gaps = {name: sum(table[name][column] is None for column in columns) for name in ranked}
    complete = [name for name in ranked if columns and not gaps[name]]
    by_column = [
        places({name: table[name][column] for name in complete}, better, ties)
        for column, better in columns.items()
    ]
    result = dict.fromkeys(table, last_place(len(complete), len(table) - len(ranked), ties))
    if unranked == "omit" or not complete:
        result = dict.fromkeys(table, Rank(None, reason="not ranked"))
    for name in ranked:
        result[name] = Rank(None, reason=f"gaps in {gaps[name]} of {len(columns)} columns")
    for name in complete:
        own = tuple(place[name] for place in by_column)
        result[name] = Rank(sum(own) / len(own), own)
    return result


def last_place(above: int, tied: int, ties: str) -> Rank:
    """The place that `tied` unranked methods share below `above` ranked ones."""
    return Rank(TIES[ties](above, tied), reason="not ranked, put last")
