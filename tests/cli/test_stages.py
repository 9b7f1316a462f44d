"""The stages one after another on an experiment of seconds, as the workflow calls them."""

import shutil
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from scripted import says, upstream

from plumbline import config, schema
from plumbline.artifacts import read_json, read_rows, read_vectors, write_json
from plumbline.cli import generate as generate_stage
from plumbline.cli import report as report_stage
from plumbline.cli import score as score_stage
from plumbline.errors import IntegrityError
from plumbline.layout import selected
from plumbline.locks import lock
from plumbline.model.folder import load
from plumbline.model.tokenizer import prompt_ids
from plumbline.report.sweep import Place
from plumbline.targets import targets

POINTS = ["beta=0.1", "beta=0.3"]


@pytest.fixture(scope="module")
def done(place, command):
    """Everything up to the tables, with what each command printed."""
    experiment = config.read(place / "tiny.yaml")
    folders = experiment.setting_folders()["small"]
    file, setting = "tiny.yaml", folders.name
    runs = [folders.run("dpo", point, 0) for point in POINTS] + [folders.run("sft", "default", 0)]
    records = [run.record for run in runs]
    choices = [folders.selection("tiny", method) for method in ("dpo", "sft")]
    said = {
        "data": command("data", file, setting),
        "pretrain": command("pretrain", file, setting),
        "sft": command("sft", file, setting),
        "reference": command("reference", file, setting, "pairs"),
        "align": command("align", file, *records),
        "generate": command("generate", file, "validation", *records),
        "score": command("score", file, "validation", *records),
    }
    for method in ("dpo", "sft"):
        command("select", file, setting, method)
    command("generate", file, "test", *choices)
    command("score", file, "test", *choices)
    command("aggregate", file)
    return SimpleNamespace(
        experiment=experiment,
        folders=folders,
        runs=runs,
        records=records,
        choices=choices,
        said=said,
    )


def test_data_are_written_with_their_record_and_the_setting(done):
    record = read_json(done.folders.data_record)
    assert {split: item["rows"] for split, item in record["splits"].items()} == {
        "pretrain": 30,
        "sft": 20,
        "train": 40,
        "validation": 6,
        "test": 6,
    }
    setting = read_json(done.folders.record)
    assert schema.Setting.model_validate(setting) == done.experiment.settings["small"]


def test_data_are_written_by_one_process(done, command):
    with ThreadPoolExecutor(1) as pool:
        with lock(done.folders.data_record.parent):
            waiting = pool.submit(command, "data", "tiny.yaml", done.folders.name)
            time.sleep(0.5)
            assert not waiting.done()
        waiting.result(60)


def test_embeddings_are_written_for_who_asks_for_them(done, command):
    path = done.folders.embeddings("pairs")
    assert not path.exists(), "nobody has"
    command("embed", "tiny.yaml", done.folders.name, "pairs")
    assert len(read_vectors(path)) == len(read_rows(done.folders.data("train")))


def test_rewards_are_written_for_who_asks_for_them(done, command):
    path = done.folders.rewards("words")
    assert not path.exists(), "nobody has"
    said = command("reward", "tiny.yaml", done.folders.name, "words")
    assert 0 < len(read_rows(path)) < len(read_rows(done.folders.data("train")))
    assert said.count("words: prefers what was chosen in ") == 4


def test_align_says_how_each_run_ended_and_makes_none_twice(done, command):
    assert [line for line in done.said["align"].split("\n") if line in ("ok", "current")] == [
        "ok",
        "ok",
        "ok",
    ]
    again = command("align", "tiny.yaml", *done.records)
    assert [line for line in again.split("\n") if line in ("ok", "current")] == ["current"] * 3
    assert all(read_json(record)["status"] == "ok" for record in done.records)


def test_answers_are_whole_and_not_made_twice(done, command, monkeypatch):
    """Four prompts, each sampled and greedy."""
    path = done.runs[0].evaluation().responses("toyland")
    rows = read_rows(path)
    assert len(rows) == 8 and all(len(row["answers"]) == 1 for row in rows)
    proof = read_json(done.runs[0].evaluation().canary("toyland"))
    _, tokenizer = load(done.runs[0].model)
    assert proof["prompt"] == prompt_ids(tokenizer, rows[0]["prompt"]), "as it was asked"
    monkeypatch.setattr(generate_stage, "answer", lambda *_: pytest.fail("answered again"))
    command("generate", "tiny.yaml", "validation", *done.records)


def test_answers_are_made_again_for_another_model(done):
    [target] = targets(done.experiment, "validation", done.records[:1])
    record = read_json(done.records[0])
    path = target.evaluation.responses("toyland")
    before = read_rows(path), path.stat().st_mtime_ns
    write_json(done.records[0], record | {"model": "another"})
    generate_stage.respond(done.experiment, "validation", target, ["toyland"])
    assert read_rows(path) == before[0], "these weights are the same, and so is the noise"
    assert path.stat().st_mtime_ns != before[1]
    write_json(done.records[0], record)
    generate_stage.respond(done.experiment, "validation", target, ["toyland"])


def test_another_engine_answers_again(done, monkeypatch):
    """Sampling may have changed where the weights have not."""
    [target] = targets(done.experiment, "validation", done.records[:1])
    path = target.evaluation.responses("toyland")
    before = path.stat().st_mtime_ns
    with monkeypatch.context() as patch:
        patch.setattr(generate_stage, "ENGINE", 0)
        generate_stage.respond(done.experiment, "validation", target, ["toyland"])
        assert path.stat().st_mtime_ns != before
    generate_stage.respond(done.experiment, "validation", target, ["toyland"])


def test_answers_say_who_gave_them_and_how_many_are_what(done):
    """Of 8 answers of at most 6 words, those of a model of two steps seldom end by themselves."""
    found = read_json(done.runs[0].evaluation().answered("toyland"))
    rows = read_rows(done.runs[0].evaluation().responses("toyland"))
    unfinished = sum(not end for row in rows for end in row["finished"])
    assert found["turns"] == {
        "answered": 8,
        "empty": sum(not text.strip() for row in rows for text in row["answers"]),
        "unfinished": unfinished,
        "cut": 0,
        "missing": 0,
    }
    assert found["answered_by"].startswith("transformers ")
    assert (
        f"8 answered, {found['turns']['empty']} empty, {unfinished} unfinished"
        in (done.said["generate"])
    )


def test_a_server_answers_in_place_of_the_model(done, command, tmp_path, monkeypatch):
    """Its name is part of the rows, and a change of it asks and scores anew."""
    shutil.copytree(Path.cwd(), tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    record, run = done.records[0], done.runs[0]
    _, tokenizer = load(run.model)

    def count(messages):
        return len(prompt_ids(tokenizer, messages))

    with upstream(says("the mat", count=count)) as stage:
        stage.models = [str(run.model)]
        text = Path("tiny.yaml").read_text()
        text += f"generation: {{name: served 1, base_url: '{stage.url}'}}\n"
        Path("tiny.yaml").write_text(text)
        command("generate", "tiny.yaml", "validation", record)
        command("score", "tiny.yaml", "validation", record)
        asked = stage.seen.total()
        command("generate", "tiny.yaml", "validation", record)
        assert stage.seen.total() == asked == 2 + 8, "two to compare templates, none twice"
    rows = read_rows(run.evaluation().responses("toyland"))
    assert {row["answers"][0] for row in rows} == {"the mat"}
    answered_by = read_json(run.evaluation().answered("toyland"))["answered_by"]
    assert answered_by == f"served 1: {run.model}"
    scored = read_rows(run.evaluation().rows("toyland"))
    assert all("answered by served 1" in row["decoding"] for row in scored)


def test_a_model_trained_elsewhere_has_a_line_of_its_own(done, command, tmp_path, monkeypatch):
    """Here the SFT model's own folder: its numbers are SFT's, under the other name."""
    shutil.copytree(Path.cwd(), tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    given = {"elsewhere": {"path": str(done.folders.sft.model), "title": "Trained elsewhere"}}
    text = Path("tiny.yaml").read_text().replace("experiment: tiny", "experiment: wider")
    Path("wider.yaml").write_text(text + f"models: {given}\n")
    run = done.folders.run("elsewhere", "default", 0)
    records = [*done.records, run.record]
    assert "ok" in command("align", "wider.yaml", *records).split("\n")
    assert "ok" not in command("align", "wider.yaml", *records).split("\n")
    for stage in ("generate", "score"):
        command(stage, "wider.yaml", "validation", *records)
    names = ("dpo", "sft", "elsewhere")
    for name in names:
        command("select", "wider.yaml", done.folders.name, name)
    choices = [done.folders.selection("wider", name) for name in names]
    for stage in ("generate", "score"):
        command(stage, "wider.yaml", "test", *choices)
    command("aggregate", "wider.yaml")
    rows = read_rows(config.read(Path("wider.yaml")).folder.rows)
    values = {
        name: {row["metric"]: row["value"] for row in rows if row["method"] == name}
        for name in names
    }
    assert values["elsewhere"] == values["sft"] != values["dpo"]
    said = command("summary", "wider.yaml")
    assert "Trained elsewhere" in said and f"{done.folders.sft.model} at main" in said


def test_answers_have_log_ratios_to_the_reference_where_a_benchmark_reads_them(done):
    """None of SFT to itself; of a model trained elsewhere nobody knows its reference."""
    raw = done.experiment.model_dump()
    raw["benchmarks"]["reference_kl"] = {"limit": 4, "max_new_tokens": 6}
    raw["models"]["elsewhere"] = {"path": str(done.folders.sft.model)}
    chosen = config.parse(raw)
    for target in targets(chosen, "validation", [done.records[0], done.records[2]]):
        generate_stage.respond(chosen, "validation", target, ["reference_kl"])
        rows = read_rows(target.evaluation.responses("reference_kl"))
        ratios = [row["logratios"] for row in rows]
        assert all(one == [0.0] for one in ratios) is (target.method == "sft")
        assert len(ratios) == 4 and all(len(one) == 1 for one in ratios)
        others = read_rows(target.evaluation.responses("toyland"))
        answers = {row["id"]: row["answers"] for row in others}
        assert all(row["answers"] == answers[row["id"]] for row in rows), "the same are judged"
        assert {tuple(row["logratios"]) for row in others} == {(None,)}
    assert generate_stage.reference(chosen, replace(target, method="elsewhere")) is None


def test_a_diverged_run_gives_no_answers(done):
    run = done.folders.run("dpo", "beta=9.0", 0)
    write_json(run.record, {"status": "diverged", "model": None, "step": 1, "examples": []})
    [target] = targets(done.experiment, "validation", [run.record])
    generate_stage.respond(done.experiment, "validation", target, ["toyland"])
    assert read_rows(target.evaluation.responses("toyland")) == []


def test_scores_and_probes_of_validation(done):
    for run in done.runs:
        rows = {row["metric"]: row for row in read_rows(run.evaluation().rows("toyland"))}
        assert rows["reward"]["n"] == 4 and rows["reward"]["split"] == "validation"
        assert rows["reward"]["method"] == run.method and rows["reward"]["point"] == run.point
    steps = {row["step"] for row in read_rows(done.runs[0].probe_rows("toyland"))}
    assert steps == {0, 2}


def test_the_best_point_is_tested_and_no_other(done):
    choice = read_json(done.choices[0])
    values = {}
    for run in done.runs[:2]:
        rows = read_rows(run.evaluation().rows("toyland"))
        [values[run.point]] = [row["value"] for row in rows if row["metric"] == "reward"]
    assert choice["point"] == max(POINTS, key=values.__getitem__)
    rows = read_rows(selected(done.folders, "tiny", "dpo", 0).rows("toyland"))
    assert {(row["point"], row["split"]) for row in rows} == {(choice["point"], "test")}


def test_a_sweep_is_over_selected_points_and_variants_are_on_the_line_of_their_method(done):
    raw = done.experiment.model_dump()
    raw["report"]["sweep"] = {"key": "beta", "title": "Beta"}
    chosen = config.parse(raw)
    point = read_json(done.choices[0])["point"]
    found = report_stage._places(chosen)
    assert found == {
        (done.folders.name, "sft"): Place("sft", None),
        (done.folders.name, "dpo"): Place("dpo", float(point.removeprefix("beta="))),
    }
    [drawn] = report_stage._sweep(chosen)
    assert drawn.name == "sweep" and not report_stage._sweep(done.experiment)
    raw["methods"] |= {
        "noisy": {"like": "dpo", "flip": 0.1},
        "chance": {"like": "dpo", "labels": "random"},
    }
    wider = config.parse(raw)
    assert report_stage._line_of(wider, "noisy", 0.1) == "dpo"
    assert report_stage._line_of(wider, "noisy", None) == "noisy"
    assert report_stage._line_of(wider, "chance", 0.1) == "chance"


def test_nothing_is_scored_twice(done, command):
    said = command("score", "tiny.yaml", "validation", *done.records)
    assert said.count(": current") == 3


def test_the_experiments_rows_are_all_of_them(done):
    rows = read_rows(done.experiment.folder.rows)
    found = Counter((row["method"], row["split"]) for row in rows if row["metric"] == "reward")
    assert found == {
        ("dpo", "validation"): 2,
        ("dpo", "test"): 1,
        ("sft", "validation"): 1,
        ("sft", "test"): 1,
    }
    assert len(read_rows(done.experiment.folder.items)) > len(rows)
    dynamics = read_rows(done.experiment.folder.dynamics)
    assert {row["method"] for row in dynamics} == {"dpo"}
    assert {row["point"] for row in dynamics} == set(POINTS)
    assert (done.experiment.folder.tables / "small").is_dir()


def test_every_number_knows_how_many_of_its_items_were_trained_on(done):
    """None: a hash of its words puts a prompt of Toyland into one split."""
    rows = read_rows(done.experiment.folder.rows)
    assert [row["n_contaminated"] for row in rows] == [0] * len(rows)
    for split in ("validation", "test"):
        found = read_rows(done.folders.contamination(split, "toyland"))
        assert [(row["exact"], row["ngram"]) for row in found] == [(False, False)] * 8


def test_aggregating_again_gives_the_same_bytes(done, command):
    files = [done.experiment.folder.rows, done.experiment.folder.items]
    files += sorted(path for path in done.experiment.folder.tables.rglob("*") if path.is_file())
    before = [path.read_bytes() for path in files]
    command("aggregate", "tiny.yaml")
    assert [path.read_bytes() for path in files] == before


@pytest.mark.parametrize("stage", ["aggregate", "report"])
def test_tables_and_page_are_made_without_torch(done, stage):
    """The whole stage, with all that it imports on its way."""
    code = (
        f"import sys; from plumbline.cli.app import app; app(['{stage}', 'tiny.yaml'], "
        "standalone_mode=False); print(*({'torch', 'transformers', 'trl'} & sys.modules.keys()))"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout == "\n"


def test_an_experiment_that_shares_runs_labels_its_rows_with_its_own_name(done, place, command):
    """Validation scores belong to the setting's runs; a row says whose table it is in."""
    text = (place / "tiny.yaml").read_text().replace("experiment: tiny", "experiment: other")
    (place / "other.yaml").write_text(text)
    command("score", "other.yaml", "validation", *done.records)
    for method in ("dpo", "sft"):
        command("select", "other.yaml", done.folders.name, method)
    choices = [done.folders.selection("other", method) for method in ("dpo", "sft")]
    command("generate", "other.yaml", "test", *choices)
    command("score", "other.yaml", "test", *choices)
    command("aggregate", "other.yaml")
    rows = read_rows(config.read(place / "other.yaml").folder.rows)
    assert {row["experiment"] for row in rows} == {"other"}


def test_a_judge_is_served_only_where_one_is_asked(done):
    with score_stage.judge_for(done.experiment, ["toyland"]) as judge:
        assert judge is None


def test_the_summary_is_table_1_and_where_the_page_is(done, command):
    said = command("summary", "tiny.yaml")
    assert "DPO" in said and "SFT" in said and "report.html" in said


def test_models_leave_the_disk_as_the_stages_are_done_with_them(
    done, command, tmp_path, monkeypatch
):
    """A new benchmark then says which model it misses; what is scored is not asked for again."""
    shutil.copytree(Path.cwd(), tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    text = Path("tiny.yaml").read_text() + "execution: {keep_models: none}\n"
    Path("tiny.yaml").write_text(text.replace("experiment: tiny", "experiment: lean"))
    best, choice = read_json(done.choices[0])["point"], done.folders.selection("lean", "dpo")
    for other in done.folders.selections("dpo"):
        other.unlink()
    command("select", "tiny.yaml", done.folders.name, "dpo")
    assert [run.model.is_dir() for run in done.runs[:2]] == [point == best for point in POINTS]
    command("generate", "tiny.yaml", "test", choice)
    command("score", "tiny.yaml", "test", choice)
    assert not any(run.model.is_dir() for run in done.runs[:2]) and done.folders.sft.model.is_dir()
    assert ": current" in command("score", "tiny.yaml", "test", choice)
    command("align", "tiny.yaml", *done.records)
    command("generate", "tiny.yaml", "validation", *done.records)
    Path("tiny.yaml").write_text(text.replace("limit: 4", "limit: 5"))
    with pytest.raises(IntegrityError, match="keep_models"):
        command("generate", "tiny.yaml", "validation", *done.records)
