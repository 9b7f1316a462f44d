"""The finished pipeline leads back: a random cell is made again by the commands that `why` prints,
and all tables come out of the archive."""

import json
import random
import shlex
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pandas as pd
from checkout import Checkout

#: The stages whose files a number is computed from, once the model is there.
AGAIN = ("responses", "items", "scores", "rows", "table")


def plumbline(checkout: Checkout, *words: str) -> str:
    """One command in a checkout, whose methods and benchmarks are its own."""
    code = "from plumbline.cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=checkout.folder,
        env=checkout.environment() | {"PLUMBLINE_HOME": str(checkout.folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def random_cell() -> tuple[str, str]:
    """A method and a column of Table 1; the seed is printed where the test fails."""
    seed = random.randrange(10**6)
    print("the seed of the cell:", seed)
    draw = random.Random(seed)
    methods, columns = (
        ("sft", "dpo", "pro_p", "pro_b"),
        ("Gold win rate", "WR", "Score", "ARC-like"),
    )
    return draw.choice(methods), draw.choice(columns)


def why(checkout: Checkout, cell: tuple[str, str]) -> dict:
    return json.loads(plumbline(checkout, "why", "config/test.yaml", "table1", *cell, "--json"))


def test_a_random_cell_is_made_again_by_the_commands_behind_it(checkout: Checkout) -> None:
    """Answers, scores and table of the cell are deleted; their commands give the same number."""
    cell = random_cell()
    before = why(checkout, cell)
    gone = [
        step
        for step in before["steps"]
        if step["what"] in AGAIN and "/validation/" not in step["path"]
    ]
    for step in gone:
        (checkout.folder / step["path"]).unlink()
    needed = {step["trace"]["command"] for step in gone if step["trace"]}
    for line in filter(needed.__contains__, before["commands"]):
        program, *words = shlex.split(line)
        assert program == "plumbline"
        plumbline(checkout, *words)
    after = why(checkout, cell)
    assert after["cell"] == before["cell"]
    digests = [
        {step["path"]: step["sha256"] for step in found["steps"]} for found in (before, after)
    ]
    assert digests[0] == digests[1], "the same bytes, too"


def test_every_file_of_a_stage_says_who_made_it(finished: Checkout) -> None:
    found = why(finished, ("dpo", "WR"))
    silent = {step["what"] for step in found["steps"] if step["trace"] is None}
    assert silent == {"method", "benchmark", "judgments", "items", "table"}
    stages = [line.split()[1] for line in found["commands"]]
    assert stages == [
        *("data", "pretrain", "sft", "reference", "align"),
        *("generate", "score", "select", "generate", "score", "aggregate"),
    ]
    assert all(str(finished.folder) not in line for line in found["commands"])


def test_the_tables_come_out_of_the_archive(finished: Checkout, tmp_path: Path) -> None:
    crate, out = tmp_path / "run.zip", tmp_path / "out"
    plumbline(finished, "export", "config/test.yaml", str(crate))
    plumbline(Checkout(tmp_path), "tables", str(crate), str(out))
    tables = finished.folder / "results/experiments/test/tables/small"
    made = {path.name: path.read_bytes() for path in (out / "small").iterdir()}
    assert made == {path.name: path.read_bytes() for path in tables.iterdir()}


def test_the_archive_has_the_judgments_of_its_items(finished: Checkout, tmp_path: Path) -> None:
    plumbline(finished, "export", "config/test.yaml", str(tmp_path / "run.zip"), "--judgments")
    with ZipFile(tmp_path / "run.zip") as archive:
        lines = archive.read("judgments.jsonl").decode().splitlines()
    items = pd.read_parquet(finished.folder / "results/experiments/test/items.parquet")
    assert {json.loads(line)["key"] for line in lines} == set(items.judgment.dropna())
    assert len(lines) > 50
