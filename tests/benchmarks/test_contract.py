"""Every file in `benchmarks/` keeps its contract, on four items where that is enough.

A benchmark that is added needs a line in `EXAMPLES` where the default example does not fit it.
"""

import inspect
import json
import math
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from plumbline import Data, Model, Responses
from plumbline.artifacts import write_rows
from plumbline.plugins import BENCHMARKS, benchmark_spec, load_benchmark, names_in
from plumbline.rows import FEEDBACK, ITEM, RESULT
from plumbline.score import named, summarise
from plumbline.toyland import facts
from plumbline.toyland.evaluation import alpaca_reference
from plumbline.toyland.spec import FactsSpec
from plumbline.toyland.world import parse

NAMES = [path.stem for path in names_in(BENCHMARKS)]
ITEMS = 4


@dataclass(frozen=True)
class Example:
    """options: of the benchmark's functions. answer: what the model says to every turn.
    expected: metrics that come out, all declared ones where it is None. without_gaps: why no answer
    can be missing, where none can. items: how many prompts are answered. source: of the data."""

    options: dict[str, Any] = field(default_factory=dict)
    answer: str = "okay , sorry i can not do that ."
    expected: tuple[str, ...] | None = None
    without_gaps: str = ""
    items: int = ITEMS
    source: str = "toyland"


EXAMPLES = {
    "alpaca_eval_2": Example(expected=("win_rate", "length_controlled_win_rate_glm", "length")),
    "lm_eval_tasks": Example(
        {"limit": ITEMS, "tasks": ["toyland_arc", "toyland_ifeval"]},
        expected=("toyland_arc", "toyland_ifeval"),
        without_gaps="it asks the model itself",
    ),
    "mt_bench": Example(items=80),  # of fewer questions it makes no whole result
    "toyland_facts": Example(source="toyland_facts"),
}


@pytest.fixture(scope="module", params=NAMES)
def spec(request):
    return benchmark_spec(request.param)


@pytest.fixture(scope="module")
def example(spec):
    return EXAMPLES.get(spec.name, Example())


@pytest.fixture(scope="module")
def world(example, tmp_path_factory) -> Data:
    """Feedback of the example's source."""
    folder = tmp_path_factory.mktemp("data")
    for split in ("validation", "test"):
        write_rows(folder / f"{split}.parquet", FEEDBACK_OF[example.source](), FEEDBACK)
    return Data(str(folder), example.source, 0)


def toyland_rows() -> list[dict[str, Any]]:
    """Four prompts, two of which have a constraint."""
    references = alpaca_reference(64)
    bound = [row for row in references if parse([row["instruction"]]).constraint]
    free = [row for row in references if row not in bound]
    return [
        {
            "id": f"test-{index}",
            "prompt": [{"role": "user", "content": row["instruction"]}],
            "completions": [row["output"], "no"],
            "chosen": 0,
            "rejected": 1,
        }
        for index, row in enumerate([*bound[:2], *free[:2]])
    ]


FEEDBACK_OF = {
    "toyland": toyland_rows,
    "toyland_facts": lambda: list(facts.feedback(FactsSpec(), "test")),
}


@pytest.fixture(scope="module")
def subject(spec, example, world, tmp_path_factory):
    """What the benchmark scores: four answered prompts, or a model."""
    scratch = str(tmp_path_factory.mktemp("scratch"))
    if spec.needs == "model":
        return Model(random_model(tmp_path_factory.mktemp("model")), "model", scratch)
    prompts = load_benchmark(spec).prompts
    options = spec.options_for("prompts", example.options)
    limit = {"limit": example.items} if "limit" in spec.options["prompts"] else {}
    asked = prompts(world, spec.card.splits[-1], **limit | options)
    return Responses(answered(pick(asked, example.items), example.answer), "model", scratch)


def pick(rows, count):
    """Rows of `count` prompts: those asked several times count once."""
    names = sorted({row["id"].removesuffix("_greedy") for row in rows})[:count]
    return [row for row in rows if row["id"].removesuffix("_greedy") in names]


def answered(rows, answer):
    """Different lengths, so that what is fitted on length has something to fit."""
    return [
        {
            **row,
            "payload": json.loads(json.dumps(row["payload"])),
            "answers": [answer + " ." * (index % 3)] * (1 + len(row["follow_ups"])),
            "finished": [True] * (1 + len(row["follow_ups"])),
            "tokens": [len(answer.split())] * (1 + len(row["follow_ups"])),
            "logratios": [0.5] * (1 + len(row["follow_ups"])),
        }
        for index, row in enumerate(rows)
    ]


def random_model(folder) -> str:
    import torch
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    from plumbline.model.tokenizer import word_tokenizer
    from plumbline.toyland.lexicon import VOCABULARY

    tokenizer = word_tokenizer(VOCABULARY)
    torch.manual_seed(0)
    config = GPTNeoXConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=128,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    GPTNeoXForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def score(spec, example, gold_judge):
    """The benchmark's `score` with its example's options."""

    def run(subject):
        others = (gold_judge,) if spec.card.judged else ()
        options = spec.options_for("score", example.options)
        return load_benchmark(spec).score(subject, *others, **options)

    return run


@pytest.fixture(scope="module")
def items(score, subject):
    return score(subject)


@pytest.fixture(scope="module")
def results(spec, items):
    return {row["metric"]: row for row in summarise(load_benchmark(spec), spec, items)}


def test_declared_metrics_come_out_in_range(spec, example, results):
    assert set(results) == {metric.name for metric in spec.card.metrics}
    for metric in spec.card.metrics:
        row = results[metric.name]
        if example.expected is None or metric.name in example.expected:
            assert row["status"] == "ok", row
            assert metric.low <= row["value"] <= metric.high
            assert row["n"] == row["n_expected"] > 0
        else:
            assert row["value"] is None and row["status"] == "not_run" and row["reason"]


def test_rows_fit_their_schemas(items, results):
    assert {name for item in items for name in item} <= {*ITEM.names, "text"}
    assert {name for row in results.values() for name in row} <= set(RESULT.names)


def test_values_are_numbers_or_null_with_a_status(items):
    for item in items:
        if item["value"] is None:
            assert item["status"] != "ok" and item["reason"]
        else:
            assert item["status"] == "ok" and math.isfinite(item["value"])


def test_what_it_says_of_its_metrics_is_text_about_those_that_come_out(spec, example, results):
    module = load_benchmark(spec)
    if not hasattr(module, "decoding"):
        pytest.skip(f"{spec.name} says nothing of its own")
    told = module.decoding(**spec.options_for("decoding", example.options))
    assert told.keys() == {name for name, row in results.items() if row["status"] == "ok"}
    assert all(told.values())


def test_no_item_is_counted_twice(items):
    keys = [(item["item"], item.get("turn"), item["metric"]) for item in items]
    assert len(set(keys)) == len(keys)


def test_item_order_does_not_matter(spec, items, results):
    shuffled = Random(0).sample(items, len(items))
    again = summarise(load_benchmark(spec), spec, shuffled)
    for row in again:
        assert row["value"] == pytest.approx(results[row["metric"]]["value"], abs=1e-9)
        assert row["n"] == results[row["metric"]]["n"]


def test_every_item_says_what_it_asks(spec, items, subject):
    """By the prompt whose answer it scores, or in words: else no contamination can be found."""
    if spec.needs == "model":
        assert all(item["text"] for item in items)
    else:
        asked = {row["id"] for row in subject.rows}
        assert {named(item) for item in items} <= asked


def test_some_of_the_items_can_be_summarised(spec, items, results):
    """Every prompt but one has a number for each metric that the whole has and that can be cut."""
    lost = named(items[0])
    found = summarise(load_benchmark(spec), spec, [x for x in items if named(x) != lost])
    for metric, row in zip(spec.card.metrics, found, strict=True):
        if metric.divisible and results[metric.name]["n"] > 1:
            assert row["n"] <= results[metric.name]["n"] and row["value"] is not None


def test_a_gap_is_reported(spec, items):
    """An item without a value lowers n, not n_expected, and the status says so."""
    metric = items[0]["metric"]
    first = {"value": None, "status": "missing", "reason": "lost"}
    rows = summarise(load_benchmark(spec), spec, [items[0] | first, *items[1:]])
    [row] = [row for row in rows if row["metric"] == metric]
    assert row["n"] == row["n_expected"] - 1
    assert row["status"] == "incomplete"


def test_a_dropped_answer_is_reported(spec, example, score, subject, results):
    if example.without_gaps:
        pytest.skip(f"{spec.name}: {example.without_gaps}")
    rows = [subject.rows[0] | {"answers": []}, *subject.rows[1:]]
    found = score(Responses(rows, subject.name, subject.scratch))
    primary = spec.card.metrics[0].name
    [row] = [
        row for row in summarise(load_benchmark(spec), spec, found) if row["metric"] == primary
    ]
    assert row["n"] < row["n_expected"] == results[primary]["n_expected"]
    assert row["status"] == "incomplete"


def test_functions_are_documented(spec):
    module = load_benchmark(spec)
    assert module.__doc__
    for name in ("score", "prompts", "summarise", "decoding"):
        assert not hasattr(module, name) or inspect.getdoc(getattr(module, name)), name
