"""The two settings of the literature's tasks: what they promise, read through lm-eval, and runs.

Data are real where they may be passed on (`shared_data`), else rows in the published layouts,
written by hand.
"""

import gzip
import json
import random
from dataclasses import fields
from pathlib import Path
from random import Random

import pytest
from saved_models import save

from plumbline import Model
from plumbline.score import means

SETTINGS = ("stock", "openllm_v1")
TASKS = ("arc_challenge", "hellaswag", "truthfulqa", "ifeval", "gpqa", "math")
SUBJECTS = [
    "algebra",
    "counting_and_probability",
    "geometry",
    "intermediate_algebra",
    "number_theory",
    "prealgebra",
    "precalculus",
]

#: What each setting promises. Source: the paper's decimals (stock) and the Open LLM Leaderboard
#: (openllm_v1): data set and its parts, split that is scored, shots, lm-eval's metric.
PROMISED = {
    ("stock", "arc_challenge"): ("allenai/ai2_arc", ["ARC-Challenge"], "test", 0, "acc"),
    ("stock", "hellaswag"): ("Rowan/hellaswag", [None], "validation", 0, "acc"),
    ("stock", "truthfulqa"): (
        *("truthfulqa/truthful_qa", ["multiple_choice"]),
        *("validation", 0, "acc"),
    ),
    ("stock", "ifeval"): ("google/IFEval", [None], "train", 0, "prompt_level_strict_acc"),
    ("stock", "gpqa"): ("Idavidrein/gpqa", ["gpqa_main"], "train", 0, "acc"),
    ("stock", "math"): ("EleutherAI/hendrycks_math", SUBJECTS, "test", 0, "exact_match"),
    ("openllm_v1", "arc_challenge"): (
        *("allenai/ai2_arc", ["ARC-Challenge"]),
        *("test", 25, "acc_norm"),
    ),
    ("openllm_v1", "hellaswag"): ("Rowan/hellaswag", [None], "validation", 10, "acc_norm"),
    ("openllm_v1", "truthfulqa"): (
        *("truthfulqa/truthful_qa", ["multiple_choice"]),
        *("validation", 0, "acc"),
    ),
    ("openllm_v1", "ifeval"): ("google/IFEval", [None], "train", 0, "prompt_level_strict_acc"),
    ("openllm_v1", "gpqa"): ("Idavidrein/gpqa", ["gpqa_main"], "train", 0, "acc_norm"),
    ("openllm_v1", "math"): ("EleutherAI/hendrycks_math", SUBJECTS, "test", 4, "exact_match"),
}
EVERY = pytest.mark.parametrize(("setting", "task"), PROMISED)

ROWS = {
    "allenai/ai2_arc": {
        "question": "Which one is a color?",
        "choices": {"text": ["red", "run", "two", "hat"], "label": ["A", "B", "C", "D"]},
        "answerKey": "A",
    },
    "Rowan/hellaswag": {
        "activity_label": "Walking",
        "ctx": "A man walks. he",
        "ctx_a": "A man walks.",
        "ctx_b": "he",
        "endings": ["stops.", "flies.", "is a hat.", "was."],
        "label": "0",
    },
    "truthfulqa/truthful_qa": {
        "question": "Is it so?",
        "mc1_targets": {"choices": ["No.", "Yes."], "labels": [1, 0]},
        "mc2_targets": {"choices": ["No.", "Not so.", "Yes."], "labels": [1, 1, 0]},
    },
    "google/IFEval": {
        "key": 1,
        "prompt": "Use no commas.",
        "instruction_id_list": ["punctuation:no_comma"],
        "kwargs": [{}],
    },
    "Idavidrein/gpqa": {
        "Question": "What is two and two?",
        "Correct Answer": "four",
        "Incorrect Answer 1": "five",
        "Incorrect Answer 2": "six",
        "Incorrect Answer 3": "seven",
    },
    "EleutherAI/hendrycks_math": {
        "problem": "What is 1 + 1?",
        "solution": r"It is $\boxed{2}$.",
    },
}
#: The column whose text makes the rows differ.
TEXT = {"allenai/ai2_arc": "question", "Rowan/hellaswag": "ctx_a", "Idavidrein/gpqa": "Question"}


def rows(dataset: str, count: int) -> list[dict]:
    """Rows of a data set in the hub's layout, no two alike where shots are drawn from them."""
    text = TEXT.get(dataset)
    return [
        ROWS[dataset] | ({text: f"{ROWS[dataset][text]} {number}"} if text else {})
        for number in range(count)
    ]


@pytest.fixture
def hub(monkeypatch, no_network):
    """A hub with thirty rows in each split of each data set; what it was asked for."""
    import datasets

    asked = []

    def load_dataset(path, name=None, **options):
        assert options == {}
        asked.append((path, name))
        made = datasets.Dataset.from_list(rows(path, 30))
        return datasets.DatasetDict(dict.fromkeys(("train", "validation", "test"), made))

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return asked


@pytest.fixture
def loaded(tasks_module, tmp_path):
    """lm-eval's task objects of one of our tasks, as `score` makes them."""

    def load(setting, task, files=None, **options):
        [asked] = tasks_module._asked(setting, [task], options.get("num_fewshot"), None)
        return tasks_module._parts(asked, files, tmp_path / setting)

    return load


@EVERY
def test_every_task_asks_what_its_setting_promises(loaded, hub, setting, task):
    dataset, parts, split, shots, metric = PROMISED[setting, task]
    objects = loaded(setting, task)
    assert hub == [(dataset, part) for part in parts]
    for found in objects:
        assert (found.config.test_split or found.config.validation_split) == split
        assert found.config.num_fewshot == shots
        assert metric in found.aggregation()


#: The column that a document's question stands in, where it is not the usual one.
ASKED = {"gpqa": "Question", "hellaswag": "ctx", "ifeval": "prompt", "math": "problem"}


@EVERY
def test_every_document_says_what_it_asks(tasks_module, loaded, hub, setting, task):
    """As it stands in the published row: contamination is looked for by it."""
    row = ROWS[PROMISED[setting, task][0]]
    asked = {
        tasks_module._text(document)
        for found in loaded(setting, task)
        for document in found.eval_docs
    }
    assert all(text.startswith(row[ASKED.get(task, "question")]) for text in asked)


def stock_files(tasks_module, setting, task):
    import lm_eval.tasks

    folder = Path(lm_eval.tasks.__file__).parent
    [asked] = tasks_module._asked(setting, [task], None, None)
    return [str(folder / name) for name in asked.about["stock"]]


#: What a setting decides; everything else of a task is lm-eval's.
OURS = {"task", "num_fewshot", "fewshot_split", "fewshot_config", "metadata", "tag"}


@EVERY
def test_prompt_and_scoring_are_lm_evals_own(tasks_module, loaded, hub, setting, task):
    """Held against lm-eval's task objects of the stock files, field by field."""
    from lm_eval.tasks import TaskManager

    files = stock_files(tasks_module, setting, task)
    theirs = TaskManager(include_defaults=False).load(files)["tasks"].values()
    ours = loaded(setting, task)
    [asked] = tasks_module._asked(setting, [task], None, None)
    assert len(ours) == len(theirs)
    for mine, stock in zip(ours, theirs, strict=True):
        for field in fields(stock.config):
            if field.name not in OURS:
                assert mine.config[field.name] == stock.config[field.name], field.name
        assert asked.about["version"] == stock.VERSION


@pytest.mark.parametrize("task", ["arc_challenge", "hellaswag"])
def test_shots_come_from_the_training_split(loaded, hub, task):
    """As in lm-eval's own benchmarks/openllm.yaml."""
    [found] = loaded("openllm_v1", task)
    assert found.fewshot_cfg.split == "train"
    assert len(found.sampler.fewshot_docs()) == 30


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("task", ["ifeval", "math"])
def test_the_limit_of_written_tokens_is_lm_evals(tasks_module, loaded, hub, setting, task):
    from lm_eval.models.huggingface import HFLM

    default = HFLM.max_gen_toks.fget(None)
    [asked] = tasks_module._asked(setting, [task], None, None)
    for found in loaded(setting, task):
        used = found.config.generation_kwargs.get("max_gen_toks", default)
        assert asked.about["max_gen_toks"] == used
        assert not found.config.generation_kwargs["do_sample"]


def test_no_setting_uses_the_chat_template(tasks_module):
    for setting in SETTINGS:
        asked = tasks_module._asked(setting, list(TASKS), None, None)
        assert [task.name for task in asked if task.templated] == []


def test_task_files_and_declared_metrics_belong_together(tasks_module):
    """A metric's name begins with its folder's, so no two settings share a column."""
    declared = {metric.name for metric in tasks_module.score.card.metrics}
    reported = {}
    for path in tasks_module.TASKS.glob("*/*.yaml"):
        for name in tasks_module._read(path)["metadata"]["reports"].values():
            assert name.startswith(path.parent.name + "_") and name not in reported
            reported[name] = path
    assert reported.keys() == declared
    assert {(path.parent.name, path.stem) for path in reported.values()} >= PROMISED.keys()


def test_rows_say_version_shots_metric_normalisation_and_template(tasks_module):
    """Written by hand from lm-eval 0.4.13's task files."""
    assert tasks_module.decoding(setting="stock", tasks=list(TASKS)) == {
        "stock_arc_challenge_acc": "arc_challenge 1.0, 0-shot, acc (not normalised), "
        "no chat template",
        "stock_hellaswag_acc": "hellaswag 1.0, 0-shot, acc (not normalised), no chat template",
        "stock_truthfulqa_mc1": "truthfulqa_mc1 2.0, 0-shot, acc (not normalised), "
        "no chat template",
        "stock_ifeval_prompt_strict": "ifeval 4.0, 0-shot, prompt_level_strict_acc "
        "(greedy, at most 1280 new tokens), no chat template",
        "stock_gpqa_acc": "gpqa_main_zeroshot 2.2, 0-shot, acc (not normalised), no chat template",
        "stock_math_exact_match": "hendrycks_math 1.0, 0-shot, exact_match "
        "(greedy, at most 256 new tokens), no chat template",
    }
    told = tasks_module.decoding(setting="openllm_v1", tasks=["arc_challenge", "truthfulqa"])
    assert told == {
        "openllm_v1_arc_challenge_acc_norm": "arc_challenge 1.0, 25-shot, acc_norm "
        "(by characters), no chat template",
        "openllm_v1_truthfulqa_mc2": "truthfulqa_mc2 3.0, 0-shot, acc (over all answers), "
        "no chat template",
    }


def test_rows_say_what_the_options_changed(tasks_module):
    told = tasks_module.decoding(
        tasks=["ifeval", "arc_challenge"],
        chat_template={"ifeval": True},
        num_fewshot={"arc_challenge": 5},
        max_gen_toks=32,
    )
    assert told == {
        "stock_ifeval_prompt_strict": "ifeval 4.0, 0-shot, prompt_level_strict_acc "
        "(greedy, at most 32 new tokens), chat template",
        "stock_arc_challenge_acc": "arc_challenge 1.0, 5-shot, acc (not normalised), "
        "no chat template",
    }


def test_choices_of_gpqa_are_shuffled_alike_whatever_came_before(loaded, tmp_path):
    """lm-eval shuffles them by Python's global generator while it loads the set, and seeds that
    with 0. Source: the shuffle of 0.4.13's gpqa/zeroshot/utils.py, written again here."""
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows("Idavidrein/gpqa", 30)))
    generator, expected = Random(0), []
    for row in rows("Idavidrein/gpqa", 30):
        choices = [row[f"Incorrect Answer {number}"] for number in (1, 2, 3)]
        choices.append(row["Correct Answer"])
        generator.shuffle(choices)
        expected.append(choices)
    random.seed(7)
    [found] = loaded("stock", "gpqa", {"train": str(path)})
    asked = [[doc[f"choice{number}"] for number in (1, 2, 3, 4)] for doc in found.eval_docs]
    assert asked == expected


# Real data


@pytest.fixture
def full_hellaswag(shared_data, tmp_path):
    path = tmp_path / "hellaswag.jsonl"
    path.write_bytes(gzip.decompress((shared_data / "hellaswag/val_full.jsonl.gz").read_bytes()))
    return path


@pytest.mark.parametrize(
    ("task", "split", "file", "count"),
    [
        ("truthfulqa", "validation", "truthfulqa/mc_validation.jsonl", 817),
        ("hellaswag", "validation", "hellaswag/val_first2000.jsonl", 2000),
        ("ifeval", "train", "ifeval/input_data.jsonl", 541),
        ("math", "test", "math500/test.jsonl", 500),
    ],
)
def test_every_document_of_a_local_file_is_asked(loaded, shared_data, task, split, file, count):
    """One file for each task: with no shots, the split that is scored is enough."""
    [found] = loaded("stock", task, {split: str(shared_data / file)})
    assert len(found.eval_docs) == count


def test_hellaswag_has_the_papers_number_of_rows(loaded, full_hellaswag):
    [found] = loaded("stock", "hellaswag", {"validation": str(full_hellaswag)})
    assert len(found.eval_docs) == 10042


ANSWERS = {
    "stock": "${}$",
    "openllm_v1": "Final Answer: The final answer is ${}$. I hope it is correct.",
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_math_answers_are_checked_offline(loaded, shared_data, no_network, setting):
    """Source: MATH-500's own answers, in the form that the setting's prompt asks for."""
    path = shared_data / "math500/test.jsonl"
    [found] = loaded(setting, "math", {"test": str(path)})
    answers = [json.loads(line)["answer"] for line in path.read_text().splitlines()[:25]]
    for doc, answer in zip(found.eval_docs, answers, strict=False):
        right = found.process_results(doc, [ANSWERS[setting].format(answer)])
        wrong = found.process_results(doc, [ANSWERS[setting].format("-123456789")])
        assert (right["exact_match"], wrong["exact_match"]) == (1, 0), answer


@pytest.fixture(scope="module")
def speller(tmp_path_factory):
    """A tiny random model that can spell any text."""
    from plumbline.model.tokenizer import byte_bpe

    return save(tmp_path_factory.mktemp("speller"), byte_bpe(["Question: Answer:"], 300), 16384)


@pytest.fixture
def run(tasks_module, speller, tmp_path, no_network):
    """Score two documents of each task on local files: means by metric, first prompts by task."""

    def score(setting, data, **options):
        items = tasks_module.score(
            Model(speller, "speller", str(tmp_path)),
            setting=setting,
            tasks=list(data),
            data={
                task: {split: str(path) for split, path in files.items()}
                for task, files in data.items()
            },
            limit=2,
            max_gen_toks=4,
            **options,
        )
        proofs = json.loads((tmp_path / "canary.json").read_text())
        prompts = {task: proof["text"] for task, proof in proofs.items()}
        return {row["metric"]: row for row in means(items)}, prompts

    return score


def real_files(shared_data) -> dict[str, dict[str, Path]]:
    hellaswag = shared_data / "hellaswag/val_first2000.jsonl"
    return {
        "hellaswag": {"train": hellaswag, "validation": hellaswag},  # shots, and questions
        "truthfulqa": {"validation": shared_data / "truthfulqa/mc_validation.jsonl"},
        "ifeval": {"train": shared_data / "ifeval/input_data.jsonl"},
        "math": {"test": shared_data / "math500/test.jsonl"},
    }


@pytest.mark.parametrize(
    ("setting", "metrics", "shots"),
    [
        ("stock", {"hellaswag_acc", "truthfulqa_mc1"}, (0, 0)),
        ("openllm_v1", {"hellaswag_acc_norm", "truthfulqa_mc2"}, (10, 4)),
    ],
)
def test_real_data_run_in_both_settings(run, shared_data, setting, metrics, shots):
    found, prompts = run(setting, real_files(shared_data), nltk_data=str(shared_data / "nltk_data"))
    metrics = metrics | {"ifeval_prompt_strict", "math_exact_match"}
    assert found.keys() == {f"{setting}_{metric}" for metric in metrics}
    assert all(row["n"] == 2 and 0 <= row["value"] <= 100 for row in found.values())
    assert prompts["hellaswag"].count("\n\n") == shots[0]
    assert prompts["math"].count("Problem:") == 1 + shots[1]


def test_the_chat_template_is_used_where_the_options_say_so(run, shared_data):
    files = {"ifeval": real_files(shared_data)["ifeval"]}
    tables = str(shared_data / "nltk_data")
    _, bare = run("stock", files, nltk_data=tables)
    _, templated = run("stock", files, nltk_data=tables, chat_template={"ifeval": True})
    first = json.loads(files["ifeval"]["train"].read_text().splitlines()[0])["prompt"]
    assert bare["ifeval"] == first
    assert first in templated["ifeval"] and templated["ifeval"] != first


@pytest.mark.parametrize(
    ("setting", "metrics", "shots"),
    [
        ("stock", {"arc_challenge_acc", "gpqa_acc"}, 0),
        ("openllm_v1", {"arc_challenge_acc_norm", "gpqa_acc_norm"}, 25),
    ],
)
def test_arc_and_gpqa_run_on_rows_of_their_layout(run, tmp_path, setting, metrics, shots):
    arc, gpqa = (tmp_path / name for name in ("arc.jsonl", "gpqa.jsonl"))
    for path, dataset in ((arc, "allenai/ai2_arc"), (gpqa, "Idavidrein/gpqa")):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows(dataset, 30)))
    found, prompts = run(
        setting, {"arc_challenge": {"train": arc, "test": arc}, "gpqa": {"train": gpqa}}
    )
    assert found.keys() == {f"{setting}_{metric}" for metric in metrics}
    assert all(row["n"] == 2 and 0 <= row["value"] <= 100 for row in found.values())
    assert prompts["arc_challenge"].count("Question:") == 1 + shots
