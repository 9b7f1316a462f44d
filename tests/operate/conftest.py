"""The PRO paper's claims, and its own tables as a run; a small experiment that has yet to run."""

from pathlib import Path

import pytest

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


TWO = """
experiment: two
settings:
  small:
    data: {source: toyland, documents: 30, demonstrations: 20, pairs: 40, validation: 6, test: 6}
    model: {architecture: gpt_neox, hidden_size: 16, layers: 1, heads: 2, max_positions: 160,
            tokenizer: toyland}
    pretrain: {steps: 2, batch: 8, learning_rate: 0.004}
    sft: {data: demonstrations, steps: 2, batch: 8, learning_rate: 0.001}
    align: {learning_rate: 0.001, batch: {pairs: 16}}
methods: {sft: {}, dpo: {beta: [0.1, 0.3]}, ipo: {tau: [0.1, 0.3]}}
grid_points: 2
seeds: [0]
benchmarks: {toyland: {limit: 4, max_new_tokens: 6}, mt_bench: {max_new_tokens: 6}}
select: {benchmark: toyland, metric: reward, title: Reward}
judge: {name: toyland-gold}
report:
  title: Two methods
  columns:
    - {benchmark: toyland, metric: reward, title: Reward}
    - {benchmark: mt_bench, metric: mt_bench, title: Score}
  length: {benchmark: toyland, metric: length, title: Words}
execution: {runs_per_job: 2, models_per_job: 1}
"""


@pytest.fixture
def two(tmp_path, monkeypatch) -> Experiment:
    """Two methods of two points, in an empty folder that jobs have yet to fill. A test job tests
    one method."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "two.yaml").write_text(TWO)
    return config.read(Path("two.yaml"))
