"""Recorded AlpacaEval judgments: published scores again, refusals, and cases for an audit."""

import gzip
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from plumbline.errors import DataError
from plumbline.judge.audit import evenly
from plumbline.judge.client import Reply, ask_all
from plumbline.judge.reading import read as understood
from plumbline.judge.surface import STEEPNESS, surface_score

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

OFFICIAL = "length_controlled_win_rate"


@pytest.fixture(scope="module")
def alpaca(module):
    return module("alpaca_eval_2")


def scores(rows):
    [found] = rows
    return {row["metric"]: row for row in found["scores"]}


# Made up: three outputs, small enough to add up by hand.

TEXTS = [("Say a.", "aaaa", "a"), ("Say b.", "bb", "bbb"), ("Say c.", "c", "cccc")]


def output(instruction, text, generator):
    return {"instruction": instruction, "output": text, "generator": generator}


def annotation(index, preference, **more):
    _, theirs, ours = TEXTS[index]
    given = {"index": index, "annotator": "judge", "preference": preference}
    pair = {"generator_1": "base", "generator_2": "mine"}
    return given | pair | {"len_1": len(theirs), "len_2": len(ours)} | more


@pytest.fixture
def files(tmp_path):
    """Write the three files; the annotations are the test's."""

    def write(annotations, ours=TEXTS) -> dict[str, Path]:
        content = {
            "outputs": [output(asked, text, "mine") for asked, _, text in ours],
            "reference": [output(asked, text, "base") for asked, text, _ in TEXTS],
            "annotations": annotations,
        }
        paths = {name: tmp_path / f"{name}.json" for name in content}
        for name, path in paths.items():
            path.write_text(json.dumps(content[name]))
        return paths

    return write


def test_scores_by_hand(alpaca, files):
    """Preferences 1.25, 2 and a draw (0): wins 0.25, 1, 0.5 with mean 7/12 and sample variance
    7/48; a third of the wins, draws half: (0 + 1 + 0.5) / 3."""
    paths = files([annotation(0, 1.25), annotation(1, 2), annotation(2, 0)])
    [found] = alpaca.rescore(**paths)
    assert (found["model"], found["reference"], found["annotators"]) == ("mine", "base", ["judge"])
    assert found["problems"] == []
    rows = scores([found])
    win = rows["win_rate"]
    assert win["value"] == pytest.approx(700 / 12)
    assert win["se"] == pytest.approx(100 * (7 / 48 / 3) ** 0.5)
    assert (win["n"], win["n_expected"], win["status"], win["reason"]) == (3, 3, "ok", None)
    assert rows["discrete_win_rate"]["value"] == pytest.approx(50)
    assert rows["length"]["value"] == pytest.approx(8 / 3)
    refused = rows[OFFICIAL]
    assert (refused["value"], refused["n"], refused["status"]) == (None, 0, "refused")
    assert "outputs: 3 instructions, not the 805 official ones" in refused["reason"]
    assert "the generator is 'base', not 'gpt4_1106_preview'" in refused["reason"]


def test_full_annotations_are_the_same(alpaca, files):
    trimmed = [annotation(index, value) for index, value in enumerate([1.25, 2, 1.5])]
    full = [
        {key: row[key] for key in ("generator_1", "generator_2", "annotator", "preference")}
        | {"instruction": asked, "output_1": theirs, "output_2": ours}
        for row, (asked, theirs, ours) in zip(trimmed, TEXTS, strict=True)
    ]
    assert alpaca.rescore(**files(full)) == alpaca.rescore(**files(trimmed))
    full[1] |= {"output_2": "BBB"}
    [found] = alpaca.rescore(**files(full))
    assert "of other outputs than these, by their texts or lengths: item 1" in found["problems"][0]


GOOD = [annotation(0, 1.25), annotation(1, 2), annotation(2, 1.5)]


@pytest.mark.parametrize(
    ("annotations", "problem", "value", "n"),
    [
        (GOOD[:2], "missing: item 2", 62.5, 2),
        ([*GOOD, annotation(1, 1)], "more than one for the same output: item 1", 37.5, 2),
        ([*GOOD[:2], annotation(2, None)], "without a verdict: item 2", 62.5, 2),
        (
            [annotation(0, 1.25, generator_1="mine", generator_2="base"), *GOOD[1:]],
            "not of generators 'base' and 'mine': item 0",
            75.0,
            2,
        ),
        ([annotation(0, 1.25, len_2=9), *GOOD[1:]], "their texts or lengths: item 0", 700 / 12, 3),
        ([*GOOD, annotation(0, 1) | {"index": 7}], "of no output: item 7", 700 / 12, 3),
    ],
)
def test_what_is_wrong_is_said_and_never_averaged_in(alpaca, files, annotations, problem, value, n):
    [found] = alpaca.rescore(**files(annotations))
    assert any(problem in text for text in found["problems"])
    win = scores([found])["win_rate"]
    assert (win["value"], win["n"], win["n_expected"]) == (pytest.approx(value), n, 3)
    assert win["status"] == ("ok" if n == 3 else "incomplete")
    assert n == 3 or problem in win["reason"]
    assert problem in scores([found])[OFFICIAL]["reason"]


def test_an_instruction_without_an_output_is_missed(alpaca, files):
    [found] = alpaca.rescore(**files(GOOD[:2], TEXTS[:2]))
    win = scores([found])["win_rate"]
    assert (win["n"], win["n_expected"], win["status"]) == (2, 3, "incomplete")
    assert win["reason"] == "1 of 3 instructions have no output"


def test_no_judgment_of_the_pair_is_no_score(alpaca, files):
    foreign = [annotation(index, 1.5, generator_2="another") for index in range(3)]
    rows = scores(alpaca.rescore(**files(foreign)))
    for metric in ("win_rate", "discrete_win_rate", "length_controlled_win_rate_glm"):
        assert (rows[metric]["value"], rows[metric]["se"], rows[metric]["n"]) == (None, None, 0)
        assert rows[metric]["status"] == "incomplete" and rows[metric]["reason"]
    json.dumps(rows, allow_nan=False)


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        ("outputs", lambda rows: rows[1].pop("output"), "item 1: field 'output' is nothing"),
        ("outputs", lambda rows: rows[1].update(generator="x"), "item 1: field 'generator' is 'x'"),
        ("reference", lambda rows: rows[0].update(instruction=3), "'instruction' is 3; expected t"),
        ("annotations", lambda rows: rows[2].update(preference=7), "item 2: field 'preference' is"),
        (
            "annotations",
            lambda rows: rows[2].update(preference=0.5),
            "from 1 to 2, or 0 for a draw",
        ),
        ("annotations", lambda rows: rows[2].update(len_2="x"), "item 2: field 'len_2' is 'x'"),
        ("annotations", lambda rows: rows[0].pop("annotator"), "'annotator' is nothing; expected"),
        ("annotations", lambda rows: rows.clear(), "annotations.json is empty; expected a list"),
    ],
)
def test_a_wrong_field_is_told_by_file_item_and_field(alpaca, files, name, spoil, message):
    paths = files(GOOD)
    rows = json.loads(paths[name].read_text())
    spoil(rows)
    paths[name].write_text(json.dumps(rows))
    with pytest.raises(DataError) as caught:
        alpaca.rescore(**paths)
    assert message in str(caught.value) and f"{name}.json" in str(caught.value)


def test_a_torn_file_is_told(alpaca, files, tmp_path):
    paths = files(GOOD)
    whole = paths["outputs"].read_bytes()
    paths["outputs"].write_bytes(whole[:-9])
    with pytest.raises(DataError, match="outputs.json is not a whole JSON file in UTF-8"):
        alpaca.rescore(**paths)
    packed = tmp_path / "outputs.json.gz"
    packed.write_bytes(gzip.compress(whole)[:-9])
    with pytest.raises(DataError, match="outputs.json.gz is not a whole JSON file"):
        alpaca.rescore(**paths | {"outputs": packed})


# The rest needs AlpacaEval's own data.


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "alpaca_eval"


@pytest.fixture(scope="module")
def calibration(folder):
    return str(folder / "lc_calibration" / "df_gamed_reconstructed.csv")


def real(folder, model):
    return {
        "outputs": folder / "public" / f"{model}.model_outputs.json.gz",
        "reference": folder / "reference_gpt4_1106_preview.json.gz",
        "annotations": folder / "public" / f"{model}.annotations.json.gz",
    }


def read(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return json.load(file)


def test_without_a_regularisation_its_length_control_is_absent(alpaca, folder):
    row = scores(alpaca.rescore(**real(folder, "alpaca-7b")))[OFFICIAL]
    assert (row["value"], row["status"]) == (None, "not_run")
    assert row["reason"] == "needs --regularisation: AlpacaEval's df_gamed.csv, or hub"


def shuffled(rows):
    return [*rows[400:], *rows[:400]]


def altered(rows):
    """One space more in one instruction."""
    return [rows[0] | {"instruction": rows[0]["instruction"] + " "}, *rows[1:]]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"outputs": shuffled, "reference": shuffled}, "outputs: not byte for byte the 805 off"),
        ({"outputs": altered, "reference": altered}, "outputs: not byte for byte the 805 official"),
        ({"annotations": lambda rows: shuffled(strip(rows))}, "of other outputs than these"),
        ({"annotations": lambda rows: rows[:-1]}, "missing: item 804"),
        (
            {"annotations": lambda rows: [*rows, rows[9]]},
            "more than one for the same output: item 9",
        ),
    ],
)
def test_length_control_is_refused_and_the_win_rate_stays(
    alpaca, folder, calibration, tmp_path, changes, reason
):
    paths = real(folder, "alpaca-7b")
    for name, change in changes.items():
        changed = tmp_path / f"{name}.json"
        changed.write_text(json.dumps(change(read(paths[name]))))
        paths[name] = changed
    rows = scores(alpaca.rescore(**paths, regularisation=calibration))
    assert (rows[OFFICIAL]["value"], rows[OFFICIAL]["status"]) == (None, "refused")
    assert reason in rows[OFFICIAL]["reason"]
    # A judgment more or less moves the published 2.591 by a thousandth.
    assert rows["win_rate"]["value"] == pytest.approx(2.591450540223603, abs=0.01)
    assert rows["win_rate"]["n"] >= 804 and rows["win_rate"]["se"] is not None


def strip(rows):
    """Without `index`, so that only the position tells."""
    return [{key: value for key, value in row.items() if key != "index"} for row in rows]


#: Source: AlpacaEval's leaderboard.
PUBLISHED = {"alpaca-7b": 5.875487163278986, "claude-2": 28.155196141629148}
JOB = """
import json, sys
from pathlib import Path
from plumbline.plugins import benchmark_spec, load_benchmark
alpaca = load_benchmark(benchmark_spec("alpaca_eval_2"))
scratch, calibration, *paths = map(Path, sys.argv[1:])
found = alpaca.recorded.read(*paths)
row = alpaca.official.length_controlled(found.rows, calibration, scratch)
print(json.dumps(row["win_rate"]))
"""


def test_jobs_side_by_side_do_not_meet_and_write_to_their_scratch_only(
    alpaca, folder, calibration, tmp_path
):
    def package_files():
        files = [path for path in alpaca.asking.package().rglob("*") if path.suffix != ".pyc"]
        return {path: path.stat().st_mtime_ns for path in files if path.is_file()}

    before = package_files()
    home, place = tmp_path / "home", tmp_path / "place"
    home.mkdir()
    place.mkdir()
    # A user's own cache variable must not lead elsewhere.
    environment = {**os.environ, "HOME": str(home), "HF_HUB_CACHE": str(home / "hub")}
    jobs = {}
    for model in PUBLISHED:
        (tmp_path / model).mkdir()
        words = [tmp_path / model, calibration, *real(folder, model).values()]
        jobs[model] = subprocess.Popen(
            [sys.executable, "-c", JOB, *map(str, words)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=place,
        )
    for model, job in jobs.items():
        said, _ = job.communicate(timeout=60)
        assert json.loads(said) == pytest.approx(PUBLISHED[model], abs=0.01)
    assert list(home.rglob("*")) == list(place.rglob("*")) == []
    assert package_files() == before


# Cases for an audit


def test_audit_cases_are_alpaca_evals_own_prompts(alpaca, folder):
    paths = {key: str(path) for key, path in real(folder, "claude-2").items()}
    cases = evenly(alpaca.audit_cases(**paths), 5)
    assert [case["id"] for case in cases] == [f"alpaca-{161 * step}" for step in range(5)]
    recorded, ours = read(Path(paths["annotations"])), read(Path(paths["outputs"]))
    for step, case in enumerate(cases):
        asked = understood(case["request"]["messages"])
        turned = understood(case["swapped"]["messages"])
        assert asked.second == turned.first == ours[161 * step]["output"]
        assert asked.first == turned.second
        assert asked.instruction == ours[161 * step]["instruction"]
        assert case["recorded"] == recorded[161 * step]["preference"] - 1
        rest = {key: value for key, value in case["request"].items() if key != "messages"}
        assert rest == {
            "top_p": 1.0,
            "max_tokens": 1,
            "temperature": 1,
            "logprobs": True,
            "top_logprobs": 5,
        }


def test_verdicts_of_both_orders_are_of_what_is_shown_second(alpaca, folder, surface_judge):
    """The surface judge reads texts only, so the verdicts of both orders add up to 1."""
    paths = {key: str(path) for key, path in real(folder, "claude-2").items()}
    cases = evenly(alpaca.audit_cases(**paths), 8)
    ours = {row["instruction"]: row["output"] for row in read(Path(paths["outputs"]))}
    for order in ("request", "swapped"):
        replies = ask_all(surface_judge, [case[order] for case in cases], workers=2)
        for case, reply in zip(cases, replies, strict=True):
            asked = understood(case[order]["messages"])
            # Source: the surface score of both texts, without endpoint or alpaca_eval's parser.
            second = surface_score(asked.instruction, asked.second)
            first = surface_score(asked.instruction, asked.first)
            expected = 1 / (1 + math.exp(-STEEPNESS * (second - first)))
            assert alpaca.read_verdict(reply) == pytest.approx(expected)
            own = asked.second if order == "request" else asked.first
            assert own == ours[asked.instruction]


def test_a_reply_without_log_probabilities_has_no_verdict(alpaca):
    assert alpaca.read_verdict(Reply(None, reason="refused")) is None
    silent = {"message": {"content": "m"}, "logprobs": None}
    assert alpaca.read_verdict(Reply(silent)) is None
    tokens = [
        {"token": "m", "logprob": -1.3862943611198906},
        {"token": "M", "logprob": -0.2876820724},
    ]
    heard = {"message": {"content": "M"}, "logprobs": {"content": [{"top_logprobs": tokens}]}}
    # ln 1/4 and ln 3/4.
    assert alpaca.read_verdict(Reply(heard)) == pytest.approx(0.75)


def test_files_of_another_model_have_nothing_to_audit(alpaca, folder):
    paths = {key: str(path) for key, path in real(folder, "claude-2").items()}
    paths["outputs"] = str(real(folder, "alpaca-7b")["outputs"])
    with pytest.raises(DataError, match="no judgment of .*alpaca-7b"):
        alpaca.audit_cases(**paths)
