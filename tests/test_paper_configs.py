"""config/paper and its twins in config/toyland: what is stated, what is shared, what differs.

Source of the stated values: appendix G of arXiv:2505.23316v2, and its tables where a test says so.
"""

import re
from fnmatch import fnmatch
from functools import cache
from typing import Any

import pytest
import yaml
from checkout import copied

from plumbline import chat, config
from plumbline.config import Experiment
from plumbline.data.views import classes
from plumbline.toyland.source import feedback
from plumbline.toyland.spec import WorldSpec

NAMES = ["table1", "table2", "table3", "appendix_h", "figure2", "figures4_5"]
TABLE_1 = ["sft", "dpo", "kto", "nca", "pro_p", "pro_b"]
#: What may differ in small: size and rows, where data lie, who judges, and how jobs are run.
SMALL = """
    experiment
    settings.*.data.source settings.*.data.path settings.*.data.limit*
    settings.*.model.* settings.*.pretrain settings.*.pretrain.* settings.*.sft.steps
    benchmarks.*.limit benchmarks.alpaca_eval_2.* benchmarks.lm_eval_tasks.data.*
    benchmarks.lm_eval_tasks.nltk_data benchmarks.mt_bench.questions
    benchmarks.mt_bench.references benchmarks.mt_bench.judge_prompts
    benchmarks.mt_bench.max_new_tokens
    judge.* report.stamp execution.*
""".split()
#: Sizes of the embedded world, whose rows stand in where no real ones are at hand.
WORLD = [f"settings.*.data.{name}" for name in WorldSpec.__dataclass_fields__ if name != "seed"]
ALPACA = ("reference", "official_reference", "length_calibration", "limit")


@pytest.fixture(scope="module")
def paper(repository):
    @cache
    def read(name: str, scale: str = "full") -> Experiment:
        text = (repository / "config" / "paper" / f"{name}.yaml").read_text()
        return config.parse(yaml.safe_load(text) | {"scale": scale})

    return read


@pytest.fixture(scope="module")
def twin(repository):
    return cache(lambda name: config.read(repository / "config" / "toyland" / f"{name}.yaml"))


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Every leaf by its dotted path."""
    if not isinstance(value, dict) or not value:
        return {path: value}
    parts = (flat(item, f"{path}.{key}".lstrip(".")) for key, item in value.items())
    return {key: leaf for part in parts for key, leaf in part.items()}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    return copied(tmp_path_factory.mktemp("paper") / "checkout")


@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_plans_in_full_without_network_and_models(checkout, paper, name, monkeypatch):
    """Any request would go to a proxy that is not there."""
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    said = checkout.snakemake("-n", "-q", "rules", "--configfile", f"config/paper/{name}.yaml")
    jobs = dict(re.findall(r"^(\S+) +(\d+)$", said, re.M))
    experiment = paper(name)
    runs = [
        run
        for folders in experiment.setting_folders().values()
        for method in experiment.methods
        for run in experiment.runs(folders, method)
    ]
    assert sum(int(count) for job, count in jobs.items() if job.startswith("align")) == len(runs)
    assert {"data", "sft", "aggregate", "report"} <= jobs.keys()


def test_an_experiment_plans_in_small(checkout):
    file = "config/paper/table1.yaml"
    said = checkout.snakemake("-n", "-q", "rules", "--configfile", file, "--config", "scale=smoke")
    assert re.search(r"^total +\d+", said, re.M)
    assert (checkout.folder / "results/experiments/paper_table1_smoke").is_dir()


@pytest.mark.parametrize("name", NAMES)
def test_small_differs_in_size_rows_and_places_only(paper, name):
    full, small = (flat(paper(name, scale).model_dump()) for scale in ("full", "smoke"))
    other = {key for key in full.keys() | small.keys() if full.get(key, ...) != small.get(key, ...)}
    embedded = [*SMALL, *(WORLD if name in ("table3", "figures4_5") else [])]
    assert {key for key in other if not any(fnmatch(key, each) for each in embedded)} <= {
        "settings.mistral.data.trace_end",
        "settings.mistral_two.data.trace_end",
    }
    assert {key.split(".")[2] for key in other if "alpaca_eval_2" in key} <= set(ALPACA)


MESSAGES = [
    {"role": "user", "content": "Why?"},
    {"role": "assistant", "content": "So."},
    {"role": "user", "content": "And?"},
]


@pytest.mark.parametrize("name", ["table1", "table3", "appendix_h", "figures4_5"])
def test_the_small_model_speaks_in_the_format_of_the_full_one(paper, name):
    """Source: the chat template of HuggingFaceH4's Zephyr models, rendered by hand."""
    expected = "<|user|>\nWhy?<eos>\n<|assistant|>\nSo.<eos>\n<|user|>\nAnd?<eos>\n"
    for setting in paper(name, "smoke").settings.values():
        assert chat.renderer(setting.model.chat_template)(MESSAGES) == expected
    for setting in paper(name).settings.values():
        assert setting.model.chat_template is None, "its own"


@pytest.mark.parametrize("name", ["table2", "figure2"])
def test_dialogues_read_alike_at_both_scales(paper, name):
    expected = "\n\nHuman:\nWhy?\n\nAssistant:\nSo.<eos>\n\nHuman:\nAnd?"
    for scale in ("full", "smoke"):
        for setting in paper(name, scale).settings.values():
            assert chat.renderer(setting.model.chat_template)(MESSAGES) == expected


@pytest.mark.parametrize("name", NAMES)
def test_stated_values_are_as_stated(paper, name):
    experiment = paper(name)
    for setting in experiment.settings.values():
        recipe = setting.align
        assert (recipe.learning_rate, recipe.warmup_steps, recipe.epochs) == (5e-7, 150, 1)
        assert recipe.batch.model_dump() == {"pairs": 32, "singles": 64, "lists": 32}
        assert (recipe.max_prompt_tokens, recipe.max_tokens) == (1024, 2048)
        if "pythia" in setting.model.path:
            fitted = setting.sft
            assert (fitted.data, fitted.batch, fitted.learning_rate) == ("chosen", 32, 5e-7)
        else:
            assert setting.sft is None, "aligned as it is"


def test_the_methods_and_points_of_the_tables(paper):
    """Tables 1, 2 and 3, and section 5.3 for KTO."""
    assert list(paper("table1").methods)[:6] == TABLE_1
    assert list(paper("appendix_h").methods) == list(paper("figure2").methods) == TABLE_1
    second = paper("table2")
    assert second.methods["pro_b"] == {"alpha": [2.5, 10, 17.5, 25], "beta": 0.003}
    assert second.methods["kto"]["beta"] == [0.03, 0.3, 3.0]
    assert [item.align.responses for item in paper("table3").settings.values()] == [4, 2]
    assert len(paper("appendix_h").options("lm_eval_tasks")["tasks"]) == 6


@pytest.mark.parametrize("scale", ["full", "smoke"])
def test_experiments_share_what_is_the_same(paper, scale):
    folders = {
        name: {folder.name for folder in paper(name, scale).setting_folders().values()}
        for name in NAMES
    }
    assert folders["table1"] == folders["appendix_h"]
    assert folders["figures4_5"] < folders["table3"]
    assert folders["figure2"] < folders["table2"]
    if scale == "full":
        assert folders["table1"] < folders["table3"]


@pytest.mark.parametrize("name", NAMES)
def test_what_was_assumed_and_what_was_not_run_is_said(repository, name):
    text = (repository / "config" / "paper" / f"{name}.yaml").read_text()
    assert text.count("ssumed") >= 5 and "tated" in text
    assert "not run here" in " ".join(text.replace("# ", "").split())


@pytest.mark.parametrize("name", NAMES)
def test_every_local_file_of_the_small_scale_is_there(paper, shared_data, name):
    leaves = flat(paper(name, "smoke").model_dump()).values()
    named = [leaf for leaf in leaves if isinstance(leaf, str) and leaf.startswith("../shared/data")]
    missing = [path for path in named if not (shared_data / path.split("data/", 1)[1]).exists()]
    assert not missing


# The twins


@pytest.mark.parametrize("name", NAMES)
def test_a_twin_has_the_quickstart_s_world_three_seeds_and_its_differences(twin, repository, name):
    quickstart = config.read(repository / "config" / "quickstart.yaml")
    assert twin(name).setting_folders()["toyland"] == quickstart.setting_folders()["toyland"]
    assert len(twin(name).seeds) >= 3 and len(twin(name).differences) >= 5


@pytest.mark.parametrize("name", NAMES)
def test_a_twin_compares_what_its_experiment_compares(twin, paper, name):
    assert list(twin(name).methods) == list(paper(name).methods)
    assert len(twin(name).settings) == len(paper(name).settings)
    assert (twin(name).report.cases is None) == (paper(name).report.cases is None)


@pytest.mark.parametrize("name", ["table1", "table3"])
def test_every_tournament_has_its_controls_at_one_point(twin, paper, name):
    for experiment in (twin(name), paper(name)):
        labels = {experiment.labels(method): method for method in experiment.methods if
                  method != "sft" and experiment.labels(method) != "given"}  # fmt: skip
        assert set(labels) == {"random", "flipped", "longer"}
        assert all(len(experiment.points(method)) == 1 for method in labels.values())


def test_the_classes_of_the_twin_weigh_one_to_one(twin):
    """The counts are those of the data that the setting makes."""
    rows = list(feedback(WorldSpec(pairs=9600), "train"))
    for name in ("desired_1_percent", "undesired_1_percent"):
        setting = twin("table2").settings[name]
        counts = classes(rows, 0, setting.data.keep.model_dump())
        weights = setting.align.class_weights.model_dump()
        total = {label: counts[label] * weights[label] for label in counts}
        assert total["desirable"] == pytest.approx(total["undesirable"], rel=1e-3)
        assert min(counts.values()) > 60, "enough to learn from"
