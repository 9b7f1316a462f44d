"""Pseudo-values: a one-step bootstrap, against fits made anew."""

from statistics import fmean, stdev

import numpy as np
import pytest

from plumbline.plugins import benchmark_spec, load_benchmark
from plumbline.score import means
from plumbline.stats.pseudo import pseudo_values
from plumbline.stats.resampling import bootstrap_means


@pytest.fixture(scope="module")
def alpaca():
    return load_benchmark(benchmark_spec("alpaca_eval_2"))


def comparisons(count: int) -> list[dict]:
    """Answers of which the longer ones win more often."""
    draw = np.random.default_rng(0)
    gaps = draw.normal(60, 90, count)
    wins = 1 / (1 + np.exp(-(gaps / 120 + draw.normal(0, 1.5, count))))
    return [
        {"item": f"{place:03}", "metric": metric, "value": float(value), "status": "ok"}
        for place, (gap, win) in enumerate(zip(gaps, wins, strict=True))
        for metric, value in (("win_rate", 100 * win), ("length", gap), ("reference_length", 0))
    ]


def controlled(alpaca, items):
    found = {row["metric"]: row["value"] for row in alpaca.summarise(items)}
    return found["length_controlled_win_rate_glm"]


def test_a_means_pseudo_values_are_its_items():
    """Source: n x mean - (n - 1) x (mean without an item) is the item."""
    items = [
        {"item": name, "metric": "m", "value": v}
        for name, v in zip("abc", (1.0, 5, 9), strict=True)
    ]
    assert pseudo_values(items, means)["m"] == pytest.approx({"a": 1, "b": 5, "c": 9})


def test_a_metric_over_some_of_the_items_has_pseudo_values_of_these():
    items = [
        {"item": name, "metric": "m", "value": v}
        for name, v in zip("abc", (1.0, 5, 9), strict=True)
    ]

    def first_two(rows):
        return means([row | {"metric": "part"} for row in rows if row["item"] != "c"])

    assert pseudo_values(items, first_two) == {"part": pytest.approx({"a": 1, "b": 5})}


def test_mt_benchs_second_turns_are_means_of_questions():
    """Source: the grades themselves, one a question."""
    bench = load_benchmark(benchmark_spec("mt_bench"))
    items = [
        {
            "item": f"writing/{place}",
            "turn": turn,
            "metric": "mt_bench",
            "value": float(place + turn),
        }
        for place in range(4)
        for turn in (1, 2)
    ]
    found = pseudo_values(items, bench.summarise)
    assert found["second_turn"] == pytest.approx({f"writing/{n}": n + 2 for n in range(4)})
    assert found["mt_bench"] == pytest.approx({f"writing/{n}": n + 1.5 for n in range(4)})


def test_one_newton_step_is_the_jackknife_of_the_length_control(alpaca):
    """Source: 60 fits, each without one comparison."""
    items = comparisons(60)
    refits = pseudo_values(items, alpaca.summarise)["length_controlled_win_rate_glm"]
    steps = alpaca.pseudo_values(items)["length_controlled_win_rate_glm"]
    assert fmean(steps.values()) == pytest.approx(controlled(alpaca, items), abs=1e-6)
    ours, theirs = (np.array([found[name] for name in sorted(refits)]) for found in (steps, refits))
    assert np.corrcoef(ours, theirs)[0, 1] > 0.999
    assert stdev(ours) == pytest.approx(stdev(theirs), rel=0.05)


def test_the_one_step_bootstrap_is_the_bootstrap_of_refits(alpaca):
    """Source: the length control fitted anew to each of 150 resamples of 100 comparisons."""
    items = comparisons(100)
    by_name: dict[str, list[dict]] = {}
    for row in items:
        by_name.setdefault(row["item"], []).append(row)
    draw, refits = np.random.default_rng(1), []
    for _ in range(150):
        names = draw.choice(sorted(by_name), len(by_name))
        drawn = [row | {"item": f"{place}"} for place, n in enumerate(names) for row in by_name[n]]
        refits.append(controlled(alpaca, drawn))
    steps = np.array(list(alpaca.pseudo_values(items)["length_controlled_win_rate_glm"].values()))
    one_step = bootstrap_means(steps[None], 10_000, np.random.default_rng(2))[:, 0]
    assert one_step.std() == pytest.approx(stdev(refits), rel=0.15)
    assert np.quantile(one_step, [0.1, 0.9]) == pytest.approx(
        np.quantile(refits, [0.1, 0.9]), abs=0.8
    )
