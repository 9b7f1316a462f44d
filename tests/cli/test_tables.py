"""How an experiment's methods are called in tables, and which of them are ranked."""

import pytest
import yaml

from plumbline import config
from plumbline.cli.tables import rank_rule, selection_words, titles


@pytest.fixture
def variants(place) -> config.Experiment:
    raw = yaml.safe_load((place / "tiny.yaml").read_text())
    raw["methods"] |= {
        "pro_s": {},
        "chance": {"like": "dpo", "labels": "random"},
        "wrong": {"like": "dpo", "labels": "flipped"},
        "long": {"like": "pro_s", "labels": "longer"},
        "rates": {"like": "pro_s", "labels": "win_rate"},
        "strict": {"like": "dpo", "beta": 1},
        "few": {"like": "dpo", "prompts": {"reward": "head", "share": 0.1, "order": "lowest"}},
        "noisy": {"like": "dpo", "flip": 0.2},
        "noisy_rates": {"like": "pro_s", "labels": "win_rate", "flip": 0.05},
    }
    return config.parse(raw)


def test_a_variant_says_what_it_is(variants):
    assert titles(variants) == {
        "sft": "SFT",
        "dpo": "DPO",
        "pro_s": "PRO-S",
        "chance": "DPO (random labels)",
        "wrong": "DPO (flipped labels)",
        "long": "PRO-S (longer-is-better labels)",
        "rates": "PRO-S (win-rate scores)",
        "strict": "DPO (strict)",
        "few": "DPO (10 % lowest by head)",
        "noisy": "DPO (20 % of labels flipped)",
        "noisy_rates": "PRO-S (win-rate scores, 5 % of labels flipped)",
    }


def test_who_tried_fewer_points_than_the_budget_is_named(variants):
    """Of the fixture, DPO and its variants without values of their own have both points."""
    words, fewer = selection_words(variants).split("; fewer: ")
    assert words == "best mean toyland reward on validation, per method, of at most 2 points"
    assert fewer.startswith("PRO-S 1, ") and "DPO (strict) 1" in fewer
    assert "SFT" not in fewer and "DPO (random labels)" not in fewer


def test_controls_are_not_ranked_and_other_variants_are(variants):
    rule = rank_rule(variants)
    assert dict(rule.barred) == dict.fromkeys(("chance", "wrong", "long"), "a control")
    assert rule.ranked(variants.methods) == (
        "dpo",
        "pro_s",
        "rates",
        "strict",
        "few",
        "noisy",
        "noisy_rates",
    )
