"""An experiment file is right, or every mistake in it is told at once and in words."""

import copy
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline import config
from plumbline.errors import ConfigError, IntegrityError
from plumbline.layout import point_name
from plumbline.plugins import BENCHMARKS, HOME, METHODS, names_in, read_method
from plumbline.schema import Prompts, grid

TEXT = """
experiment: trial
settings:
  small:
    data: {source: toyland, documents: 100, pairs: 50}
    model: {architecture: gpt_neox, hidden_size: 16, layers: 1, heads: 2, max_positions: 64,
            tokenizer: toyland}
    pretrain: {steps: 5, batch: 4, learning_rate: 0.004}
    sft: {data: demonstrations, steps: 5, batch: 4, learning_rate: 0.001}
    align: {learning_rate: 0.0003}
methods:
  sft: {}
  dpo: {beta: [0.1, 0.3]}
  pro_b: {beta: [0.1, 0.3], alpha: 2.5}
grid_points: 2
seeds: [0, 1]
benchmarks:
  toyland: {limit: 16}
select: {benchmark: toyland, metric: win_rate, title: Wins}
judge: {name: toyland-gold}
report:
  title: Trial
  columns: [{benchmark: toyland, metric: win_rate, title: Wins}]
  length: {benchmark: toyland, metric: length, title: Words}
"""
Raw = dict[str, Any]
CONFIG = Path(config.__file__).parent.parent / "config"
#: All but accelerate's files and those of claims.
FILES = sorted(
    path for path in CONFIG.rglob("*.yaml") if path.parent.name not in ("accelerate", "claims")
)


@pytest.fixture
def raw() -> Raw:
    return yaml.safe_load(TEXT)


@pytest.mark.parametrize("source", ["toyland_facts", "toyland_traces"])
def test_a_source_is_no_part_of_a_keys_path(raw, source) -> None:
    raw["settings"]["small"]["data"] = {"source": source, "documentz": 5}
    with pytest.raises(ConfigError, match=r"- settings\.small\.data\.documentz: unknown key"):
        config.parse(raw)


@pytest.mark.parametrize(("given", "found"), [({}, "</think>"), ({"trace_end": "So:"}, "So:")])
def test_an_experiment_file_says_what_ends_a_trace(raw, given, found) -> None:
    small = raw["settings"]["small"]
    small["data"] = {"source": "jsonl", "path": "mine.jsonl", **given}
    small["model"] |= {"tokenizer": "byte_bpe", "vocabulary": 300}
    assert config.parse(raw).settings["small"].data.trace_end == found
    small["data"]["trace_end"] = ""
    with pytest.raises(ConfigError, match=r"settings\.small\.data\.trace_end: .*, got ''"):
        config.parse(raw)


def edited(raw: Raw, path: str, value: Any) -> Raw:
    """A copy with the key at a dotted path set, or removed where the value is `...`."""
    raw = copy.deepcopy(raw)
    *folders, last = path.split(".")
    place = raw
    for key in folders:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return raw


def problems(raw: Raw) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config.parse(raw)
    first, *lines = str(caught.value).split("\n")
    assert first == f"config has {len(lines)} mistake(s):"
    assert all(line.startswith("  - ") for line in lines)
    return [line.removeprefix("  - ") for line in lines]


def test_the_example_is_right(raw):
    assert config.parse(raw).experiment == "trial"


def prompts(**given: object) -> dict:
    """A variant of DPO that learns from prompts which a reward chose."""
    return {"like": "dpo", "prompts": {"reward": "words"} | given}


#: path of the edited key, its new value, where the mistake is said to be, words of the sentence
MISTAKES = [
    # misspelt names: the nearest one that exists
    ("methods.dpoo", {}, "methods.dpoo: ", ["unknown method 'dpoo'", "mean 'dpo'", "known: "]),
    ("benchmarks.toylnd", {}, "benchmarks.toylnd: ", ["unknown benchmark", "mean 'toyland'"]),
    ("methods.dpo", {"betta": 0.1}, "methods.dpo.betta: ", ["hyperparameter", "mean 'beta'"]),
    ("benchmarks.toyland", {"limt": 3}, "benchmarks.toyland.limt: ", ["option", "mean 'limit'"]),
    ("grid_pionts", 2, "grid_pionts: ", ["unknown key", "mean 'grid_points'"]),
    ("settings.small.data.pair", 3, "settings.small.data.pair: ", ["unknown key", "'pairs'"]),
    ("settings.small.model.head", 2, "settings.small.model.head: ", ["unknown key", "'heads'"]),
    ("settings.small.sft.step", 2, "settings.small.sft.step: ", ["unknown key", "'steps'"]),
    ("settings.small.align.epoch", 2, "settings.small.align.epoch: ", ["unknown", "'epochs'"]),
    ("settings.small.data.source", "toylnd", "settings.small.data: ", ["'toylnd'", "'toyland'"]),
    # values out of range
    ("methods.dpo.beta", -0.1, "methods.dpo.beta ", ["> 0", "got -0.1"]),
    ("methods.dpo.beta", [0.1, 0], "methods.dpo.beta ", ["> 0", "got 0"]),
    ("methods.dpo.beta", float("nan"), "methods.dpo.beta ", ["> 0", "got nan"]),
    ("methods.dpo.beta", "high", "methods.dpo.beta ", ["a number", "got 'high'"]),
    ("methods.dpo.beta", True, "methods.dpo.beta ", ["a number", "got True"]),
    ("settings.small.align.learning_rate", -1, "settings.small.align.learning_rate: ", ["got -1"]),
    ("settings.small.data.constraints", 2.0, "settings.small.data.constraints: ", ["got 2.0"]),
    (
        "settings.small.data",
        {"source": "toyland_facts", "forget": 1.0},
        "settings.small.data.forget: ",
        ["less than 1", "got 1.0"],
    ),
    ("tested", "all", "tested: ", ["'selected' or 'grid'", "got 'all'"]),
    ("settings.small.align.epochs", 0, "settings.small.align.epochs: ", ["got 0"]),
    ("settings.small.align.responses", "four", "settings.small.align.responses: ", ["'four'"]),
    ("settings.small.model.heads", 3, "settings.small.model: ", ["heads: 3", "hidden_size: 16"]),
    ("judge.name", "gpt-4", "judge.name: ", ["'toyland-gold'", "got 'gpt-4'"]),
    ("experiment", "My trial", "experiment: ", ["got 'My trial'"]),
    # the grid
    ("methods.dpo.beta", [0.1, 0.2, 0.3], "methods.dpo.grid: ", ["3 points", "grid_points: 2"]),
    ("methods.dpo.beta", [], "methods.dpo.beta: ", ["empty"]),
    ("methods.dpo.beta", [0.1, "1e-1"], "methods.dpo.grid: ", ["beta=0.1 is listed twice"]),
    ("methods.sft", {"beta": 1}, "methods.sft: ", ["no hyperparameters", "'beta'"]),
    # variants of a method
    (
        "methods.v",
        {"like": "dpoo", "labels": "random"},
        "methods.v.like: ",
        ["mean 'dpo'", "known"],
    ),
    ("methods.v", {"like": "sft", "labels": "random"}, "methods.v.like: ", ["known: dpo, pro_b"]),
    ("methods.v", {"like": "v", "labels": "random"}, "methods.v.like: ", ["'v' is not a method"]),
    ("methods.v", {"like": "dpo", "labels": "rand"}, "methods.v.labels: ", ["mean 'random'"]),
    ("methods.v", {"like": "dpo", "labels": "win_rate"}, "methods.v.labels: ", ["lists", "pairs"]),
    ("methods.v", {"like": "dpo"}, "methods.v.like: ", ["this is dpo itself"]),
    ("methods.v", {"like": "dpo", "beta": [0.1, 0.3]}, "methods.v.like: ", ["this is dpo itself"]),
    ("methods.v", {"like": "dpo", "betta": 1}, "methods.v.betta: ", ["mean 'beta'"]),
    ("methods.v", {"like": "dpo", "beta": [1, 2, 3]}, "methods.v.grid: ", ["3 points"]),
    (
        "methods.v",
        {"like": "pro_b", "alpha": 0.5},
        "methods.v.alpha=0.5,beta=0.1: ",
        ["no optimum"],
    ),
    ("methods.V", {"like": "dpo", "labels": "random"}, "methods.V: ", ["lower-case letters"]),
    ("methods.kto", {"like": "dpo", "labels": "random"}, "methods.kto.like: ", ["another"]),
    ("methods.v", {"like": "dpo", "prompts": 3}, "methods.v.prompts: ", ["got 3"]),
    ("methods.v", {"like": "dpo", "prompts": None}, "methods.v.like: ", ["this is dpo itself"]),
    ("methods.v", {"like": "dpo", "prompts": {}}, "methods.v.prompts.reward: ", ["required"]),
    ("methods.v", prompts(rewards="model"), "methods.v.prompts.rewards: ", ["mean 'reward'"]),
    ("methods.v", prompts(reward="modle"), "methods.v.prompts.reward: ", ["'model'", "'modle'"]),
    ("methods.v", prompts(share=0), "methods.v.prompts.share: ", ["greater than 0", "got 0"]),
    ("methods.v", prompts(order="best"), "methods.v.prompts.order: ", ["'highest'", "'best'"]),
    ("methods.v", prompts() | {"like": "pro_b"}, "methods.v.prompts: ", ["pairs", "singles"]),
    ("methods.v", prompts() | {"labels": "random"}, "methods.v.labels: ", ["'random'", "remove"]),
    ("methods.dpo.prompts", {"reward": "head"}, "methods.dpo.prompts: ", ["{like: dpo, prompts"]),
    ("methods.dpo.labels", "flipped", "methods.dpo.labels: ", ["{like: dpo, labels: flipped}"]),
    ("methods.dpo.flip", 0.2, "methods.dpo.flip: ", ["{like: dpo, flip: 0.2}"]),
    ("methods.v", {"like": "dpo", "flip": 0.5}, "methods.v.flip: ", ["below 0.5, got 0.5"]),
    ("methods.v", {"like": "dpo", "flip": -0.1}, "methods.v.flip: ", ["from 0", "got -0.1"]),
    ("methods.v", {"like": "dpo", "flip": 0.0}, "methods.v.like: ", ["this is dpo itself"]),
    ("seeds", [], "seeds: ", ["at least 1"]),
    ("seeds", [0, 1, 0], "seeds: ", ["each seed once"]),
    # missing keys
    ("judge", ..., "judge: ", ["required, not given"]),
    ("settings.small.align.learning_rate", ..., "settings.small.align.learning_rate: ", ["requi"]),
    ("settings.small.model.layers", ..., "settings.small.model.layers: ", ["required, not given"]),
    # wrong types
    ("settings", [5], "settings: ", ["dictionary", "got [5]"]),
    ("settings.small", 5, "settings.small: ", ["dictionary", "got 5"]),
    ("methods.dpo", 0.1, "methods.dpo: ", ["dictionary", "got 0.1"]),
    ("seeds", "zero", "seeds: ", ["list", "got 'zero'"]),
    ("report.columns", 5, "report.columns: ", ["list", "got 5"]),
    ("report.columns", [5], "report.columns.0: ", ["dictionary", "got 5"]),
    ("method_paths", [5], "method_paths.0: ", ["string", "got 5"]),
    ("benchmarks.toyland", 5, "benchmarks.toyland: ", ["dictionary", "got 5"]),
    # numbers that a benchmark does not give
    ("select.metric", "winrate", "select.metric: ", ["no metric 'winrate'", "known: win_rate"]),
    ("select.metric", "length", "select.metric: ", ["length", "better"]),
    ("select.benchmark", "mt_bench", "select.benchmark: ", ["'mt_bench' is not one of"]),
    (
        "report.columns",
        [{"benchmark": "toyland", "metric": "won", "title": "Won"}],
        "report.columns[0].metric: ",
        ["no metric 'won'"],
    ),
    (
        "report.against",
        [{"benchmark": "toyland", "metric": "width", "title": "Width"}],
        "report.against[0].metric: ",
        ["no metric 'width'"],
    ),
    # recipes that could only fail later, inside a job
    (
        "execution",
        {"micro_batch": 5},
        "methods.dpo.pairs: ",
        ["execution.micro_batch: 5", "does not divide", "32"],
    ),
    (
        "settings.small.align.probe_benchmark",
        "toylnd",
        "settings.small.align.probe_benchmark: ",
        ["'toylnd' is not one of benchmarks"],
    ),
    (
        "settings.small.model.tokenizer",
        "byte_bpe",
        "settings.small.model: ",
        ["vocabulary", "byte_bpe"],
    ),
    ("settings.small.model", {"path": "some/model"}, "settings.small: ", ["pretrain", "remove"]),
    (
        "settings.small.data",
        {"source": "hh_rlhf", "path": "somewhere"},
        "settings.small: ",
        ["tokenizer", "byte_bpe"],
    ),
]


@pytest.mark.parametrize(("path", "value", "where", "words"), MISTAKES)
def test_a_mistake_is_told_where_it_is_and_not_as_several(raw, path, value, where, words):
    """Two lines at most: a micro-batch is wrong for two methods, a selection for two reasons."""
    found = problems(edited(raw, path, value))
    assert len(found) <= 2
    assert any(line.startswith(where) and all(word in line for word in words) for line in found)


@pytest.mark.parametrize("value", [None, 5, True, [1], {"a": 1}])
@pytest.mark.parametrize("key", ["like", "labels", "flip"])
def test_no_kind_of_like_labels_or_flip_is_a_traceback(raw, key, value):
    variant = {"like": "dpo", "labels": "random", key: value}
    [line] = problems(edited(raw, "methods.v", variant))
    assert line.startswith(f"methods.v.{key}: ") and repr(value) in line


def test_a_reward_without_a_recipe_is_a_mistake(raw):
    del raw["settings"]["small"]["sft"]
    config.parse(edited(raw, "methods.v", prompts()))
    [line] = problems(edited(raw, "methods.v", prompts(reward="model")))
    assert line.startswith("methods.v.prompts.reward: ") and "settings.small.sft" in line


def test_a_variant_is_of_a_method_and_not_of_a_variant(raw):
    raw["methods"] |= {"one": {"like": "dpo", "beta": 1}, "two": {"like": "one", "beta": 2}}
    [line] = problems(raw)
    assert line.startswith("methods.two.like: 'one' is not a method of this file")


def test_a_mistake_of_a_method_is_not_told_again_of_its_variants(raw):
    raw["methods"] |= {"dpo": {"betta": 1}, "v": {"like": "dpo", "labels": "random"}}
    [line] = problems(raw)
    assert line.startswith("methods.dpo.betta: ")


def test_a_misspelt_key_of_a_model_is_told_of_that_kind_of_model(raw):
    model = raw["settings"]["small"]["model"]
    model["hiden_size"] = model.pop("hidden_size")
    assert problems(raw) == [
        "settings.small.model.hidden_size: required, not given",
        "settings.small.model.hiden_size: unknown key; did you mean 'hidden_size'?",
    ]


def test_a_key_in_the_wrong_place_is_not_suggested_to_itself(raw):
    [line] = problems(edited(raw, "settings.small.align.methods", {}))
    assert "mean 'methods'" not in line


@pytest.mark.parametrize("value", [[1], "trial", 3])
def test_a_file_that_is_no_mapping(value, tmp_path):
    path = tmp_path / "trial.yaml"
    path.write_text(yaml.safe_dump(value))
    with pytest.raises(ConfigError, match="trial.yaml must be a mapping"):
        config.read(path)


def test_an_empty_file_lacks_every_key(tmp_path):
    (tmp_path / "trial.yaml").write_text("# nothing\n")
    with pytest.raises(ConfigError, match="experiment: required") as caught:
        config.read(tmp_path / "trial.yaml")
    assert all(f"- {key}: required" in str(caught.value) for key in ("methods", "seeds", "select"))


def test_no_file_and_no_yaml(tmp_path):
    with pytest.raises(ConfigError, match="no experiment file .*absent.yaml"):
        config.read(tmp_path / "absent.yaml")
    (tmp_path / "torn.yaml").write_text("experiment: {")
    with pytest.raises(ConfigError, match="torn.yaml is not YAML"):
        config.read(tmp_path / "torn.yaml")


def test_all_mistakes_are_told_at_once(raw):
    for path, value in {
        "methods.dpoo": {},
        "methods.pro_b.beta": -1,
        "benchmarks.toylnd": {},
        "select.metric": "winrate",
        "settings.small.align.epochs": "two",
        "gridpoints": 3,
        "judge": ...,
    }.items():
        raw = edited(raw, path, value)
    starts = "methods.dpoo methods.pro_b.beta benchmarks.toylnd select.metric".split()
    starts += ["settings.small.align.epochs", "gridpoints", "judge"]
    found = problems(raw)
    assert all(any(line.startswith(start) for line in found) for start in starts)
    assert len(found) == len(starts)


def test_the_message_does_not_depend_on_the_process(raw, tmp_path):
    """Sets of text are ordered differently in every process."""
    raw = edited(raw, "methods.dpo", {"alpa": 1, "betta": 1, "gama": 1, "delt": 1})
    raw = edited(raw, "benchmarks.toyland", {"limt": 1, "max_tokens": 1, "seed": 1})
    path = tmp_path / "trial.json"
    path.write_text(json.dumps(raw))
    code = (
        "import sys; from pathlib import Path; from plumbline import config\n"
        "try: config.read(Path(sys.argv[1]))\nexcept Exception as error: print(error)"
    )
    command = [sys.executable, "-c", code, str(path)]
    said = {
        subprocess.run(
            command, env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(said) == 1 and "alpa" in said.pop()


# Losses without an optimum


def lists_of(raw: Raw, responses: int, alpha: float) -> Raw:
    raw = edited(raw, "settings.small.align.responses", responses)
    return edited(raw, "methods", {"pro_s": {"beta": 0.1, "alpha": alpha}})


@pytest.mark.parametrize("responses", [2, 4, 8])
def test_an_alpha_without_optimum_is_refused_by_its_theorem(raw, responses):
    """Source: Theorem 4.2 of the paper at the worst scores: alpha > (N + 1)(N - 1) / N^2."""
    bound = (responses + 1) * (responses - 1) / responses**2
    [line] = problems(lists_of(raw, responses, bound - 1e-9))
    assert "no optimum" in line and "Theorem 4.2, arXiv:2505.23316v2" in line
    assert f"n = {responses}" in line and "setting small" in line and "allow_unbounded" in line
    config.parse(lists_of(raw, responses, bound + 1e-9))


def test_an_alpha_without_optimum_is_run_on_request(raw):
    raw = lists_of(raw, 4, 0.5)
    raw["allow_unbounded"] = True
    assert config.parse(raw).points("pro_s") == [{"beta": 0.1, "alpha": 0.5}]


def test_the_default_alpha_is_checked_too(raw):
    """pro_b at its default alpha has an optimum; the check reads defaults where none is given."""
    raw = edited(raw, "methods", {"pro_b": {}})
    assert config.parse(raw).points("pro_b") == [{}]


# Settings and their folders


def folder(raw: Raw) -> str:
    return config.parse(raw).setting_folders()["small"].name


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("settings.small.data.seed", 1),
        ("settings.small.data.length_bias", 0.0),
        ("settings.small.data.pairs", 51),
        ("settings.small.model.layers", 2),
        ("settings.small.model.seed", 1),
        ("settings.small.pretrain.steps", 6),
        ("settings.small.pretrain", ...),
        ("settings.small.sft.learning_rate", 0.002),
        ("settings.small.sft.data", "chosen"),
        ("settings.small.align.learning_rate", 0.0004),
        ("settings.small.align.batch", {"pairs": 16}),
        ("settings.small.align.max_grad_norm", 1.0),
        ("settings.small.align.precision", "bf16"),
        ("settings.small.align.adapter", {"rank": 4}),
    ],
)
def test_every_key_of_a_setting_changes_its_folder(raw, path, value):
    assert folder(edited(raw, path, value)) != folder(raw)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("execution", {"runs_per_job": 1, "models_per_job": 1, "threads_per_run": 4}),
        ("execution", {"base_threads": 1, "micro_batch": 8, "checkpoint_every": 7}),
        ("execution", {"processes": 2, "launcher": "fsdp2", "gradient_checkpointing": True}),
        ("experiment", "other"),
        ("methods", {"kto": {}}),
        ("seeds", [7]),
        ("grid_points", 9),
        ("benchmarks.toyland.limit", 8),
        ("report.title", "Other"),
        ("select.metric", "reward"),
        ("settings.small.data.seed", 0),  # said explicitly, as it is by default
    ],
)
def test_no_other_key_changes_it(raw, path, value):
    assert folder(edited(raw, path, value)) == folder(raw)


def test_spelling_does_not_change_a_folder(raw):
    same = edited(raw, "settings.small.align.learning_rate", "3e-4")
    same["settings"]["small"] = dict(reversed(same["settings"]["small"].items()))
    assert folder(same) == folder(raw)


def test_experiments_share_settings_and_keep_their_own_folders(raw):
    one, other = config.parse(raw), config.parse(edited(raw, "experiment", "other"))
    assert one.setting_folders() == other.setting_folders()
    assert one.folder.folder != other.folder.folder
    name = folder(raw)
    assert one.setting_at(name) == other.setting_at(name) == one.settings["small"]


def test_a_folder_of_no_setting_is_a_config_error(raw):
    with pytest.raises(ConfigError, match="no setting has the folder 'small'; known: small-"):
        config.parse(raw).setting_at("small")


def test_equal_settings_of_two_names_are_two_folders(raw):
    raw["settings"]["same"] = copy.deepcopy(raw["settings"]["small"])
    names = {item.name for item in config.parse(raw).setting_folders().values()}
    assert len(names) == 2 and len({name.rsplit("-", 1)[1] for name in names}) == 1


# What an experiment asks for


def test_runs_are_the_grid_times_the_seeds_and_sft_is_one(raw):
    experiment = config.parse(raw)
    setting = experiment.setting_folders()["small"]
    runs = [(run.point, run.seed) for run in experiment.runs(setting, "pro_b")]
    assert runs == [
        ("alpha=2.5,beta=0.1", 0),
        ("alpha=2.5,beta=0.1", 1),
        ("alpha=2.5,beta=0.3", 0),
        ("alpha=2.5,beta=0.3", 1),
    ]
    assert [(run.point, run.seed) for run in experiment.runs(setting, "sft")] == [("default", 0)]


def test_a_point_is_found_by_its_name(raw):
    experiment = config.parse(raw)
    assert experiment.point("pro_b", "alpha=2.5,beta=0.3") == {"beta": 0.3, "alpha": 2.5}
    assert experiment.point("sft", "default") == {}


def test_a_control_has_the_grid_and_the_loss_of_its_method(raw):
    raw["methods"]["random_labels"] = {"like": "pro_b", "labels": "random"}
    experiment = config.parse(raw)
    assert experiment.method("random_labels") == experiment.method("pro_b")
    assert experiment.points("random_labels") == experiment.points("pro_b")
    assert experiment.labels("random_labels") == "random"
    assert {experiment.labels(name) for name in ("sft", "dpo", "pro_b")} == {"given"}
    setting = experiment.setting_folders()["small"]
    [first, *_] = experiment.runs(setting, "random_labels")
    assert first == setting.run("random_labels", "alpha=2.5,beta=0.1", 0)


def test_a_variants_own_values_go_before(raw):
    """Rows of one class are few: their loss counts as often as there are more of the other."""
    raw["methods"]["balanced"] = {"like": "pro_b", "undesirable_weight": 99, "beta": 0.3}
    assert config.parse(raw).points("balanced") == [
        {"beta": 0.3, "alpha": 2.5, "undesirable_weight": 99}
    ]


def test_a_variant_says_which_prompts_it_learns_from(raw):
    raw["methods"]["tenth"] = prompts(share=0.1)
    experiment = config.parse(raw)
    assert experiment.prompts("tenth") == Prompts(reward="words", share=0.1, order="highest")
    assert [experiment.prompts(name) for name in ("sft", "dpo")] == [None, None]


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=4, unique=True))
def test_spelt_or_typed_numbers_are_one_grid(values):
    """YAML 1.1 reads 1e-1 as text."""
    typed = [point_name(point) for point in grid({"beta": values})]
    spelt = [point_name(point) for point in grid({"beta": [repr(item) for item in values]})]
    assert typed == spelt


def test_grid_is_every_combination_in_order():
    assert list(grid({"b": [1, 2], "a": 3, "c": [4, 5]})) == [
        {"b": 1, "a": 3, "c": 4},
        {"b": 1, "a": 3, "c": 5},
        {"b": 2, "a": 3, "c": 4},
        {"b": 2, "a": 3, "c": 5},
    ]


def test_benchmarks_of_a_split(raw):
    """On validation only those that select or are drawn, as others would cost and show too much."""
    raw["benchmarks"] |= {"mt_bench": None, "reference_kl": None}
    experiment = config.parse(raw)
    assert experiment.benchmarks_on("validation") == ["toyland"]
    assert experiment.benchmarks_on("test") == ["toyland", "mt_bench", "reference_kl"]
    raw["report"]["against"] = [{"benchmark": "reference_kl", "metric": "kl", "title": "KL"}]
    assert config.parse(raw).benchmarks_on("validation") == ["toyland", "reference_kl"]
    assert experiment.options("mt_bench") == {} and experiment.options("toyland") == {"limit": 16}


def test_what_is_drawn_must_score_validation(raw):
    raw["benchmarks"]["mt_bench"] = None
    column = {"benchmark": "mt_bench", "metric": "mt_bench", "title": "Score"}
    [line] = problems(edited(raw, "report.against", [column]))
    assert line == "report.against[0].benchmark: mt_bench cannot score validation"


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("data.length_bias", [0.015, 0.015, 0.015]),
        ("align.warmup_steps", [150, 150, 150]),
        ("flip", [None, 0.0, 0.2]),
        ("alpha", [None, 2.5, 2.5]),
    ],
)
def test_where_a_method_stands_on_the_axis_of_a_sweep(raw, key, values):
    raw["methods"]["noisy"] = {"like": "pro_b", "flip": 0.2}
    raw["report"]["sweep"] = {"key": key, "title": "Axis"}
    experiment = config.parse(raw)
    found = [
        experiment.swept("small", name, experiment.points(name)[0])
        for name in ("sft", "pro_b", "noisy")
    ]
    assert found == values


@pytest.mark.parametrize("key", ["data.lenght_bias", "data", "data.source", "gamma", ""])
def test_a_sweep_needs_a_number_somewhere(raw, key):
    raw["report"]["sweep"] = {"key": key, "title": "Axis"}
    [line] = problems(raw)
    assert line.startswith(f"report.sweep.key: no setting, method or variant has a number {key!r}")


def test_writing_keeps_the_experiment_once(raw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    experiment = config.parse(raw)
    path = experiment.write()
    stamp = path.stat().st_mtime_ns, path.stat().st_ino
    assert config.parse(raw).write() == path
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == stamp, "it was written again"
    assert config.read(path) == experiment
    other = config.parse(edited(raw, "seeds", [5])).write()
    assert other != path and path.is_file() and other.parent == path.parent


def test_a_method_of_the_users_own_folder(raw, tmp_path):
    source = (config.plugins.METHODS / "dpo.py").read_text()
    (tmp_path / "mine.py").write_text(source.replace("def dpo(", "def mine("))
    raw["methods"]["mine"] = {"beta": 0.2}
    [line] = problems(raw)
    assert "unknown method 'mine'" in line
    raw["method_paths"] = [str(tmp_path)]
    assert config.parse(raw).method("mine").path == tmp_path / "mine.py"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_experiments_that_ship_are_right(path):
    assert config.read(path).experiment


KEYS = [path for path, value, *_ in MISTAKES if value is not ...]
junk = st.none() | st.integers(-2, 2) | st.text(max_size=2) | st.just([]) | st.just({"a": [1]})


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.sampled_from(KEYS), junk, min_size=1, max_size=3))
def test_no_value_of_any_kind_is_a_traceback(changes):
    raw = yaml.safe_load(TEXT)
    for path, value in sorted(changes.items(), key=lambda item: -item[0].count(".")):
        raw = edited(raw, path, value)
    try:
        config.parse(raw)
    except ConfigError as error:
        assert "mistake(s)" in str(error)


SERVED = {"name": "vllm 0.9", "base_url": "http://127.0.0.1:8000/v1"}


def test_a_server_is_asked_for_each_runs_folder(raw):
    experiment = config.parse(edited(raw, "generation", SERVED))
    run = experiment.setting_folders()["small"].run("dpo", "beta=0.1", 0)
    assert experiment.generation.name_of(run, run.model) == str(run.model)
    assert experiment.generation.identity() == {"name": "vllm 0.9", "model": "{model}"}


def test_a_server_that_would_answer_for_two_runs_by_one_name_is_refused(raw):
    """One run of SFT, and of two methods two points by two seeds: 9 runs, 5 points."""
    [line] = problems(edited(raw, "generation", SERVED | {"model": "{method}-{point}"}))
    assert "generation.model: '{method}-{point}' gives 9 runs 5 name(s)" in line
    config.parse(edited(raw, "generation", SERVED | {"model": "{method}-{point}-{seed}"}))


@pytest.mark.parametrize("model", ["{run}", "{", "{method.x}", "{0}"])
def test_a_name_that_says_nothing_of_a_run_is_refused(raw, model):
    [line] = problems(edited(raw, "generation", SERVED | {"model": model}))
    assert "generation" in line and "{setting}, {method}, {point}, {seed}, {model}" in line


def test_given_models_stand_after_the_methods_with_one_point_and_one_seed(raw):
    experiment = config.parse(edited(raw, "models", {"other": {"path": "somewhere"}}))
    assert experiment.entrants == ["sft", "dpo", "pro_b", "other"]
    [run] = experiment.runs(experiment.setting_folders()["small"], "other")
    assert (run.point, run.seed) == ("default", 0)
    assert [experiment.is_trained(name) for name in experiment.entrants] == [0, 1, 1, 0]


def test_a_given_model_must_not_be_called_like_a_method(raw):
    [line] = problems(edited(raw, "models", {"dpo": {"path": "somewhere"}}))
    assert line == "models.dpo: a method has this name; give another"


SCALES = {
    "small": {
        "seeds": [7],
        "benchmarks": {"toyland": {"max_new_tokens": 4}},
        "settings": {"small": {"data": {"source": "toyland", "pairs": 9}, "sft": None}},
    }
}


def test_a_scale_puts_its_keys_into_the_file_s(raw):
    """Key by key, but data are replaced whole: `documents` falls back to its default."""
    found = config.parse({**raw, "scales": SCALES, "scale": "small"})
    assert (found.experiment, found.seeds) == ("trial_small", [7])
    assert found.options("toyland") == {"limit": 16, "max_new_tokens": 4}
    setting, full = found.settings["small"], config.parse(raw).settings["small"]
    assert (setting.data.pairs, setting.data.documents, setting.sft) == (9, 24000, None)
    assert (setting.model, setting.align) == (full.model, full.align)


def test_in_full_scales_say_nothing(raw):
    assert config.parse({**raw, "scales": SCALES}) == config.parse(raw)


def test_a_job_reads_a_scaled_experiment_as_it_was_parsed(raw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scaled = config.parse({**raw, "scales": SCALES, "scale": "small"})
    assert config.read(scaled.write()) == scaled


@pytest.mark.parametrize("scales", [{}, SCALES, None, {"smal": 3}])
def test_an_unknown_scale_names_those_that_there_are(raw, scales):
    with pytest.raises(ConfigError, match=r"scale: 'smal' is not one of scales; known: full"):
        config.parse({**raw, "scales": scales, "scale": "smal"})


def test_mistakes_of_a_scale_name_their_keys(raw):
    wrong = {"small": {"benchmarks": {"toyland": {"limt": 3}}}}
    with pytest.raises(ConfigError, match=r"benchmarks\.toyland\.limt: unknown option"):
        config.parse({**raw, "scales": wrong, "scale": "small"})


def test_cases_are_of_methods_and_metrics_that_there_are(raw):
    cases = {"benchmark": "toyland", "metric": "wins", "methods": ["dpo", "kto"]}
    lines = problems(edited(raw, "report.cases", cases))
    assert lines[0].startswith("report.cases.methods: 'kto' is not one of methods")
    assert lines[1].startswith("report.cases.metric: toyland has no metric 'wins'")


def test_cases_need_answers(raw):
    raw["benchmarks"]["lm_eval_tasks"] = {}
    cases = {"benchmark": "lm_eval_tasks", "metric": "toyland_arc", "methods": ["dpo"]}
    [line] = problems(edited(raw, "report.cases", cases))
    assert line.startswith("report.cases.benchmark: lm_eval_tasks reads no answers")


def test_words_have_no_other_template(raw):
    [line] = problems(edited(raw, "settings.small.model.chat_template", "{{ messages }}"))
    assert line.startswith("settings.small.model: chat_template: ") and "byte_bpe" in line


def test_the_zoo_has_every_method_but_those_of_other_data():
    """Unlearning has facts of its own, BVPO traces; their own files name them."""
    specs = {path.stem: read_method(path) for path in names_in(METHODS)}
    elsewhere = {
        name
        for name, spec in specs.items()
        if "unlearning" in spec.card.axes or "traceless" in spec.card.needs
    }
    zoo = config.read(CONFIG / "zoo.yaml")
    assert set(zoo.methods) == {"sft", *specs} - elsewhere
    assert all(zoo.points(name) == [{}] for name in zoo.methods), "one point each, the defaults"
    files = [CONFIG / "toyland" / name for name in ("unlearning.yaml", "traces.yaml")]
    assert elsewhere <= {name for path in files for name in config.read(path).methods}


# Experiments of an archive


@pytest.fixture
def home(tmp_path) -> Path:
    """The methods and benchmarks of an archive: DPO with a title of its own, Toyland."""
    for folder in ("losses", "benchmarks"):
        (tmp_path / folder).mkdir()
    shutil.copy(BENCHMARKS / "toyland.py", tmp_path / "benchmarks")
    text = (METHODS / "dpo.py").read_text().replace('title="DPO"', 'title="Theirs"')
    (tmp_path / "losses/dpo.py").write_text(text)
    return tmp_path


def small(**changes) -> dict:
    """The smallest experiment, as an archive may have it."""
    raw = yaml.safe_load((HOME / "config/test.yaml").read_text())
    raw |= {"methods": {"sft": {}, "dpo": {"beta": 0.1}}, "benchmarks": {"toyland": {}}}
    return raw | changes


def test_an_archives_methods_are_its_own(home):
    found = config.archived(small(), home)
    assert found.method("dpo").card.title == "Theirs"
    assert found.method("dpo").path == home / "losses/dpo.py"
    assert found.benchmark("toyland").path == home / "benchmarks/toyland.py"


def test_nothing_of_an_archive_is_run(home, tmp_path):
    """A method's `optimum` is an expression, and a method's file is code."""
    mark = tmp_path / "it was run"
    evil = f"[c for c in ().__class__.__base__.__subclasses__()] and open({str(mark)!r}, 'w')"
    path = home / "losses/dpo.py"
    text = path.read_text().replace('title="Theirs"', f'title="Theirs", optimum="{evil}"')
    path.write_text(f"open({str(mark)!r}, 'w')\n{text}")
    assert evil in config.archived(small(), home).method("dpo").card.optimum
    assert not mark.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"methods": {"../dpo": {}}},
        {"methods": {"mine": {"like": "../../dpo", "beta": 0.1}}},
        {"benchmarks": {"/etc/passwd": {}}},
        {"methods": {"kto": {}}},
        {"experiment": "../../out"},
        {"methods": {"dpo": 3}},
        {"settings": {"../small": small()["settings"]["small"]}},
    ],
)
def test_a_name_of_an_archive_is_no_path(changes, home):
    with pytest.raises(IntegrityError, match="the archive's experiment"):
        config.archived(small(**changes), home)


@pytest.mark.parametrize("raw", [None, [], "text", {}])
def test_an_archive_without_an_experiment_is_refused(raw, home):
    with pytest.raises(IntegrityError, match="the archive's experiment"):
        config.archived(raw, home)
