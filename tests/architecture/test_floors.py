"""The house rules of design and style, held against every file: who imports whom, and how long."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import plumbline

PACKAGE = Path(plumbline.__file__).parent
HOME = PACKAGE.parent
#: Each floor imports itself and those above it.
FLOORS = [
    "errors rows splits contracts batches chat",
    "ownership layout artifacts locks again provenance",
    "toyland",
    "plugins schema mistakes config",
    "jobs",
    "stats",
    "data prompts",
    "model",
    "generate",
    "train",
    "targets keep judge score select aggregate",
    "report operate check outside",
    "cli",
]
FLOOR = {name: level for level, names in enumerate(FLOORS) for name in names.split()}
EVALUATORS = {"alpaca_eval", "lm_eval", "fastchat"}
MODULES = sorted(PACKAGE.rglob("*.py"))
LOSSES = sorted((HOME / "losses").glob("*.py"))
BENCHMARKS = sorted((HOME / "benchmarks").rglob("*.py"))
CODE = [*MODULES, *LOSSES, *BENCHMARKS]
RULES = sorted((HOME / "workflow").rglob("*.smk"))
LONGEST = 60


def label(path: Path) -> str:
    return str(path.relative_to(HOME))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(node: ast.AST) -> Iterator[str]:
    """Every module that is imported anywhere below a node, in full."""
    for item in ast.walk(node):
        if isinstance(item, ast.Import):
            yield from (alias.name for alias in item.names)
        elif isinstance(item, ast.ImportFrom):
            assert item.level == 0, "imports are absolute"
            yield item.module
            yield from (f"{item.module}.{alias.name}" for alias in item.names)


def when_imported(module: ast.Module) -> Iterator[str]:
    """What importing a file imports: all but what stands in functions and under TYPE_CHECKING."""
    for node in module.body:
        checking = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if not checking and not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield from imports(node)


def roots(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(tree(path))}


def part(path: Path) -> str:
    """The module or package directly under plumbline/ that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    found = ast.walk(tree(path))
    return (node for node in found if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


# Who imports whom


def test_every_module_has_its_floor():
    assert {part(path) for path in MODULES} - {"__init__"} <= FLOOR.keys()


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_a_module_imports_only_floors_above(path):
    parts = {name.split(".")[1] for name in imports(tree(path)) if name.startswith("plumbline.")}
    used = parts & FLOOR.keys()
    allowed = 0 if part(path) == "__init__" else FLOOR[part(path)]
    assert {name for name in used if FLOOR[name] > allowed} == set()


def test_the_engine_knows_no_evaluator_and_no_plugin_folder():
    forbidden = EVALUATORS | {"losses", "benchmarks", "workflow"}
    assert [label(path) for path in MODULES if roots(path) & forbidden] == []


def test_trl_is_imported_in_training_only():
    users = {part(path) for path in MODULES if "trl" in roots(path)}
    assert users <= {"train"}
    assert not any("trl" in roots(path) for path in [*LOSSES, *BENCHMARKS])


@pytest.mark.parametrize("path", LOSSES, ids=label)
def test_a_method_imports_torch_and_the_exported_names(path):
    assert roots(path) <= {"torch", "plumbline", "math"}
    exported = {f"plumbline.{name}" for name in plumbline.__all__} | {"plumbline"}
    assert {name for name in imports(tree(path)) if name.startswith("plumbline")} <= exported


@pytest.mark.parametrize("path", BENCHMARKS, ids=label)
def test_a_benchmark_imports_its_evaluator_inside_functions(path):
    """Listing and scoring others must not pay for it. A script of its own process may."""
    if path.parent == HOME / "benchmarks":
        loaded = {name.split(".")[0] for name in when_imported(tree(path))}
        assert loaded & (EVALUATORS | {"torch", "transformers", "datasets"}) == set()


IMPORT_ALL = """
import importlib, sys
for name in {names}:
    importlib.import_module(name)
print(*({heavy} & sys.modules.keys()))
"""


def test_stages_without_a_model_never_load_torch():
    light = {"data", "toyland", "judge", "aggregate", "report", "stats", "config", "plugins"}
    light |= {"operate"}
    light |= {"targets", "score", "select", "layout", "artifacts", "rows", "splits", "contracts"}
    light |= {"provenance", "operate"}
    names = [
        ".".join(path.relative_to(HOME).with_suffix("").parts).removesuffix(".__init__")
        for path in MODULES
        if part(path) in light
    ]
    code = IMPORT_ALL.format(names=names, heavy={"torch", "transformers", "trl"})
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [] and len(names) > 20


def test_no_other_module_knows_the_results_folder():
    """Paths come from layout; "results" as a word of a sentence is not a path."""
    users = {
        label(path)
        for path in MODULES
        if any(
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.match(r"results(/|$)", node.value)
            for node in ast.walk(tree(path))
        )
    }
    assert users == {"plumbline/layout.py"}


# Style


def test_no_module_is_a_drawer_for_odds_and_ends():
    drawers = {"utils", "util", "helpers", "helper", "misc", "common", "tools"}
    assert [label(path) for path in CODE if {path.stem, path.parent.name} & drawers] == []


def code_lines(function: ast.FunctionDef, source: list[str]) -> int:
    """Lines of a function without its docstring, comments and blank lines."""
    body = function.body
    if ast.get_docstring(function) is not None:
        body = body[1:]
    header = range(function.lineno, function.body[0].lineno)
    rest = range(body[0].lineno, function.end_lineno + 1) if body else range(0)
    lines = (source[number - 1].strip() for number in sorted({*header, *rest}))
    return sum(1 for line in lines if line and not line.startswith("#"))


def test_code_lines_by_hand():
    source = 'def f(a,\n      b):\n    """Two\n    lines."""\n\n    # why\n    x = 1\n    return x'
    [function] = ast.parse(source).body
    assert code_lines(function, source.split("\n")) == 4


@pytest.mark.parametrize("path", CODE, ids=label)
def test_no_function_is_long(path):
    source = path.read_text().split("\n")
    lengths = {node.name: code_lines(node, source) for node in functions(path)}
    assert {name: count for name, count in lengths.items() if count > LONGEST} == {}


@pytest.mark.parametrize("path", CODE, ids=label)
def test_no_error_is_swallowed(path):
    handlers = [node for node in ast.walk(tree(path)) if isinstance(node, ast.ExceptHandler)]
    assert all(node.type is not None for node in handlers), "except: catches everything"
    assert not any(isinstance(node.body[0], ast.Pass) for node in handlers), "except: pass"


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_what_is_public_says_what_it_is(path):
    module = tree(path)
    silent = [
        node.name
        for node in module.body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        and not node.name.startswith("_")
        and ast.get_docstring(node) is None
    ]
    assert silent == []
    assert ast.get_docstring(module) or module.body == []


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_public_functions_are_typed(path):
    untyped = [
        node.name
        for node in tree(path).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
        if node.returns is None
        or any(item.annotation is None for item in [*node.args.args, *node.args.kwonlyargs])
    ]
    assert untyped == []


# The workflow


def rules(text: str) -> dict[str, str]:
    """The text of each rule of a .smk file, by its head."""
    heads = list(re.finditer(r"(?m)^\s*(rule|checkpoint)\b[^\n]*:$", text))
    ends = [*(head.start() for head in heads), len(text)][1:]
    blocks = [text[head.start() : end] for head, end in zip(heads, ends, strict=True)]
    return {f"{number} {block.split(':')[0].strip()}": block for number, block in enumerate(blocks)}


def has(block: str, directive: str) -> bool:
    return re.search(rf"(?m)^\s+{directive}:", block) is not None


def test_the_snakefile_is_a_table_of_contents():
    text = (HOME / "Snakefile").read_text()
    assert len(text.rstrip().split("\n")) <= 40
    stages = "data sft reference align generate score select aggregate report".split()
    included = re.findall(r'include: "workflow/rules/(\w+)\.smk"', text)
    assert [name for name in included if name in stages] == stages, "in the pipeline's order"
    assert {path.stem for path in (HOME / "workflow" / "rules").glob("*.smk")} == set(included)


@pytest.mark.parametrize("path", RULES, ids=label)
def test_every_rule_is_one_shell_line_with_log_timing_and_environment(path):
    found = rules(path.read_text())
    for name, block in found.items():
        missing = {item for item in ("log", "benchmark", "conda", "shell") if not has(block, item)}
        assert missing == set(), name
        assert not has(block, "run") and not has(block, "script"), name
        assert block.split("shell:")[1].count("plumbline ") == 1, name
        assert "> {log} 2>&1" in block and "PLUMBLINE_LOG={log}" in block, name


def test_there_are_rules_to_check():
    counts = {path.stem: len(rules(path.read_text())) for path in RULES}
    assert sum(counts.values()) >= 9
    assert all(counts[name] for name in ("data", "sft", "reference", "align", "select", "report"))


def test_the_workflow_asks_the_engine_for_names_and_digests_only():
    """And, where a budget is given, whether the plan passes it."""
    allowed = {"ENGINE", "config", "jobs", "layout", "plugins", "errors", "operate"}
    for path in [HOME / "Snakefile", *RULES]:
        given = r"(?m)^\s*(from plumbline\S* import .*|import plumbline.*)$"
        lines = re.findall(given, path.read_text())
        used = set()
        for line in lines:
            package, _, names = line.removeprefix("from ").partition(" import ")
            if package == "plumbline":
                used |= {name.split(" as ")[0].strip() for name in names.split(",")}
            else:
                used.add(package.removeprefix("import ").split(".")[1])
        assert used <= allowed, label(path)
        assert not used or path.stem == "common", label(path)


@pytest.mark.parametrize("path", RULES, ids=label)
def test_rules_hold_no_paths_of_their_own(path):
    assert re.findall(r'"(?:results|logs|timings)\b[^"]*"', path.read_text()) == []
