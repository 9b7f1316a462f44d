"""Recorded MT-Bench judgments: published scores again, what is listed, and cases for an audit."""

import csv
import gzip
import json

import pytest

from plumbline.errors import DataError
from plumbline.judge.audit import evenly
from plumbline.judge.client import Reply, ask_all
from plumbline.judge.reading import read as understood
from plumbline.judge.surface import surface_score

pytestmark = pytest.mark.filterwarnings("ignore::SyntaxWarning")


@pytest.fixture(scope="module")
def mt_bench(module):
    return module("mt_bench")


def row(number, turn, grade, **more):
    given = {"question_id": number, "turn": turn, "model": "mine", "judge": ["gpt-4", "single-v1"]}
    return given | {"judgment": f"Rating: [[{grade}]]", "score": grade} | more


WHOLE = [row(number, turn, 3 + turn) for number in range(81, 161) for turn in (1, 2)]


@pytest.fixture
def rescore(mt_bench, tmp_path):
    """Scores of made-up judgments."""

    def scored(rows):
        path = tmp_path / "gpt-4_single.jsonl"
        path.write_text("".join(json.dumps(item) + "\n" for item in rows))
        return mt_bench.rescore(judgments=path)

    return scored


def scores(found):
    return {item["metric"]: item for item in found["scores"]}


def test_scores_by_hand(rescore):
    """Every first turn has 4, every second 5."""
    [found] = rescore(WHOLE)
    assert (found["model"], found["judge"], found["problems"]) == ("mine", "gpt-4", [])
    values = {name: item["value"] for name, item in scores(found).items()}
    assert (values["mt_bench"], values["first_turn"], values["second_turn"]) == (4.5, 4, 5)
    assert len(values) == 11
    assert {item["status"] for item in found["scores"]} == {"ok"}


def test_models_and_judges_are_kept_apart(rescore):
    other = [item | {"model": "other"} for item in WHOLE[:1]]
    claude = [item | {"judge": ["claude", "single-v1"]} for item in WHOLE[:1]]
    found = rescore([*WHOLE, *other, *claude])
    names = [(item["model"], item["judge"]) for item in found]
    assert names == [("mine", "gpt-4"), ("other", "gpt-4"), ("mine", "claude")]
    assert [scores(item)["mt_bench"]["n"] for item in found] == [160, 1, 1]


@pytest.mark.parametrize(
    ("rows", "question", "turn", "reason", "summary"),
    [
        (WHOLE[1:], 81, 1, "no judgment", "no grade: turn 1 of question 81"),
        (
            [*WHOLE, row(160, 2, 9)],
            160,
            2,
            "2 judgments",
            "several judgments: turn 2 of question 160",
        ),
        (
            [row(81, 1, -1, judgment="Secret."), *WHOLE[1:]],
            81,
            1,
            "the judgment has no grade",
            "no grade: turn 1 of question 81",
        ),
        (
            [row(81, 1, 9, judgment="Secret [[8]]"), *WHOLE[1:]],
            81,
            1,
            "the judgment says 8, the stored score is 9",
            "no grade: turn 1 of question 81",
        ),
        (
            [row(81, 1, 0), *WHOLE[1:]],
            81,
            1,
            "the grade 0 is not between 1 and 10, the stored score is 0",
            "no grade: turn 1 of question 81",
        ),
    ],
)
def test_what_does_not_count_is_listed(rescore, rows, question, turn, reason, summary):
    [found] = rescore(rows)
    assert found["problems"] == [{"question": question, "turn": turn, "reason": reason}]
    overall = scores(found)["mt_bench"]
    assert (overall["n"], overall["n_expected"], overall["status"]) == (159, 160, "incomplete")
    assert overall["reason"] == summary
    assert "Secret" not in json.dumps(found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"question_id": 80},
            "line 2: field 'question_id' is 80; expected a number from 81 to 160",
        ),
        ({"question_id": 81.5}, "expected a whole number from 81 to 160"),
        ({"turn": 3}, "field 'turn' is 3"),
        ({"score": "9"}, "field 'score' is '9'"),
        ({"judgment": None}, "field 'judgment' is nothing; expected text"),
        ({"judge": []}, r"field 'judge' is \[\]; expected the names"),
    ],
)
def test_a_wrong_field_is_told_by_line_and_field(rescore, change, message):
    with pytest.raises(DataError, match=f"gpt-4_single.jsonl, .*{message}"):
        rescore([WHOLE[0], WHOLE[1] | change])


# The rest needs MT-Bench's own data.


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "mt_bench"


@pytest.fixture(scope="module")
def judgments(folder):
    return folder / "public" / "model_judgment" / "gpt-4_single.jsonl.gz"


def test_stored_scores_are_what_the_pattern_reads(mt_bench, judgments):
    with gzip.open(judgments, "rt") as file:
        rows = [json.loads(line) for line in file]
    read = [mt_bench.read_grade(item["judgment"])[0] for item in rows]
    assert len(rows) == 480
    assert read == [item["score"] for item in rows]


def test_published_scores_come_out_again(mt_bench, judgments, folder):
    """Source: the published table to two decimals, and FastChat's show_result (expected.csv)."""
    found = {item["model"]: scores(item) for item in mt_bench.rescore(judgments=judgments)}
    with open(folder / "public" / "expected.csv", newline="") as file:
        expected = {item["model"]: item for item in csv.DictReader(file)}
    assert found.keys() == expected.keys() and len(found) == 3
    for model, rows in found.items():
        # 6.36875, 7.034375 and 7.3125: none is a half that rounds either way.
        assert f"{rows['mt_bench']['value']:.2f}" == expected[model]["published_mt_bench"]
        for metric, column in (("first_turn",) * 2, ("second_turn",) * 2, ("mt_bench", "average")):
            assert rows[metric]["value"] == pytest.approx(float(expected[model][column]), abs=1e-6)
        assert (rows["mt_bench"]["n"], rows["category_math"]["n"]) == (160, 20)
        assert {item["status"] for item in rows.values()} == {"ok"}


def test_categories_are_those_of_the_official_questions(mt_bench, folder):
    rows = [json.loads(line) for line in (folder / "question.jsonl").read_text().splitlines()]
    found = {item["question_id"]: item["category"] for item in rows}
    assert found == {number: mt_bench.recorded.category(number) for number in range(81, 161)}


@pytest.fixture(scope="module")
def files(folder, judgments):
    return {
        "questions": str(folder / "question.jsonl"),
        "references": str(folder / "reference_answer" / "gpt-4.jsonl"),
        "judge_prompts": str(folder / "judge_prompts.jsonl"),
        "answers": str(folder / "public" / "model_answer" / "mamba_0_5_dpo_ep3.jsonl.gz"),
        "judgments": str(judgments),
    }


def test_audit_cases_are_fastchats_own_prompts(mt_bench, files, folder, judgments):
    cases = mt_bench.audit_cases(**files)
    assert len({case["id"] for case in cases}) == 160
    assert {case["swapped"] for case in cases} == {None}
    found = {case["id"]: case for case in cases}
    with gzip.open(judgments, "rt") as file:
        for item in map(json.loads, file):
            if item["model"] == "mamba_0_5_dpo_ep3":
                case = found[f"mt-{item['question_id']}-turn-{item['turn']}"]
                assert case["recorded"] == item["score"]
    lines = (folder / "judge_prompts.jsonl").read_text().splitlines()
    prompts = {item["name"]: item for item in map(json.loads, lines)}
    system, user = found["mt-111-turn-2"]["request"]["messages"]
    assert system["content"] == prompts["single-math-v1-multi-turn"]["system_prompt"]
    assert "<|The Start of Reference Answer|>" in user["content"]


def test_any_judge_can_be_held_against_the_record(mt_bench, files, surface_judge):
    cases = evenly(mt_bench.audit_cases(**files), 6)
    assert len({case["id"] for case in cases}) == 6
    replies = ask_all(surface_judge, [case["request"] for case in cases], workers=2)
    for case, reply in zip(cases, replies, strict=True):
        asked = understood(case["request"]["messages"])
        reference = asked.references[-1] if asked.references else None
        # Source: the surface score of the texts, without endpoint or FastChat's pattern.
        score = surface_score(asked.turns[-1], asked.answers[-1], reference)
        assert mt_bench.read_verdict(reply) == round(1 + 9 * score)
        assert 1 <= case["recorded"] <= 10


def test_a_verdict_is_a_grade_or_nothing(mt_bench):
    assert mt_bench.read_verdict(Reply({"message": {"content": "[[7]]"}})) == 7.0
    assert mt_bench.read_verdict(Reply(None, reason="refused")) is None


def test_answers_without_judgments_have_nothing_to_audit(mt_bench, files, tmp_path):
    path = tmp_path / "one.jsonl"
    path.write_text(json.dumps(WHOLE[0]))
    with pytest.raises(DataError, match="0 judges of 'mamba_0_5_dpo_ep3'; expected one"):
        mt_bench.audit_cases(**files | {"judgments": str(path)})
    path.write_text(json.dumps({"question_id": 1, "category": "math", "turns": ["a", "b"]}))
    with pytest.raises(DataError, match="no grade of the answers in .* to .*one.jsonl"):
        mt_bench.audit_cases(**files | {"questions": str(path)})
