"""An experiment that takes seconds, and the command line in this process."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from plumbline.cli.app import app

TINY = """
experiment: tiny
settings:
  small:
    data: {source: toyland, documents: 30, demonstrations: 20, pairs: 40, validation: 6, test: 6}
    model: {architecture: gpt_neox, hidden_size: 16, layers: 1, heads: 2, max_positions: 160,
            tokenizer: toyland}
    pretrain: {steps: 2, batch: 8, learning_rate: 0.004}
    sft: {data: demonstrations, steps: 2, batch: 8, learning_rate: 0.001}
    align: {learning_rate: 0.001, batch: {pairs: 16}, probe_benchmark: toyland, probe_prompts: 2}
methods: {sft: {}, dpo: {beta: [0.1, 0.3]}}
grid_points: 2
seeds: [0]
benchmarks: {toyland: {limit: 4, max_new_tokens: 6}}
select: {benchmark: toyland, metric: reward, title: Reward}
judge: {name: toyland-gold}
report:
  title: Tiny
  columns: [{benchmark: toyland, metric: reward, title: Reward}]
  length: {benchmark: toyland, metric: length, title: Words}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """An empty working folder with the experiment's file in it."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("work")
        patch.chdir(folder)
        (folder / "tiny.yaml").write_text(TINY)
        yield folder


@pytest.fixture
def broken(tmp_path) -> Path:
    """The experiment's file with a misspelt method."""
    raw = yaml.safe_load(TINY)
    raw["methods"]["dpoo"] = {}
    path = tmp_path / "broken.yaml"
    path.write_text(yaml.safe_dump(raw))
    return path


@pytest.fixture(scope="session")
def command():
    """Run one command in this process; errors are raised, output is returned."""

    def run(*words: object) -> str:
        done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    return run
