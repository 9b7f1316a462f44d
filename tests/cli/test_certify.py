"""What a claim came to is printed, kept as JSON, and told by the exit code."""

import json

import pytest
from typer.testing import CliRunner

from plumbline.cli.app import app
from plumbline.errors import ClaimError, ComparisonError, ConfigError

CLAIMS = """
claims: small
source: by hand
settings: {here: {}}
metrics: {score: {kind: count, n: 100}}
tables: {t: {where: Table 1, setting: here, columns: [score], rows: [[dpo, 50.0], [kto, 40.5]]}}
inequalities:
  - {says: "DPO beats [bold]KTO[/]", where: Text, setting: here, metric: score, method: dpo,
     minus: kto, above: 0}
"""


@pytest.fixture
def certify(tmp_path):
    """Certify the small claims against a table of these lines; (what came back, output)."""

    def run(*lines: str, options: tuple = ()):
        (tmp_path / "small.yaml").write_text(CLAIMS)
        (tmp_path / "t.csv").write_text("\n".join(["method,score", *lines]))
        words = ["certify", tmp_path / "small.yaml", *options]
        words += ["--run", tmp_path / "t.csv"] if lines else []
        return CliRunner().invoke(app, [str(word) for word in words])

    return run


def test_what_is_borne_out_exits_with_0(certify):
    done = certify("dpo,50.0", "kto,38.0")
    assert done.exit_code == 0
    [line] = [line for line in done.stdout.splitlines() if "kto: score" in line]
    assert line.split() == "Table 1 kto: score 40.50 38.000 -2.500 4.909 within noise".split()
    assert "DPO beats [bold]KTO[/]" in done.stdout, "no markup of a file is obeyed"
    assert "1 reproduced, 2 within noise." in done.output or "2 reproduced" in done.output


def test_what_is_not_borne_out_is_an_error_with_its_code(certify):
    done = certify("dpo,30.0", "kto,40.5")
    assert isinstance(done.exception, ClaimError) and done.exception.exit_code == 7
    assert "Other than expected: dpo: score; DPO beats" in str(done.exception)
    assert "not reproduced" in done.stdout


def test_what_cannot_be_compared_has_a_code_of_its_own(certify):
    done = certify("dpo,50.0")
    assert isinstance(done.exception, ComparisonError) and done.exception.exit_code == 8
    assert "no score of kto in setting here" in done.stdout


def test_json_holds_every_claim(certify):
    found = json.loads(certify("dpo,50.0", "kto,38.0", options=("--json", "--grim")).stdout)
    assert [item["verdict"] for item in found["findings"][:2]] == ["reproduced", "within noise"]
    assert found["findings"][1]["difference"] == -2.5
    assert [item["what"] for item in found["suspects"]] == ["kto: score"], "40.5 of 100"


def test_grim_needs_no_run(certify):
    done = certify(options=("--grim",))
    assert done.exit_code == 0
    [line] = [line for line in done.stdout.splitlines() if "kto: score" in line]
    assert line.split() == "Table 1 kto: score 40.50 100 40.000 41.000".split()


def test_neither_run_nor_grim_is_a_mistake(certify):
    assert isinstance(certify().exception, ConfigError)


def test_the_paper_against_itself(repository, command):
    """Done when: all its tables are reproduced, and the six cells are printed."""
    words = ["certify", repository / "config/claims/pro.yaml", "--grim", "--json"]
    found = json.loads(command(*words))
    assert len(found["suspects"]) == 6 and found["findings"] == []
    assert {item["printed"] for item in found["recomputed"] if not item["agrees"]} == {6.0, 3.9}
