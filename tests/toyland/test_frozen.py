"""The world is frozen: its settings, rows and evaluation sets may not change unnoticed.

Source: digests recorded on 22 November 2026, when docs/toyland.md declared world J frozen. If one
fails, every published number on Toyland is of another world: restore it, or freeze a new one.
"""

import json
from dataclasses import asdict
from hashlib import sha256

import pytest

from plumbline.toyland import evaluation, source
from plumbline.toyland.source import WorldSpec
from plumbline.toyland.world import VOCABULARY

SMALL = WorldSpec(documents=300, demonstrations=100, pairs=100, validation=30, test=30)


def digest(value: object) -> str:
    return sha256(json.dumps(value).encode()).hexdigest()[:16]


def without_scores(split: str) -> list[dict]:
    """Scores are left out: their last bits belong to the machine's logarithm."""
    rows = source.feedback(SMALL, split)
    return [{key: row[key] for key in row if key != "scores"} for row in rows]


def test_settings():
    assert asdict(WorldSpec()) == {
        "seed": 0,
        "documents": 24000,
        "demonstrations": 6400,
        "pairs": 4800,
        "validation": 400,
        "test": 400,
        "length_bias": 0.015,
        "noise": 0.3,
        "demonstration_skill": 0.5,
        "demonstration_verbosity": 0.8,
        "second_turns": 0.15,
        "constraints": 0.2,
        "greetings": 0.5,
        "declarations": 0.2,
        "myths": 0.8,
        "rarity": 1.6,
    }


CONTENTS = {
    "vocabulary": lambda: VOCABULARY,
    "pretrain": lambda: list(source.pretrain(SMALL)),
    "demonstrations": lambda: list(source.demonstrations(SMALL)),
    "train": lambda: without_scores("train"),
    "validation": lambda: without_scores("validation"),
    "test": lambda: without_scores("test"),
    "alpaca_reference": evaluation.alpaca_reference,
    "mt_bench_questions": evaluation.mt_bench_questions,
    "mt_bench_references": evaluation.mt_bench_references,
    "arc": lambda: evaluation.multiple_choice("arc"),
    "truthfulqa": lambda: evaluation.multiple_choice("truthfulqa"),
    "gpqa": lambda: evaluation.multiple_choice("gpqa"),
    "ifeval": evaluation.ifeval,
}
DIGESTS = {
    "vocabulary": "71708c7bc6b89886",
    "pretrain": "3bde4ec9a8366d38",
    "demonstrations": "2b69fbff3305bbf8",
    "train": "8bf0938e17ff763d",
    "validation": "df156f47a8959363",
    "test": "2894c7127909d8bb",
    "alpaca_reference": "5c131f4064ab5cc9",
    "mt_bench_questions": "15c195c4b39f6f64",
    "mt_bench_references": "4fdff5c856ad95ce",
    "arc": "8ad58d74a03eb960",
    "truthfulqa": "417f01f87b9daf03",
    "gpqa": "9f5a34bc0de501c6",
    "ifeval": "ef147e6abfefdde9",
}


@pytest.mark.parametrize("name", CONTENTS)
def test_contents(name):
    assert digest(CONTENTS[name]()) == DIGESTS[name]
