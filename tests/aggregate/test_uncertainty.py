"""How sure a table is. Scores are made up; expected numbers are by hand or from scipy."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from plumbline.aggregate import Column, RankRule, table_one
from plumbline.aggregate.uncertainty import Source, uncertainty
from plumbline.contracts import Metric
from plumbline.errors import ConfigError
from plumbline.score import means

WIN = Column("toyland", "win_rate", "Win rate", "Toyland")
HARM = Column("toyland", "harm", "Harm", "Toyland")
FACTS = Column("facts", "facts", "Facts", "Facts")
COLUMNS = [WIN, HARM, FACTS]
METRICS = (
    Metric("win_rate", "higher", "%", 0.0, 100.0),
    Metric("harm", "lower", "%", 0.0, 100.0),
    Metric("facts", "higher", "%", 0.0, 100.0),
)
SOURCE = Source(means, None, {metric.name: metric for metric in METRICS})
#: method -> mean of win rate, harm, facts: nca is best by far, sft last; kto and dpo are close.
LEVELS = {"sft": (20, 80, 30), "dpo": (50, 50, 50), "kto": (50.5, 49.5, 50.5), "nca": (90, 5, 95)}


def scores(column: int, mean: float, method: str, seed: int) -> np.ndarray:
    """30 item scores of one run; items are the same for all methods."""
    ease = np.random.default_rng(column).normal(0, 4, 30)
    own = np.random.default_rng([column, seed, *method.encode()]).normal(0, 4, 30)
    return mean + ease + own


@pytest.fixture
def played(row):
    """Rows and items of two seeds, one of SFT."""
    rows, items = [], []
    for method, levels in LEVELS.items():
        for seed in (0,) if method == "sft" else (0, 1):
            for number, column in enumerate(COLUMNS):
                metric = METRICS[number]
                values = scores(number, levels[number], method, seed)
                who = {"seed": seed, "benchmark": column.benchmark, "metric": metric.name}
                made = row(method, values.mean(), better=metric.better, **who)
                rows.append(made)
                items += [
                    {**made, "item": f"{column.benchmark}{i}", "turn": None, "value": value}
                    for i, value in enumerate(values)
                ]
    return rows, items


def build(rows, items, baseline="", source=SOURCE, columns=COLUMNS):
    table = table_one(rows, columns, RankRule(), methods=list(LEVELS))
    found = uncertainty(rows, items, table, {"toyland": source, "facts": source}, baseline)
    cells = {(cell.title, cell.heading.column.metric): cell for cell in found.cells}
    return table, cells, found.contest


def test_every_cell_has_its_interval_around_the_tables_number(played):
    table, cells, _ = build(*played)
    assert len(cells) == 12
    for line in table.lines:
        for heading, cell in zip(table.headings, line.cells, strict=True):
            found = cells[line.title, heading.column.metric]
            assert found.value == pytest.approx(cell.value)
            assert found.low < found.value < found.high


def test_one_seed_has_the_t_interval_of_its_items(played):
    """Source: scipy.stats.ttest_1samp."""
    cell = build(*played)[1]["SFT", "win_rate"]
    expected = stats.ttest_1samp(scores(0, 20, "sft", 0), 0).confidence_interval()
    assert (cell.low, cell.high) == pytest.approx(tuple(expected))
    assert (cell.seeds, cell.items) == (1, 30)


def test_differences_are_to_the_best_of_the_column(played):
    cells = build(*played)[1]
    assert cells["nca", "win_rate"].gap is None and cells["nca", "harm"].gap is None
    gap = cells["dpo", "win_rate"].gap
    assert gap.against == "nca"
    assert gap.value == pytest.approx(
        cells["dpo", "win_rate"].value - cells["nca", "win_rate"].value
    )
    assert gap.high < 0 and gap.superiority == 0
    assert cells["dpo", "harm"].gap.low > 0


def test_differences_are_to_a_named_baseline(played):
    cells = build(*played, baseline="dpo")[1]
    assert {cell.gap.against for cell in cells.values() if cell.gap} == {"dpo"}
    assert cells["dpo", "facts"].gap is None


def test_a_baseline_that_is_not_there_is_told(played):
    with pytest.raises(ConfigError, match=r"report\.baseline: got 'ipo'; must be one of sft, dpo"):
        build(*played, baseline="ipo")


def test_places_are_those_that_are_sure(played):
    """nca is first everywhere; dpo and kto, half a point apart, share places 2 and 3. SFT is not
    ranked."""
    contest = build(*played)[2]
    found = {each.method: each for each in contest.standings}
    assert found.keys() == {"dpo", "kto", "nca"}
    assert found["nca"].places == ((1, 1),) * 3 and found["nca"].best == 1
    assert (found["dpo"].low, found["dpo"].high) == (2, 3)
    assert found["dpo"].low <= found["dpo"].rank <= found["dpo"].high
    assert contest.p == pytest.approx(1 / 10_000)


def test_columns_about_the_same_items_are_one_block(played):
    contest = build(*played)[2]
    assert contest.blocks == (("toyland.win_rate@1", "toyland.harm@1"), ("facts.facts@1",))
    assert contest.friedman.blocks == 2


def test_missing_items_are_bounded_and_left_out_of_differences(played):
    """By hand: one of 30 items of dpo's first seed has no value, so the mean over both seeds could
    be up to 100 / 60 higher than with the worst."""
    rows, items = played
    gone = next(item for item in items if (item["method"], item["metric"]) == ("dpo", "win_rate"))
    rest = [{**item, "value": None} if item is gone else item for item in items]
    mean = np.mean(scores(0, 50, "dpo", 0)[1:])
    told = [
        {**row, "value": mean, "status": "incomplete"}
        if (row["method"], row["metric"], row["seed"]) == ("dpo", "win_rate", 0)
        else row
        for row in rows
    ]
    _, cells, contest = build(told, rest)
    cell = cells["dpo", "win_rate"]
    assert cell.missing.missing == 1 and cell.items == 29
    assert cell.missing.high - cell.missing.low == pytest.approx(100 / 60)
    assert cells["kto", "win_rate"].missing is None
    assert "dpo" not in {each.method for each in contest.standings}, "a gap costs the rank"


def test_a_number_that_is_no_mean_of_items_has_pseudo_values(played):
    """By hand: a benchmark that reports the square of the mean; its standard error is about twice
    the mean times the mean's."""
    rows, items = played

    def square(found):
        return [row | {"value": row["value"] ** 2} for row in means(found)]

    squared = [row | {"value": row["value"] ** 2} for row in rows]
    plain = build(*played)[1]["SFT", "win_rate"]
    cell = build(squared, items, source=replace(SOURCE, summarise=square))[1]["SFT", "win_rate"]
    assert cell.value == pytest.approx(plain.value**2)
    width = cell.high - cell.low
    assert width == pytest.approx(2 * plain.value * (plain.high - plain.low), rel=0.05)


def test_a_benchmarks_own_pseudo_values_come_first(played):
    rows, items = played
    moved = [row | {"value": 50.0} if row["metric"] == "facts" else row for row in rows]
    own = {"facts": {f"facts{i}": float(i) for i in range(30)}}
    source = replace(SOURCE, pseudo_values=lambda found: own)
    cell = build(moved, items, source=source)[1]["SFT", "facts"]
    expected = stats.ttest_1samp(np.arange(30.0) - 14.5 + 50, 0).confidence_interval()
    assert (cell.low, cell.high) == pytest.approx(tuple(expected))


def test_a_lone_method_has_intervals_and_no_contest(played):
    rows, items = ([row for row in part if row["method"] in ("sft", "dpo")] for part in played)
    table = table_one(rows, COLUMNS, RankRule(), methods=["sft", "dpo"])
    found = uncertainty(rows, items, table, {"toyland": SOURCE, "facts": SOURCE})
    assert found.contest is None and len(found.cells) == 6


def test_the_same_items_in_another_order_give_the_same_numbers(played):
    rows, items = played
    one, other = build(rows, items), build(rows, items[::-1])
    assert one[1] == other[1]
    assert one[2].standings == other[2].standings and one[2].p == other[2].p
