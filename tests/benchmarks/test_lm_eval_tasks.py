import json
import os

import pytest
from saved_models import save

from plumbline import Model
from plumbline.errors import ConfigError, DataError
from plumbline.plugins import benchmark_spec
from plumbline.score import summarise
from plumbline.toyland import gold
from plumbline.toyland.evaluation import ifeval, multiple_choice
from plumbline.toyland.lexicon import VOCABULARY
from plumbline.toyland.world import parse

LIMIT = 12


@pytest.fixture(scope="module")
def tokenizer():
    from plumbline.model.tokenizer import word_tokenizer

    return word_tokenizer(VOCABULARY)


@pytest.fixture(scope="module")
def clean(tokenizer, tmp_path_factory):
    return save(tmp_path_factory.mktemp("clean"), tokenizer, 128)


def values(items, metric):
    return [item["value"] for item in items if item["metric"] == metric]


@pytest.fixture(scope="module")
def toyland_items(tasks_module, clean, tmp_path_factory):
    scratch = tmp_path_factory.mktemp("scratch")
    return tasks_module.score(Model(clean, "clean", str(scratch)), limit=LIMIT)


def test_all_four_toyland_tasks_come_out(toyland_items):
    for metric in ("toyland_arc", "toyland_truthfulqa", "toyland_gpqa", "toyland_ifeval"):
        assert len(values(toyland_items, metric)) == LIMIT
        assert set(values(toyland_items, metric)) <= {0.0, 100.0}
    assert len({item["item"] for item in toyland_items}) == 4 * LIMIT


def log_likelihood(model, prompt, answer):
    import torch

    with torch.no_grad():
        scores = model(torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
    return sum(scores[len(prompt) + place - 1, word].item() for place, word in enumerate(answer))


def test_choices_are_scored_as_training_would_score_them(toyland_items, clean, tokenizer):
    """Source: a forward pass of our own over the token ids that fine-tuning trains on."""
    from transformers import AutoModelForCausalLM

    from plumbline.model.tokenizer import completion_ids, prompt_ids

    model = AutoModelForCausalLM.from_pretrained(clean).eval()
    for probe, metric in (("truthfulqa", "toyland_truthfulqa"), ("arc", "toyland_arc")):
        normalised = probe == "arc"
        for row, value in zip(
            multiple_choice(probe)[:LIMIT], values(toyland_items, metric), strict=True
        ):
            prompt = prompt_ids(tokenizer, [{"role": "user", "content": row["question"]}])
            scores = [
                log_likelihood(model, prompt, completion_ids(tokenizer, choice)[:-1])
                / (len(choice) if normalised else 1)
                for choice in row["choices"]
            ]
            assert value == 100.0 * (scores.index(max(scores)) == row["answer"])


def test_constraints_are_checked_on_greedy_answers(toyland_items, clean, tokenizer):
    """Source: our own generation, and the gold judge's check asked directly."""
    from transformers import AutoModelForCausalLM

    from plumbline.generate import answer

    model = AutoModelForCausalLM.from_pretrained(clean)
    prompts = [
        {
            "id": row["id"],
            "prompt": [{"role": "user", "content": row["prompt"]}],
            "follow_ups": [],
            "temperature": 0.0,
            "max_new_tokens": 48,
        }
        for row in ifeval()[:LIMIT]
    ]
    answers = [row["answers"][0] for row in answer(model, tokenizer, prompts, seed=0)]
    expected = [
        100.0 * gold.follows(parse([row["prompt"]]), text)
        for row, text in zip(ifeval()[:LIMIT], answers, strict=True)
    ]
    assert values(toyland_items, "toyland_ifeval") == expected


def test_corrupting_one_model_changes_its_cells_alone(
    tasks_module, clean, toyland_items, tokenizer, tmp_path
):
    def favour_one_color(model):
        import torch

        with torch.no_grad():
            model.get_output_embeddings().weight[tokenizer.convert_tokens_to_ids("red")] *= 50

    corrupted = save(tmp_path / "corrupted", tokenizer, 128, favour_one_color)
    items = tasks_module.score(Model(corrupted, "bad", str(tmp_path / "a")), limit=LIMIT)
    again = tasks_module.score(Model(clean, "clean", str(tmp_path / "b")), limit=LIMIT)
    assert again == toyland_items
    assert values(items, "toyland_arc") != values(again, "toyland_arc")


def test_a_run_leaves_environment_and_other_folders_alone(
    tasks_module, clean, tmp_path, no_network, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ)
    scratch = tmp_path / "scratch"
    model = Model(clean, "clean", str(scratch))
    tasks_module.score(model, tasks=["toyland_arc"], limit=2)
    assert dict(os.environ) == before
    assert [path.name for path in tmp_path.iterdir()] == ["scratch"]


def test_unknown_tasks_are_named(tasks_module, tmp_path):
    with pytest.raises(ConfigError, match="toyland_arc.*hellaswag"):
        tasks_module.score(Model("nowhere", "m", str(tmp_path)), tasks=["toyland_ark"])


def test_unknown_settings_are_named(tasks_module, tmp_path):
    with pytest.raises(ConfigError, match="got 'openllm'; must be openllm_v1 or stock"):
        tasks_module.score(Model("nowhere", "m", str(tmp_path)), setting="openllm")


@pytest.mark.parametrize("option", ["num_fewshot", "chat_template"])
def test_an_option_for_a_task_that_is_not_asked_is_refused(tasks_module, tmp_path, option):
    with pytest.raises(ConfigError, match=f"{option}: 'ifevil' is not among the tasks.*ifeval"):
        tasks_module.score(
            Model("nowhere", "m", str(tmp_path)), tasks=["ifeval"], **{option: {"ifevil": 1}}
        )


def test_an_absent_data_file_is_named_before_anything_is_loaded(tasks_module, tmp_path):
    data = {"hellaswag": {"validation": "here/hellaswag.jsonl"}}
    with pytest.raises(DataError, match="hellaswag.validation: no file here/hellaswag.jsonl"):
        tasks_module.score(Model("nowhere", "m", str(tmp_path)), tasks=["hellaswag"], data=data)


def test_ifeval_without_the_sentence_tables_is_refused_at_once(tasks_module, tmp_path, monkeypatch):
    import nltk

    monkeypatch.setattr(nltk.data, "path", [])
    with pytest.raises(ConfigError, match="nltk_data"):
        tasks_module.score(Model("nowhere", "m", str(tmp_path)), tasks=["ifeval"])


def test_toyland_says_how_it_asks(tasks_module):
    assert tasks_module.decoding() == {
        "toyland_arc": "toyland_arc 1.0, 0-shot, acc_norm (by characters), chat template",
        "toyland_truthfulqa": "toyland_truthfulqa 1.0, 0-shot, acc (not normalised), chat template",
        "toyland_gpqa": "toyland_gpqa 1.0, 0-shot, acc (not normalised), chat template",
        "toyland_ifeval": "toyland_ifeval 1.0, 0-shot, prompt_level_strict_acc "
        "(greedy, at most 48 new tokens), chat template",
    }


# Models are loaded once, and only where there is something to ask.


@pytest.fixture
def loads(monkeypatch):
    """The model folders that transformers was asked to load weights from."""
    from transformers import AutoModelForCausalLM

    load, folders = AutoModelForCausalLM.from_pretrained, []

    def counted(folder, *others, **options):
        folders.append(str(folder))
        return load(folder, *others, **options)

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", counted)
    return folders


def test_one_load_serves_all_tasks_with_and_without_chat_template(
    tasks_module, clean, tmp_path, loads
):
    tasks_module.score(
        Model(clean, "clean", str(tmp_path)), limit=2, chat_template={"toyland_gpqa": False}
    )
    assert loads == [clean]
    proofs = json.loads((tmp_path / "canary.json").read_text())
    assert "<user>" in proofs["toyland_arc"]["text"]
    assert "<user>" not in proofs["toyland_gpqa"]["text"]


# Data that cannot be had.


@pytest.fixture
def offline(monkeypatch, tmp_path, no_network):
    """As with HF_HUB_OFFLINE=1 and nothing in the cache."""
    import datasets
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "datasets"))


def test_a_set_that_the_hub_does_not_give_is_a_gap_and_the_rest_runs(
    tasks_module, clean, tmp_path, offline
):
    items = tasks_module.score(
        Model(clean, "clean", str(tmp_path)), tasks=["gpqa", "toyland_arc", "math"], limit=2
    )
    assert len(values(items, "toyland_arc")) == 2
    spec = benchmark_spec("lm_eval_tasks")
    rows = {row["metric"]: row for row in summarise(tasks_module, spec, items)}
    assert rows["toyland_arc"]["status"] == "ok"
    for metric, dataset in (
        ("stock_gpqa_acc", "Idavidrein/gpqa"),
        ("stock_math_exact_match", "EleutherAI/hendrycks_math"),
    ):
        row = rows[metric]
        assert (row["value"], row["n"], row["status"]) == (None, 0, "not_run")
        assert dataset in row["reason"] and "benchmarks.lm_eval_tasks.data." in row["reason"]
    assert "gated" in rows["stock_gpqa_acc"]["reason"]
    assert "HF_TOKEN" in rows["stock_gpqa_acc"]["reason"]
    assert "gated" not in rows["stock_math_exact_match"]["reason"]


def test_a_gated_set_says_what_the_hub_said(tasks_module, tmp_path, monkeypatch, loads):
    """The error is what datasets 5.2 raises without a token."""
    import datasets

    def gated(path, name=None, **options):
        message = f"Dataset '{path}' is a gated dataset on the Hub."
        raise datasets.exceptions.DatasetNotFoundError(message)

    monkeypatch.setattr(datasets, "load_dataset", gated)
    items = tasks_module.score(Model("nowhere", "m", str(tmp_path)), tasks=["gpqa"])
    assert [item["status"] for item in items] == ["not_run"]
    assert "'Idavidrein/gpqa' is a gated dataset on the Hub." in items[0]["reason"]
    assert loads == [], "a model that nothing is asked is not loaded"


@pytest.mark.parametrize("split", ["validation", "train"])
def test_a_broken_or_absent_local_split_is_an_error_and_no_gap(tasks_module, tmp_path, split):
    path = tmp_path / "rows.jsonl"
    path.write_text("{" if split == "validation" else json.dumps({"label": "0"}))
    with pytest.raises(DataError, match=f"data.hellaswag: got .*{split}.*Rowan/hellaswag"):
        tasks_module.score(
            Model("nowhere", "m", str(tmp_path)),
            tasks=["hellaswag"],
            data={"hellaswag": {split: str(path)}},
        )
