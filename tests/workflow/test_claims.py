"""Toyland's own claims, run and certified: what it was frozen for holds, and its controls fail."""

import json
from pathlib import Path

import pytest
from checkout import copied
from typer.testing import CliRunner

from plumbline.cli.app import app


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> list[dict]:
    """The findings of config/claims/toyland.yaml on a run of config/toyland/claims.yaml."""
    checkout = copied(tmp_path_factory.mktemp("claims") / "checkout")
    run = ("--cores", "2", "--configfile", "config/toyland/claims.yaml")
    checkout.snakemake(*run, timeout=1500)  # three minutes on two idle cores
    words = ["certify", str(repository / "config/claims/toyland.yaml"), "--json"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(checkout.folder)
        done = CliRunner().invoke(app, [*words, "--run", "config/toyland/claims.yaml"])
    return json.loads(done.stdout)["findings"]


def test_every_claim_is_borne_out_and_every_control_fails(certified: list[dict]) -> None:
    came_out = {item["what"]: item["verdict"] for item in certified}
    wanted = {item["what"]: item["expect"] for item in certified}
    assert came_out == wanted


def test_each_claim_has_its_control(certified: list[dict]) -> None:
    expected = [item["expect"] for item in certified]
    assert expected == ["reproduced", "not reproduced"] * (len(expected) // 2)
    told = " ".join(item["what"] for item in certified)
    assert all(control in told for control in ("flipped labels", "no length bias", "alpha below"))
