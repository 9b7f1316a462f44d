"""The PRO paper's claims, and its own tables as a run; a small experiment that has yet to run."""

from pathlib import Path

import pytest
import yaml
from finished_run import FILE

from plumbline import config
from plumbline.config import Experiment
from plumbline.operate import claims

#: The tables as they were typed off the paper, not from config/claims/pro.yaml.
PUBLISHED = Path(__file__).parent / "published"


@pytest.fixture(scope="session")
def pro(repository: Path) -> claims.Claims:
    return claims.read(repository / "config/claims/pro.yaml")


@pytest.fixture(scope="session")
def published() -> Path:
    return PUBLISHED


@pytest.fixture
def two(tmp_path, monkeypatch) -> Experiment:
    """Two methods of two points, in an empty folder that jobs have yet to fill. A test job tests
    one method."""
    monkeypatch.chdir(tmp_path)
    raw = yaml.safe_load(FILE)
    raw |= {
        "experiment": "two",
        "methods": {"sft": {}, "dpo": {"beta": [0.1, 0.3]}, "ipo": {"tau": [0.1, 0.3]}},
        "seeds": [0],
        "execution": {"runs_per_job": 2, "models_per_job": 1},
    }
    Path("two.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))
    return config.read(Path("two.yaml"))
