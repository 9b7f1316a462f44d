"""A pipeline of a minute with a judge that counts, and copies of it to disturb."""

import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from checkout import REPOSITORY, copied
from disturbed import CONFIG, Drill
from scripted import MODEL, upstream

from plumbline.judge import answerer
from plumbline.judge.wire import completion

#: How often each kill drill is repeated, and what draws the moments.
MOMENTS = int(os.environ.get("MOMENTS", 20))
SEED = int(os.environ.get("SEED") or random.randrange(10**6))


def pytest_report_header() -> str:
    return f"drills: MOMENTS={MOMENTS} SEED={SEED}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "draw" in metafunc.fixturenames:
        names = [f"{metafunc.function.__name__}-{number}" for number in range(MOMENTS)]
        draws = [random.Random(f"{SEED}/{name}") for name in names]
        metafunc.parametrize("draw", draws, ids=[f"seed{SEED}-{n}" for n in range(MOMENTS)])


@pytest.fixture(scope="session")
def judged() -> Iterator[str]:
    """Where the gold judge listens, as a judge that has to be paid."""
    gold = answerer("toyland-gold")

    def judge(handler) -> None:
        body = completion(gold, handler.asked, gold.answer(handler.asked["messages"]))
        handler.send(200, json.dumps(body | {"model": MODEL}).encode())

    os.environ["JUDGE_KEY"] = "sk-drill"
    with upstream(judge) as stage:
        yield stage.url


@pytest.fixture(scope="session")
def based(judged: str, tmp_path_factory: pytest.TempPathFactory) -> Drill:
    """Base models and the reference are there; nothing is aligned yet."""
    drill = Drill(copied(tmp_path_factory.mktemp("based") / "checkout"))
    text = (REPOSITORY / "tests" / "drills" / CONFIG).read_text()
    (drill.folder / CONFIG).write_text(text.replace("http://127.0.0.1:1/v1", judged))
    drill.run("--until", "reference")
    return drill


@pytest.fixture(scope="session")
def answered(based: Drill, tmp_path_factory: pytest.TempPathFactory) -> Drill:
    """Models are aligned and have answered; the judge has yet to be asked."""
    drill = based.copy(tmp_path_factory.mktemp("answered") / "checkout")
    listed = drill.run("--list-rules").split()
    drill.run("--until", *(name for name in listed if name.startswith("generate_validation")))
    return drill


@pytest.fixture(scope="session")
def finished(based: Drill, tmp_path_factory: pytest.TempPathFactory) -> Drill:
    """An undisturbed run."""
    drill = based.copy(tmp_path_factory.mktemp("finished") / "checkout")
    drill.run()
    return drill


@pytest.fixture
def drill(based: Drill, tmp_path: Path) -> Iterator[Drill]:
    """A copy to disturb."""
    yield based.copy(tmp_path / "checkout")
    shutil.rmtree(tmp_path / "checkout")
