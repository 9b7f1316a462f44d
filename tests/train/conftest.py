"""A tiny float64 policy, and examples of every feedback for it."""

from dataclasses import replace

import pytest
import torch
import yaml
from tiny_examples import make_example, tiny_policy
from torch import Tensor

from plumbline import Completions, Lists, Pairs, Singles, config, schema
from plumbline.artifacts import write_json
from plumbline.batches import OF_EXAMPLES
from plumbline.data.build import build
from plumbline.train.examples import Example
from plumbline.train.trainer import Place

torch.set_num_threads(1)


@pytest.fixture
def policy():
    """Makes tiny policies."""
    return tiny_policy


@pytest.fixture
def place(tmp_path) -> Place:
    """Where a run may keep checkpoints, which it never comes to."""
    return Place(tmp_path / "work", 10**9, {})


@pytest.fixture
def examples():
    """`count` examples of a feedback, always the same."""

    def make(feedback: str, count: int) -> list[Example]:
        return [make_example(feedback, index) for index in range(count)]

    return make


def plain_sums(model, example: Example) -> list[Tensor]:
    """Summed log-probability of each completion: full log_softmax, one unpadded row at a time."""
    sums = []
    prompt, completions = example.whole
    for completion in completions:
        ids = torch.tensor([[*prompt, *completion]])
        logs = model(input_ids=ids).logits.log_softmax(-1)[0, len(prompt) - 1 : -1]
        sums.append(logs.gather(1, torch.tensor(completion)[:, None]).sum())
    return sums


@pytest.fixture
def plain_batch():
    """The batch a loss sees, made by plain torch with the whole graph attached."""

    def column(rows: list[list[Tensor]], given: list[Example], index: int) -> Completions:
        counts = torch.tensor([len(item.completions[index]) for item in given])
        reference = torch.tensor([item.references[index] for item in given])
        return Completions(
            torch.stack([row[index] for row in rows]), counts, {"reference": reference}
        )

    def make(model, given: list[Example]) -> Pairs | Singles | Lists:
        names = [name for name in OF_EXAMPLES if getattr(given[0], name) is not None]
        needed = {
            name: torch.stack([torch.as_tensor(getattr(item, name)) for item in given])
            for name in names
        }
        batch = columns(model, given)
        return replace(batch, needed=needed | batch.needed)

    def columns(model, given: list[Example]) -> Pairs | Singles | Lists:
        rows = [plain_sums(model, item) for item in given]
        if given[0].scores:
            counts = torch.tensor([[len(ids) for ids in item.completions] for item in given])
            policy = torch.stack([torch.stack(row) for row in rows])
            reference = torch.tensor([item.references for item in given])
            scores = torch.tensor([item.scores for item in given])
            return Lists(Completions(policy, counts, {"reference": reference}), scores)
        if given[0].mismatched:
            other = Completions(
                torch.stack([row[1] for row in rows]).detach(),
                torch.tensor([len(item.mismatched) for item in given]),
                {"reference": torch.tensor([item.mismatched_reference for item in given])},
            )
            desirable = torch.tensor([item.desirable for item in given])
            return Singles(column(rows, given, 0), desirable, other)
        first, second, *others = (
            column(rows, given, index) for index in range(len(given[0].completions))
        )
        return Pairs(first, second, {"traceless": Pairs(*others)} if others else {})

    return make


TINY = """
experiment: tiny
settings:
  small:
    data: {source: toyland, documents: 30, demonstrations: 20, pairs: 40, validation: 6, test: 6}
    model: {architecture: gpt_neox, hidden_size: 16, layers: 1, heads: 2, max_positions: 160,
            tokenizer: toyland}
    pretrain: {steps: 2, batch: 8, learning_rate: 0.004}
    sft: {data: demonstrations, steps: 2, batch: 8, learning_rate: 0.001}
    align:
      learning_rate: 0.001
      warmup_steps: 1
      batch: {pairs: 16, singles: 16, lists: 16}
      log_every: 1
      probe_every: 2
      probe_rows: 4
      probe_benchmark: toyland
      probe_prompts: 3
methods: {sft: {}, dpo: {beta: [0.1, 0.3]}, kto: {}, pro_s: {}}
grid_points: 2
seeds: [0, 1]
benchmarks: {toyland: {limit: 4, max_new_tokens: 6}}
select: {benchmark: toyland, metric: win_rate, title: Wins}
judge: {name: toyland-gold}
report:
  title: Tiny
  columns: [{benchmark: toyland, metric: win_rate, title: Wins}]
  length: {benchmark: toyland, metric: length, title: Words}
"""


@pytest.fixture(scope="module")
def raw() -> dict:
    """An experiment that takes a moment, as its YAML reads."""
    return yaml.safe_load(TINY)


@pytest.fixture(scope="module")
def experiment(raw) -> config.Experiment:
    return config.parse(raw)


@pytest.fixture(scope="module")
def setting(experiment) -> schema.Setting:
    return experiment.settings["small"]


@pytest.fixture(scope="module")
def folders(experiment, setting, tmp_path_factory):
    """The setting's folder in an empty place, with its data written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("results"))
        made = experiment.setting_folders()["small"]
        write_json(made.data_record, build(setting.data, made.data_record.parent))
        yield made
