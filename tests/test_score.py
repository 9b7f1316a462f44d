"""Items to result rows: means by hand, gaps and divergences shown, nothing scored twice."""

import json
from math import sqrt

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from plumbline import config
from plumbline.artifacts import read_rows, write_json, write_rows
from plumbline.contracts import Judge
from plumbline.errors import MethodError
from plumbline.layout import Evaluation
from plumbline.rows import FEEDBACK, PROBE, RESPONSE
from plumbline.score import means, sampling, score, score_probes
from plumbline.targets import targets

#: A benchmark whose items are the words of its answers, read as numbers; "-" is a gap.
EXAM = """
from plumbline import Metric, Responses, benchmark

CALLS = []


@benchmark(
    title="Exam", version="4", splits=("validation", "test"),
    metrics=(Metric("grade", "higher", "1-10", 1, 10), Metric("errors", "lower", "", 0, 99)),
)
def score(responses: Responses, *, scale: float = 1.0) -> list:
    rows = []
    for row in responses.rows:
        for turn, answer in enumerate(row["answers"], 1):
            value = None if answer == "-" else scale * float(answer)
            rows.append({"item": row["id"], "turn": turn, "metric": row["payload"]["metric"],
                         "value": value, "status": "ok" if value is not None else "failed"})
    return rows


def prompts(data, split: str) -> list:
    return []
"""
SUMMARY = """

def summarise(items: list) -> list:
    return [{"metric": "grade", "value": 5.5, "se": 0.5, "n": 3, "n_expected": 4},
            {"metric": "SECOND", "value": 1.0, "n": 2}]
"""
SAID = """

def decoding(*, shots: int = 0) -> dict:
    return {"grade": f"{shots}-shot"}
"""
JUDGE = Judge("http://127.0.0.1/v1", "secret", "gold", "2")


def says(text: str) -> list[dict]:
    return [{"role": "user", "content": text}]


@pytest.fixture
def exam(repository, tmp_path, monkeypatch):
    """Score answers of one dpo run on EXAM; returns status, result rows and item rows."""
    monkeypatch.chdir(tmp_path)
    raw = yaml.safe_load((repository / "config" / "test.yaml").read_text())
    raw["benchmarks"]["exam"] = None
    raw["benchmark_paths"] = [str(tmp_path)]
    raw["select"] |= {"benchmark": "exam", "metric": "grade"}

    class Exam:
        source = EXAM
        options: dict = {}
        record = {"status": "ok", "model": "weights-1"}
        judge: Judge | None = None

        def __init__(self):
            self.write()
            folders = self.experiment.setting_folders()["small"]
            write_json(folders.data_record, {"splits": {"train": {"digest": "d"}}})
            self.train = folders.data("train")
            self.trained_on("something else")
            self.run = folders.run("dpo", "beta=0.1", 0)
            [self.target] = targets(self.experiment, "validation", [self.run.record])

        def write(self):
            (tmp_path / "exam.py").write_text(self.source)
            given = raw["benchmarks"] | {"exam": self.options}
            self.experiment = config.parse(raw | {"benchmarks": given})

        @property
        def where(self) -> Evaluation:
            return self.target.evaluation

        def trained_on(self, *prompts: str) -> None:
            rows = [{"id": text, "prompt": says(text), "completions": ["x"]} for text in prompts]
            write_rows(self.train, rows, FEEDBACK)

        def answer(self, *answers: list[str], metric: str = "grade") -> None:
            rows = [
                {
                    "id": f"q{index}",
                    "prompt": says(f"question {index}"),
                    "follow_ups": [],
                    "temperature": 0.7,
                    "max_new_tokens": 48,
                    "answers": turns,
                    "payload": json.dumps({"metric": metric}),
                }
                for index, turns in enumerate(answers)
            ]
            write_rows(self.where.responses("exam"), rows, RESPONSE)

        def score(self) -> str:
            self.write()
            write_json(self.run.record, self.record)
            return score(self.experiment, "exam", "validation", self.target, self.judge)

        @property
        def rows(self) -> dict[str, dict]:
            return {row["metric"]: row for row in read_rows(self.where.rows("exam"))}

        @property
        def items(self) -> list[dict]:
            return read_rows(self.where.items("exam"))

    return Exam()


def test_mean_and_standard_error_by_hand(exam):
    """Source: values 2, 4, 9: mean 5, sample variance (9 + 1 + 16) / 2 = 13, se sqrt(13 / 3)."""
    exam.answer(["2"], ["4"], ["9"])
    exam.score()
    row = exam.rows["grade"]
    assert row["value"] == 5.0 and row["se"] == pytest.approx(sqrt(13 / 3), rel=1e-12)
    assert (row["n"], row["n_expected"], row["status"], row["better"]) == (3, 3, "ok", "higher")


def test_one_value_has_no_standard_error(exam):
    exam.answer(["2"])
    exam.score()
    assert exam.rows["grade"]["value"] == 2.0 and exam.rows["grade"]["se"] is None


def test_every_row_says_who_it_belongs_to(exam):
    exam.answer(["2", "4"])
    exam.score()
    identity = {
        "setting": exam.run.setting,
        "experiment": "test",
        "method": "dpo",
        "point": "beta=0.1",
        "seed": 0,
        "split": "validation",
        "benchmark": "exam",
        "version": "4",
    }
    for row in [*exam.items, *exam.rows.values()]:
        assert identity.items() <= row.items()
    assert [(row["item"], row["turn"], row["value"]) for row in exam.items] == [
        ("q0", 1, 2.0),
        ("q0", 2, 4.0),
    ]
    row = exam.rows["grade"]
    assert row["model_digest"] == "weights-1" and row["data_digest"] and row["code_digest"]
    assert row["judge"] is None and row["judge_version"] is None


def test_every_row_says_how_the_answers_were_sampled(exam):
    exam.answer(["2"], ["4"])
    exam.score()
    told = {name: row["decoding"] for name, row in exam.rows.items()}
    assert told == dict.fromkeys(("grade", "errors"), "temperature 0.7, at most 48 new tokens")


def test_what_a_benchmark_says_of_itself_comes_first(exam):
    exam.source = EXAM + SAID
    exam.options = {"shots": 5}
    exam.answer(["2"])
    exam.score()
    assert exam.rows["grade"]["decoding"] == "5-shot" and exam.rows["errors"]["decoding"] is None


def test_distinct_temperatures_and_limits_are_listed():
    """Ordered as numbers: 10 after 9, and each once."""
    used = [(0.7, 10), (0.0, 9), (0.1, 10), (0.7, 9)]
    answers = [{"temperature": heat, "max_new_tokens": limit} for heat, limit in used]
    assert sampling(answers) == "temperature 0 or 0.1 or 0.7, at most 9 or 10 new tokens"


def test_a_gap_is_shown_and_not_filled(exam):
    exam.answer(["2"], ["-"], ["4"])
    assert exam.score() == "not_run"
    row = exam.rows["grade"]
    assert (row["value"], row["n"], row["n_expected"], row["status"]) == (3.0, 2, 3, "incomplete")
    assert [item["value"] for item in exam.items] == [2.0, None, 4.0]
    assert [item["status"] for item in exam.items] == ["ok", "failed", "ok"]


def test_only_gaps_are_null_and_incomplete(exam):
    exam.answer(["-"], ["-"])
    exam.score()
    row = exam.rows["grade"]
    assert (row["value"], row["se"], row["n"], row["n_expected"]) == (None, None, 0, 2)
    assert row["status"] == "incomplete"


def test_a_declared_metric_that_does_not_come_out_says_so(exam):
    exam.answer(["2"])
    assert exam.score() == "not_run"
    row = exam.rows["errors"]
    assert (row["value"], row["status"], row["better"]) == (None, "not_run", "lower")
    assert "no such number" in row["reason"]


def test_an_undeclared_metric_is_refused(exam):
    """A misspelt metric would otherwise be a number that nobody sees."""
    exam.answer(["2"], metric="graed")
    with pytest.raises(MethodError, match=r"exam.py.*undeclared metrics \['graed'\]"):
        exam.score()
    assert not exam.where.rows("exam").exists()


def test_a_summary_of_the_benchmarks_own(exam):
    exam.source = EXAM + SUMMARY.replace("SECOND", "errors")
    exam.answer(["2"], ["3"])
    assert exam.score() == "incomplete"
    grade, errors = exam.rows["grade"], exam.rows["errors"]
    assert (grade["value"], grade["se"], grade["status"]) == (5.5, 0.5, "incomplete")
    assert (grade["n"], grade["n_expected"]) == (3, 4)
    assert (errors["value"], errors["n_expected"], errors["status"]) == (1.0, 2, "ok")


def test_a_summary_with_an_undeclared_metric_is_refused(exam):
    exam.source = EXAM + SUMMARY.replace("SECOND", "erors")
    exam.answer(["2"])
    with pytest.raises(MethodError, match=r"undeclared metrics \['erors'\]"):
        exam.score()


@pytest.mark.parametrize(
    "record", [{"status": "diverged", "model": None, "step": 3, "examples": ["a"]}]
)
def test_a_diverged_run_has_rows_without_values(exam, record):
    """The record is what training writes; there are no answers to read."""
    exam.record = record
    assert exam.score() == "diverged"
    assert {name: row["status"] for name, row in exam.rows.items()} == {
        "grade": "diverged",
        "errors": "diverged",
    }
    assert all(row["value"] is None and row["n"] == 0 for row in exam.rows.values())
    assert exam.items == []
    assert exam.score() == "current"


def test_nothing_is_scored_twice(exam):
    exam.answer(["2"])
    exam.score()
    stamp = exam.where.rows("exam").stat().st_mtime_ns
    exam.where.responses("exam").unlink()  # scoring again would fail
    assert exam.score() == "current"
    assert exam.where.rows("exam").stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    "change",
    [
        {"record": {"status": "ok", "model": "weights-2"}},
        {"options": {"scale": 2.0}},
        {"source": EXAM.replace("scale * float", "2 * scale * float")},
    ],
    ids=["model", "options", "code"],
)
def test_whatever_decides_a_score_makes_it_stale(exam, change):
    exam.answer(["2"])
    exam.score()
    for name, value in change.items():
        setattr(exam, name, value)
    assert exam.score() != "current"
    assert exam.rows["grade"]["value"] == (2.0 if "record" in change else 4.0)


def test_a_comment_and_an_unasked_judge_make_nothing_stale(exam):
    exam.answer(["2"])
    exam.score()
    exam.source = EXAM.replace("CALLS = []", "CALLS = []  # none yet")
    exam.judge = JUDGE
    assert exam.score() == "current"


def test_a_judged_benchmark_names_its_judge_and_asks_a_new_one_again(exam):
    exam.source = EXAM.replace('title="Exam"', 'title="Exam", judged=True').replace(
        "responses: Responses, *", "responses: Responses, judge, *"
    )
    exam.judge = JUDGE
    exam.answer(["2"])
    exam.score()
    row = exam.rows["grade"]
    assert (row["judge"], row["judge_version"]) == ("gold", "2")
    assert exam.score() == "current"
    exam.judge = Judge(JUDGE.url, "another token", "gold", "3")
    assert exam.score() != "current" and exam.rows["grade"]["judge_version"] == "3"


def test_probes_are_scored_step_by_step(exam):
    """Two answers at step 0 and one at step 5; an unscored metric leaves no row."""
    payload = json.dumps({"metric": "grade"})
    answers = [(0, "2"), (0, "4"), (5, "7")]
    rows = [
        {"step": step, "id": f"q{number}", "answers": [text], "payload": payload}
        for number, (step, text) in enumerate(answers)
    ]
    write_rows(exam.run.probes, rows, PROBE)
    write_json(exam.run.record, exam.record)
    score_probes(exam.experiment, "exam", exam.run, None)
    found = read_rows(exam.run.probe_rows("exam"))
    assert [(row["step"], row["metric"], row["value"]) for row in found] == [
        (0, "grade", 3.0),
        (5, "grade", 7.0),
    ]


CONTAMINATION = ("n_contaminated", "clean_value", "clean_se")


def contamination(row: dict) -> tuple:
    return tuple(row[name] for name in CONTAMINATION)


def test_a_clean_score_stands_beside_a_contaminated_one(exam):
    """By hand: values 2, 4 and 9, of which the last was trained on: mean 3, se sqrt(2 / 2)."""
    exam.trained_on("Question 2?", "question")
    exam.answer(["2"], ["4"], ["9"])
    exam.score()
    row = exam.rows["grade"]
    assert (row["value"], row["n"], row["status"]) == (5.0, 3, "ok")
    assert contamination(row) == (1, 3.0, 1.0)
    assert contamination(exam.rows["errors"]) == (0, None, None)


def test_nothing_stands_beside_a_clean_score(exam):
    exam.answer(["2"], ["4"])
    exam.score()
    assert contamination(exam.rows["grade"]) == (0, None, None)


def test_where_everything_was_trained_on_nothing_is_left(exam):
    exam.trained_on("question 0", "question 1")
    exam.answer(["2"], ["4"])
    exam.score()
    assert contamination(exam.rows["grade"]) == (2, None, None)


def test_items_that_have_no_value_count_on_neither_side(exam):
    exam.trained_on("question 0", "question 1")
    exam.answer(["-"], ["4"], ["9"])
    exam.score()
    assert exam.rows["grade"]["n"] == 2
    assert contamination(exam.rows["grade"]) == (1, 9.0, None)


def test_a_figure_of_a_fixed_set_has_no_clean_one(exam):
    exam.source = EXAM.replace('"1-10", 1, 10', '"1-10", 1, 10, divisible=False')
    exam.trained_on("question 0")
    exam.answer(["2"], ["4"])
    exam.score()
    assert contamination(exam.rows["grade"]) == (1, None, None)


def test_a_benchmarks_own_summary_is_asked_for_the_others(exam):
    """By hand: the sum of 4 and 9."""
    exam.source = (
        EXAM
        + """

def summarise(items: list) -> list:
    values = [item["value"] for item in items]
    return [{"metric": "grade", "value": sum(values), "se": 0.5, "n": len(values)}]
"""
    )
    exam.trained_on("question 0")
    exam.answer(["2"], ["4"], ["9"])
    exam.score()
    assert contamination(exam.rows["grade"]) == (1, 13.0, 0.5)


def test_what_an_item_does_not_say_is_not_known(exam):
    exam.source = EXAM.replace('"item": row["id"]', '"item": "no " + row["id"]')
    exam.trained_on("question 0")
    exam.answer(["2"], ["4"])
    exam.score()
    assert exam.rows["grade"]["value"] == 3.0
    assert contamination(exam.rows["grade"]) == (None, None, None)


TELLING = """
from plumbline import Metric, Model, benchmark


@benchmark(title="Exam", version="1", splits=("validation", "test"),
           metrics=(Metric("grade", "higher", "", 0, 9),))
def score(model: Model) -> list:
    return [{"item": f"q{n}", "metric": "grade", "value": float(n), "status": "ok",
             "text": f"question {n}"} for n in range(3)]
"""


def test_a_benchmark_that_asks_the_model_itself_says_what_it_asks(exam):
    """By hand: of 0, 1 and 2 the last was trained on. What was asked is not kept."""
    exam.source = TELLING
    exam.run.model.mkdir(parents=True)
    exam.trained_on("question 2")
    exam.score()
    assert contamination(exam.rows["grade"]) == (1, 0.5, 0.5)
    assert [item["item"] for item in exam.items] == ["q0", "q1", "q2"]
    exam.source = TELLING.replace('"text"', '"judgment"')
    exam.score()
    assert contamination(exam.rows["grade"]) == (None, None, None)


def test_a_diverged_run_has_no_probes_to_score(exam):
    write_json(exam.run.record, {"status": "diverged", "model": None})
    score_probes(exam.experiment, "exam", exam.run, None)
    assert not exam.run.probe_rows("exam").exists()


numbers = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12)


@given(numbers, st.floats(-1e3, 1e3))
def test_means_shift_with_their_values(values, shift):
    [plain] = means([{"metric": "m", "value": value} for value in values])
    [moved] = means([{"metric": "m", "value": value + shift} for value in values])
    assert moved["value"] == pytest.approx(plain["value"] + shift, abs=1e-6)
    assert moved["se"] == pytest.approx(plain["se"], abs=1e-5)


@given(numbers, st.randoms())
def test_means_do_not_depend_on_the_order_of_items(values, random):
    items = [{"metric": name, "value": value} for value in values for name in ("one", "two")]
    shuffled = random.sample(items, len(items))
    found, again = ({row["metric"]: row for row in means(given)} for given in (items, shuffled))
    for name, row in found.items():
        assert again[name]["value"] == pytest.approx(row["value"], rel=1e-12, abs=1e-9)
        assert again[name]["n"] == row["n"] == len(values)
