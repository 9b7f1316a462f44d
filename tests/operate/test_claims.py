"""A claims file says what it means, or what is wrong with it."""

import pytest
import yaml

from plumbline.errors import ConfigError
from plumbline.operate import claims

SMALL = """
claims: small
source: by hand
settings: {one: {}, two: {}}
methods: {PRO-P: pro_p}
metrics:
  score: {read: test, benchmark: toyland, metric: help, kind: count, n: 100}
  rank: {rank_of: [score], among: [pro_p, dpo], rules: [{rows: all}]}
tables:
  first:
    where: Table 1
    keys: [data, method, alpha]
    setting: {data: {a: one, b: two}}
    methods: {DPO: dpo}
    columns: [score]
    rows: [[a, PRO-P, 10, 50.0], [b, DPO, null, 40.0], [b, KTO, null, null]]
inequalities:
  - {says: more, where: Text, setting: one, metric: score, method: pro_p, above: 0}
"""


def parsed(**changes) -> claims.Claims:
    return claims.Claims.model_validate(yaml.safe_load(SMALL) | changes)


@pytest.fixture
def written(tmp_path):
    def write(old: str = "", new: str = ""):
        assert old in SMALL
        path = tmp_path / "small.yaml"
        path.write_text(SMALL.replace(old, new) if old else SMALL)
        return path

    return write


def test_rows_become_numbers_and_empty_cells_none(written):
    first, second = claims.read(written()).printed()
    assert (first.setting, first.method, first.point) == ("one", "pro_p", "alpha=10.0")
    assert (first.what, first.value) == ("PRO-P, data a, alpha 10: score", 50.0)
    assert (second.setting, second.method, second.point) == ("two", "dpo", "")


def test_a_key_is_one_whether_number_or_text():
    assert claims.key_text(10) == claims.key_text("10.0") == claims.key_text(10.0) == "10"
    assert claims.key_text(None) == claims.key_text("") == ""
    assert claims.key_text("1% desired") == "1% desired"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("columns: [score]", "columns: [scores]", "columns: 'scores' is not one of score, rank"),
        ("rank_of: [score]", "rank_of: [rank]", "metrics.rank: 'rank' is not one of score"),
        ("keys: [data, method,", "keys: [data, methods,", "keys: needs method; got data, methods"),
        ("setting: {data:", "setting: {set: {c: two}, data:", "keys: needs set; got data"),
        ("setting: {data:", "setting: {alpha: {}, data:", "setting: one key says it, got alpha"),
        ("rank: {rank_of", "none: 5\n  rank: {rank_of", "metrics.none"),
        ("setting: one,", "setting: three,", "'three' is not one of settings"),
        ("[a, PRO-P, 10, 50.0]", "[c, PRO-P, 10, 50.0]", "data 'c'; known: a, b"),
        ("[a, PRO-P, 10, 50.0]", "[a, PRO-P, 50.0]", "each has data, method, alpha, score; got"),
        ("above: 0", "above: 0, below: 1", "give one of them, got 0.0 and 1.0"),
        ("metric: score, method", "metric: rank, seeds: each, method", "a rank is of means"),
        ("source: by hand", "sauce: by hand", "sauce: Extra inputs"),
        ("kind: count", "kind: counts", "metrics.score.measure.kind"),
        ("claims: small", "claims: [small", "is not YAML"),
    ],
)
def test_mistakes_are_told(written, old, new, told):
    with pytest.raises(ConfigError, match="small.yaml") as raised:
        claims.read(written(old, new))
    assert told in str(raised.value)


def test_no_file_says_where_there_are_some(tmp_path):
    with pytest.raises(ConfigError, match="see config/claims/"):
        claims.read(tmp_path / "none.yaml")


def test_all_that_ship_are_valid(repository):
    shipped = sorted((repository / "config/claims").glob("*.yaml"))
    assert {claims.read(path).claims for path in shipped} >= {"pro", "toyland"}
