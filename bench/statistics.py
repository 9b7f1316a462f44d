"""`make bench-stats`: are the statistics what they say? Simulated, and put into docs/statistics.md.

python -m bench.statistics                       all of it
python -m bench.statistics --tournaments 200     a trial; the page is left alone
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context

import numpy as np
from tqdm import tqdm

from bench import table
from bench.coverage import Share, measure, measure_rejected, share
from bench.driver import HOME
from bench.gate import peak
from bench.tournaments import World, batches
from plumbline.stats.resampling import bootstrap_means

PAGE = HOME / "docs" / "statistics.md"
SEED = 20_26
SEEDS, DEVIATIONS = (2, 3, 5), (0, 1, 2, 4, 8)
TOURNAMENTS = 5000
#: Fewer, for what is not promised.
SIDE_TOURNAMENTS = 1000
AT_ONCE = 100
WORLDS = {
    f"{seeds} seeds, {points} points": World(seeds, points)
    for seeds, points in product(SEEDS, DEVIATIONS)
}
#: Outside of what is promised: where few seeds are hardest.
EDGES = {
    f"{what}, {points} points": world
    for points in (0, 2, 8)
    for what, world in {
        "3 methods": World(2, points, methods=3),
        "12 methods": World(2, points, methods=12),
        "no method has an item of its own": World(2, points, interaction=0.0),
        "one method deviates 4 times as much": World(2, points / 4, uneven=4.0),
        "the same, 5 seeds": World(5, points / 4, uneven=4.0),
    }.items()
}
#: (name, least, most) in percent.
BOUNDS = (("differences", 93, 97), ("ranks", 94, 100), ("equality", 4, 6))
REJECTED = ("percentile", "cut", "alike", "permutation", "quasi-F", "observed")


def main() -> None:
    """Command line; see the module."""
    parser = argparse.ArgumentParser(prog="python -m bench.statistics")
    parser.add_argument("--tournaments", type=int, default=TOURNAMENTS, help="of each kind and row")
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    side = min(asked.tournaments, SIDE_TOURNAMENTS)
    started = time.perf_counter()
    seconds, memory = resampling()
    parts = [
        f"{asked.tournaments:,} tournaments of differing and as many of equal methods for each "
        f"row; seed {SEED}.",
        promised(collect(measure, WORLDS, asked.tournaments, asked.processes)),
        f"### Where it ends\n\nTwo seeds unless a row says otherwise; {side:,} tournaments of "
        "each kind.",
        promised(collect(measure, EDGES, side, asked.processes)),
        f"### Tried and rejected\n\n{side:,} tournaments of each kind.",
        tried(collect(measure_rejected, WORLDS, side, asked.processes)),
        "### Resampling\n\n10,000 resamples of 12 methods by 805 items by 3 seeds by 4 "
        f"benchmarks: {seconds:.1f} s, at most {memory / 2**20:.0f} MiB in the process.",
        f"All of this took {(time.perf_counter() - started) / 60:.0f} minutes "
        f"in {asked.processes} processes.",
    ]
    text = "\n\n".join(parts)
    print(text)
    if asked.tournaments >= TOURNAMENTS:
        PAGE.write_text(table.filled(PAGE.read_text("utf-8"), text), "utf-8")


def collect(
    measured: Callable[..., Counter], worlds: Mapping[str, World], count: int, processes: int
) -> dict[str, Counter]:
    """Every world's counts. Batches are drawn by seeds of their own, so that the number of
    processes changes nothing."""
    found = {name: Counter() for name in worlds}
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        futures = {
            pool.submit(measured, world, size, (SEED, place, number)): name
            for place, (name, world) in enumerate(worlds.items())
            for number, size in enumerate(batches(count, AT_ONCE))
        }
        for future in tqdm(futures, desc=measured.__name__):
            found[futures[future]].update(future.result())
    return found


def promised(found: Mapping[str, Counter]) -> str:
    """Coverage and rejections, with what they may be; a figure outside is bold."""
    heads = ["", "differences %", "average ranks %", "equality rejects %", "binomial", "width %"]
    rows = []
    for name, counts in found.items():
        low, high = share(counts, "equality").interval
        figures = [bounded(share(counts, each), least, most) for each, least, most in BOUNDS]
        width = share(counts, "width").percent
        rows.append((name, *figures, f"{low:.1f}–{high:.1f}", f"{width:.0f}"))
    return table.pipe_table(heads, rows)


def bounded(found: Share, least: float, most: float) -> str:
    """One figure, bold where it is not within its bounds."""
    text = f"{found.percent:.1f}"
    return text if least <= found.percent <= most else f"**{text}**"


def tried(found: Mapping[str, Counter]) -> str:
    """What rejected choices give."""
    rows = [
        (name, *(f"{share(counts, each).percent:.1f}" for each in REJECTED))
        for name, counts in found.items()
    ]
    return table.pipe_table(["", *REJECTED], rows)


def resampling() -> tuple[float, int]:
    """Seconds and peak bytes of the bootstrap of item means, in a fresh process."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(resample).result()


def resample() -> tuple[float, int]:
    """12 methods of 3 seeds on 4 benchmarks of 805 items, 10,000 times."""
    generator = np.random.default_rng(SEED)
    scores = generator.random((4, 12 * 3, 805))
    started = time.perf_counter()
    for benchmark in scores:
        bootstrap_means(benchmark, 10_000, generator)
    return time.perf_counter() - started, peak()


if __name__ == "__main__":
    main()
