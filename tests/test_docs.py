"""What is written down is true: snippets run, keys, paths and links exist."""

import inspect
import json
import re
import runpy
from dataclasses import is_dataclass
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from plumbline import config, layout, plugins, schema
from plumbline.layout import ExperimentFolder, Run, SettingFolder, selected
from plumbline.operate import claims

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = ["README.md", "CONTRIBUTING.md", "config/README.md", "results/README.md"]
PAGES += [f"docs/{path.name}" for path in sorted((REPOSITORY / "docs").glob("*.md"))]


def page(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


# Links, files, commands


def named_files(text: str) -> set[str]:
    """Repository files that a page names in code or in its file tree."""
    folders = "config|docs|profiles|plumbline|losses|benchmarks|workflow|tests"
    return set(re.findall(rf"(?<![\w/.{{])(?:{folders})/[\w/.]*\.(?:py|yaml|md|smk)\b", text))


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page(name))
    folder = (REPOSITORY / name).parent
    assert [link for link in links if not (folder / link).exists()] == []


#: Files that the reader is asked to write.
EXAMPLES = {"losses/my_ipo.py", "tests/losses/test_my_ipo.py"}


@pytest.mark.parametrize("name", PAGES)
def test_every_file_named_exists(name):
    named = {path for path in named_files(page(name)) if "NAME" not in path} - EXAMPLES
    assert [path for path in sorted(named) if not (REPOSITORY / path).exists()] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_make_target_named_exists(name):
    targets = re.findall(r"^(\w+):(?!=)", page("Makefile"), re.M)
    assert set(re.findall(r"(?:`|^)make (\w+)", page(name), re.M)) <= set(targets)


@pytest.mark.parametrize("name", PAGES)
def test_yaml_examples_are_yaml(name):
    for block in re.findall(r"```yaml\n(.*?)```", page(name), re.S):
        assert isinstance(yaml.safe_load(block), dict)


def test_the_readmes_own_setting_is_valid():
    [text] = re.findall(r"```yaml\n(settings:.*?)```", page("README.md"), re.S)
    given = yaml.safe_load(text)["settings"]
    assert given and all(map(schema.Setting.model_validate, given.values()))


# The demo's numbers in README.md


def test_the_demos_table_is_put_between_the_marks():
    fill = runpy.run_path(str(REPOSITORY / "docs" / "fill_readme.py"))["filled"]
    once = fill(page("README.md"), "7 min", "| Method |\n")
    assert once.count("took 7 min") == once.count("| Method |") == 1
    assert fill(once, "7 min", "| Method |") == once, "a second time changes nothing"
    head, tail = page("README.md").split("<!-- demo table -->")
    assert once.startswith(head) and once.endswith(tail.split("<!-- /demo table -->")[1])


# What experiments printed, in docs/results.md and docs/studies.md


@pytest.fixture(scope="module")
def filler() -> dict:
    return runpy.run_path(str(REPOSITORY / "docs" / "fill_results.py"))


def test_every_experiment_has_its_file_and_its_place(filler):
    for told in filler["PAGES"]:
        for name in told.figures:
            file = f"config/toyland/{name.removeprefix('toyland_')}.yaml"
            assert yaml.safe_load(page(file))["experiment"] == name
            marks = rf"<!-- {name} -->\n.*\n<!-- /{name} -->"
            assert re.search(marks, page(f"docs/{told.name}"), re.S)


def test_every_experiment_of_toyland_is_on_a_page(filler):
    told = {name for each in filler["PAGES"] for name in each.figures}
    files = (REPOSITORY / "config" / "toyland").glob("*.yaml")
    found = {yaml.safe_load(file.read_text())["experiment"] for file in files}
    assert found - told == {"phenomenon", "traces", "unlearning", "claims"}


def test_tables_are_cut(filler):
    text = "| a |\n| b |\n\n- note\n\n| c |\n"
    assert filler["first_part"](text) == "| a |\n| b |\n\n- note"
    assert filler["first_part"]("| a |\n") == filler["first_table"]("| a |\n") == "| a |"
    assert filler["first_table"](text) == "| a |\n| b |"


# The file tree


def tree() -> list[str]:
    """The paths of README's file tree, by its indentation."""
    block = re.search(r"<!-- tree -->\n```\n(.*?)```", page("README.md"), re.S)[1]
    paths, folders = [], []
    for line in block.splitlines():
        indent, names = re.match(r"( *)(\S+(?: · \S+)*)", line).groups()
        del folders[len(indent) // 4 :]
        for name in names.split(" · "):
            paths.append("".join([*folders, name]))
        if names.endswith("/"):
            folders.append(names)
    return paths


def test_the_tree_shows_what_is_there():
    assert [path for path in tree() if not (REPOSITORY / path).exists()] == []


def test_the_tree_shows_every_module():
    modules = {
        str(path.relative_to(REPOSITORY))
        for path in (REPOSITORY / "plumbline").rglob("*.py")
        if path.name != "__init__.py"
    }
    assert sorted(modules - set(tree())) == [], "give each a line in README's file tree"


# config/README.md

#: The section that describes each object of an experiment file.
SECTIONS = {
    "Generation": "`generation`",
    "GivenModel": "`models.NAME`",
    "Experiment": "The file",
    "Variant": "`methods.NAME`, a variant",
    "Prompts": "`prompts` of a variant",
    "Setting": "`settings.NAME`",
    "ToylandData": "`data` of source `toyland`",
    "FactsData": "`data` of source `toyland_facts`",
    "TracesData": "`data` of source `toyland_traces`",
    "FileData": "`data` of source `hh_rlhf`, `ultrafeedback` or `jsonl`",
    "Keep": "`data.keep`",
    "ScratchModel": "`model` made from scratch",
    "PretrainedModel": "`model` of Hugging Face",
    "Pretrain": "`pretrain`",
    "Sft": "`sft`",
    "Align": "`align`",
    "Batch": "`align.batch`",
    "ClassWeights": "`align.class_weights`",
    "Adapter": "`align.adapter`",
    "Select": "`select`",
    "JudgeChoice": "`judge`",
    "Upstream": "`judge.upstream`",
    "Prices": "`judge.upstream.prices`",
    "Report": "`report`",
    "Column": "`report.columns`",
    "Rank": "`report.rank`",
    "Cases": "`report.cases`",
    "Sweep": "`report.sweep`",
    "Difference": "`differences`",
    "Execution": "`execution`",
    "Budget": "`budget`",
}


#: The section of docs/certify.md that describes each object of a claims file.
CLAIMS = {
    "Claims": "A claims file",
    "Measure": "`metrics.NAME`, measured",
    "Mean": "`metrics.NAME`, a mean",
    "Ranking": "`metrics.NAME`, a rank",
    "Table": "`tables.NAME`",
    "Inequality": "`inequalities`",
}


def described(model: str) -> dict[str, str]:
    """key -> default, as config/README.md has them, or docs/certify.md."""
    where = "docs/certify.md" if model in CLAIMS else "config/README.md"
    text = page(where).split(f"\n## {(SECTIONS | CLAIMS)[model]}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| `?(.*?)`? \|", text, re.M))


def default(field) -> str:
    if field.is_required():
        return "required"
    return "below" if isinstance(field.default, BaseModel) else repr(field.default)


def written(text: str) -> str:
    return text if text in ("required", "below") else repr(yaml.safe_load(text))


def test_claims_are_described_too():
    assert {name for name in CLAIMS if hasattr(claims, name)} == CLAIMS.keys()


@pytest.mark.parametrize("model", schema.Strict.__subclasses__(), ids=lambda model: model.__name__)
def test_every_key_is_described_with_its_default(model):
    found = described(model.__name__)
    expected = {name: default(field) for name, field in model.model_fields.items()}
    assert {key: written(text) for key, text in found.items()} == expected


# results/README.md


def paths_of(value) -> set[str]:
    """Every path that a folder of `layout` knows, with `{argument}` for each argument."""
    if isinstance(value, Path):
        return {str(value.relative_to(layout.RESULTS))}
    if not is_dataclass(value):
        return set()
    found = set()
    for name in dir(value):
        if name.startswith("_") or inspect.ismethod(getattr(type(value), name, None)):
            continue  # private, or a class method
        part = getattr(value, name)
        if callable(part):
            part = part(*(f"{{{argument}}}" for argument in inspect.signature(part).parameters))
        found |= paths_of(part)
    return found


def test_results_readme_mirrors_the_layout():
    setting = SettingFolder("{setting}")
    known = paths_of(setting) | paths_of(ExperimentFolder("{experiment}"))
    known |= paths_of(Run("{setting}", "{method}", "{point}", "{seed}"))
    known |= paths_of(selected(setting, "{experiment}", "{method}", "{seed}"))
    known |= paths_of(layout.ledger()) | paths_of(layout.log("{stage}", "{names}"))
    known |= paths_of(layout.timing("{stage}", "{names}"))
    known |= paths_of(layout.environment("{digest}"))
    listed = re.findall(r"^\| `(\S+)` \|", page("results/README.md"), re.M)
    assert sorted(listed) == sorted(known)


# Ten lines that are a method

SNIPPETS = ["README.md", "docs/add_a_method.md"]


@pytest.fixture(params=SNIPPETS)
def folder(request, tmp_path) -> Path:
    """A folder of methods that holds the page's example and nothing else."""
    code = re.search(r"```python\n(from torch.*?@method.*?)```", page(request.param), re.S)[1]
    (tmp_path / "my_ipo.py").write_text(code, encoding="utf-8")
    return tmp_path


def spec(folder: Path) -> plugins.MethodSpec:
    return plugins.method_spec("my_ipo", (folder,))


def test_the_example_is_found_and_read(folder):
    assert (spec(folder).card.title, spec(folder).feedback) == ("My IPO", "pairs")
    assert spec(folder).hyperparameters == (plugins.Hyperparameter("tau", 0.1, "Positive"),)


def test_the_example_holds_the_contract(folder, request):
    """README's ten lines lack a full docstring and nothing else, as README says."""
    from plumbline.check.method import check_method

    problems = check_method(plugins.load_method(spec(folder)))
    if "README" in request.node.name:
        assert problems and all(problem.startswith("docstring:") for problem in problems)
    else:
        assert problems == []


def test_the_example_computes_the_papers_loss(folder):
    """Source: tests/losses/golden_zoo.json, `ipo_sum(paper)` at tau = 0.1 (mpmath, 50 digits)."""
    import torch

    from plumbline import Completions, Pairs

    golden = json.loads(page("tests/losses/golden_zoo.json"))
    rows = golden["batch(logp_w,logp_l,ref_w,ref_l,len_w,len_l)"]
    policy_w, policy_l, ref_w, ref_l, n_w, n_l = torch.tensor(rows, dtype=torch.float64).T
    chosen = Completions(policy_w, n_w, {"reference": ref_w})
    rejected = Completions(policy_l, n_l, {"reference": ref_l})
    found = plugins.load_method(spec(folder))(Pairs(chosen, rejected), tau=0.1).mean().item()
    assert found == pytest.approx(float(golden["values"]["beta=0.1"]["ipo_sum(paper)"]), abs=1e-12)


def test_the_example_runs_in_an_experiment(folder):
    raw = yaml.safe_load(page("config/quickstart.yaml"))
    text = re.search(r"^  my_ipo: .*$", page("docs/add_a_method.md"), re.M)[0]
    raw["methods"] |= yaml.safe_load(text)
    experiment = config.parse(raw | {"method_paths": [str(folder)]})
    [setting] = experiment.setting_folders().values()
    runs = experiment.runs(setting, "my_ipo")
    assert len(runs) == experiment.grid_points * len(experiment.seeds)
    assert runs[0].point == "tau=0.03"
