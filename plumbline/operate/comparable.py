"""Whether a run's number is of the same thing as a claim."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from plumbline.operate.claims import Measure
from plumbline.operate.measured import Number

#: What measures a number, and how it is called.
INSTRUMENTS = {"judge": "judge", "version": "version of the benchmark"}


def obstacles(
    measure: Measure, setting: Mapping[str, Any], numbers: Sequence[Number]
) -> Iterator[str]:
    """Why numbers of a run are not comparable with a claim; what it does not say is no reason."""
    first = numbers[0]
    for name, what in INSTRUMENTS.items():
        wanted, got = getattr(measure, name), getattr(first, name)
        if None not in (wanted, got) and wanted != got:
            yield f"another {what} ({got}, not {wanted})"
    counts = {number.n for number in numbers if number.n is not None}
    if measure.n is not None and counts - {measure.n}:
        yield f"another n ({', '.join(map(str, sorted(counts)))}, not {measure.n})"
    if reasons := {number.reason for number in numbers if number.reason}:
        yield "; ".join(sorted(reasons))
    if first.recipe is not None:
        for part in setting:
            if unlike := list(differences(setting[part], first.recipe.get(part))):
                yield f"another {part} ({'; '.join(unlike)})"


def differences(wanted: Any, got: Any, path: str = "") -> Iterator[str]:
    """Where a setting's part is not as wanted; what is not named may be anything."""
    if isinstance(wanted, Mapping) and isinstance(got, Mapping):
        for key, value in wanted.items():
            yield from differences(value, got.get(key), f"{path}.{key}" if path else key)
    elif wanted != got:
        yield f"{path}: {got!r}, not {wanted!r}" if path else f"{got!r}, not {wanted!r}"
