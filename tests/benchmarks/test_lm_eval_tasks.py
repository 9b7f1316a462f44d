import json
import os
import socket

import pytest

from plumbline import Model
from plumbline.errors import ConfigError, DataError
from plumbline.score import means
from plumbline.toyland import gold
from plumbline.toyland.evaluation import ifeval, multiple_choice
from plumbline.toyland.lexicon import VOCABULARY
from plumbline.toyland.world import parse

LIMIT = 12


@pytest.fixture(scope="module")
def tasks_module(module):
    return module("lm_eval_tasks")


def save(folder, tokenizer, positions, corrupt=lambda model: None):
    """A tiny random model in a Hugging Face folder."""
    import torch
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    torch.manual_seed(0)
    model = GPTNeoXForCausalLM(
        GPTNeoXConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=positions,
            bos_token_id=tokenizer.eos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            initializer_range=0.5,
        )
    )
    corrupt(model)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def tokenizer():
    from plumbline.model.tokenizer import word_tokenizer

    return word_tokenizer(VOCABULARY)


@pytest.fixture(scope="module")
def clean(tokenizer, tmp_path_factory):
    return save(tmp_path_factory.mktemp("clean"), tokenizer, 128)


@pytest.fixture
def no_network(monkeypatch):
    """Any connection but to this machine fails."""
    connect = socket.socket.connect

    def local_only(self, address):
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1"):
            raise AssertionError(f"asked the network: {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)


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
    with pytest.raises(ConfigError, match="toyland_arc"):
        tasks_module.score(Model("nowhere", "m", str(tmp_path)), tasks=["toyland_ark"])


def test_every_task_file_reports_declared_metrics(tasks_module):
    declared = {metric.name for metric in tasks_module.score.card.metrics}
    reported = [
        name
        for path in tasks_module.TASKS.glob("*.yaml")
        for name in tasks_module._metadata(path.stem)["reports"].values()
    ]
    assert sorted(reported) == sorted(declared)


# The rest runs lm-eval's own tasks on real data.


@pytest.fixture(scope="module")
def speller(tmp_path_factory):
    """A tiny random model that can spell any text."""
    from plumbline.model.tokenizer import byte_bpe

    return save(tmp_path_factory.mktemp("speller"), byte_bpe(["Question: Answer:"], 300), 8192)


def real(tasks_module, speller, tmp_path, task, files, **options):
    return tasks_module.score(
        Model(speller, "speller", str(tmp_path)),
        tasks=[task],
        data={task: {split: str(path) for split, path in files.items()}},
        limit=2,
        max_gen_toks=4,
        **options,
    )


@pytest.mark.parametrize(
    ("task", "splits", "file", "metrics"),
    [
        ("truthfulqa_mc1", ["validation"], "truthfulqa/mc_validation.jsonl", 1),
        ("truthfulqa_mc2", ["validation"], "truthfulqa/mc_validation.jsonl", 1),
        ("hellaswag", ["train", "validation"], "hellaswag/val_first2000.jsonl", 2),
        ("math", ["test"], "math500/test.jsonl", 1),
    ],
)
def test_lm_eval_own_tasks_run_on_local_files(
    tasks_module, speller, tmp_path, shared_data, no_network, task, splits, file, metrics
):
    files = dict.fromkeys(splits, shared_data / file)
    items = real(tasks_module, speller, tmp_path, task, files)
    summary = means(items)
    assert len(summary) == metrics
    assert all(row["n"] == 2 and 0 <= row["value"] <= 100 for row in summary)


def test_ifeval_runs_with_the_sentence_tables(
    tasks_module, speller, tmp_path, shared_data, no_network
):
    files = {"train": shared_data / "ifeval" / "input_data.jsonl"}
    tables = str(shared_data / "nltk_data")
    items = real(tasks_module, speller, tmp_path, "ifeval", files, nltk_data=tables)
    assert [row["metric"] for row in means(items)] == ["ifeval_prompt_strict"]


def test_ifeval_without_the_sentence_tables_is_refused_at_once(tasks_module, tmp_path, monkeypatch):
    import nltk

    monkeypatch.setattr(nltk.data, "path", [])
    with pytest.raises(ConfigError, match="nltk_data"):
        tasks_module.score(Model("nowhere", "m", str(tmp_path)), tasks=["ifeval"])


def test_an_absent_data_file_is_named_before_anything_is_loaded(tasks_module, tmp_path):
    data = {"hellaswag": {"validation": "here/hellaswag.jsonl"}}
    with pytest.raises(DataError, match="hellaswag.validation: no file here/hellaswag.jsonl"):
        tasks_module.score(Model("nowhere", "m", str(tmp_path)), tasks=["hellaswag"], data=data)


# Rows in the published layouts, written by hand: neither data set may be passed on.
ARC_ROW = {
    "question": "Which one is a color?",
    "choices": {"text": ["red", "run", "two", "hat"], "label": ["A", "B", "C", "D"]},
    "answerKey": "A",
}
GPQA_ROW = {
    "Question": " What is two and two?",
    "Correct Answer": "four",
    "Incorrect Answer 1": "five",
    "Incorrect Answer 2": "six",
    "Incorrect Answer 3": "seven",
}


@pytest.mark.parametrize(
    ("task", "row", "splits"),
    [
        ("arc_challenge", ARC_ROW, ["train", "validation", "test"]),
        ("gpqa", GPQA_ROW, ["train"]),
    ],
)
def test_arc_and_gpqa_run_on_rows_of_their_layout(
    tasks_module, speller, tmp_path, no_network, task, row, splits
):
    path = tmp_path / "rows.jsonl"
    path.write_text((json.dumps(row) + "\n") * 4)
    items = real(
        tasks_module, speller, tmp_path, task, dict.fromkeys(splits, path), num_fewshot={task: 1}
    )
    assert {row["metric"] for row in means(items)} == {f"{task}_acc", f"{task}_acc_norm"}
