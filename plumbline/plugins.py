"""Finding methods and benchmarks: one file each, found in a folder, never registered.

Listing reads decorator, signature and annotations from the syntax tree and imports nothing.
Loading executes the file under a synthetic module name, so no folder name can clash.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from plumbline.artifacts import digest, folder_digest
from plumbline.batches import ANNOTATED, EMBEDDED, FEEDBACK
from plumbline.contracts import RANGES, BenchmarkCard, MethodCard, Metric
from plumbline.errors import ConfigError, MethodError, did_you_mean

#: The checkout whose `losses/` and `benchmarks/` are read: the one whose Snakefile runs.
HOME = Path(os.environ.get("PLUMBLINE_HOME", Path(__file__).resolve().parent.parent))
METHODS = HOME / "losses"
BENCHMARKS = HOME / "benchmarks"
#: The name of "no alignment": a row of every table, without a file.
SFT = "sft"
#: A benchmark's functions that read recorded files and are called by hand: an experiment file sets
#: none of their options.
BY_HAND = ("rescore", "audit_cases")


@dataclass(frozen=True)
class Hyperparameter:
    """A keyword-only argument of a method: `range` names a key of `contracts.RANGES`."""

    name: str
    default: float | None
    range: str | None

    def problem(self, value: Any) -> str | None:
        """Why `value` is not admissible, or None."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return f"{self.name} must be a number, got {value!r}"
        if self.range not in RANGES:
            return f"{self.name} is annotated {self.range}; must be {_either(RANGES)}"
        if not RANGES[self.range].holds(value):
            return f"{self.name} must be {RANGES[self.range]}, got {value!r}"
        return None


@dataclass(frozen=True)
class MethodSpec:
    """What a method file says of itself, read without importing it.

    feedback: pairs, singles or lists. digest: changes with the code, not with comments, docstrings
    or layout.
    """

    name: str
    path: Path
    card: MethodCard
    feedback: str
    hyperparameters: tuple[Hyperparameter, ...]
    digest: str

    @property
    def references(self) -> list[str]:
        """The names of the reference files that must be there before it is trained."""
        return [self.feedback, *(["traceless"] if "traceless" in self.card.needs else [])]

    @property
    def embedded(self) -> bool:
        """Whether the embeddings of the prompts must be there before it is trained."""
        return not EMBEDDED.isdisjoint(self.card.needs)

    @property
    def annotated(self) -> tuple[str, ...]:
        """Its needs that a pass over the training data writes."""
        return tuple(need for need in self.card.needs if need in ANNOTATED)

    def values(self, point: dict[str, float]) -> dict[str, float | None]:
        """All its hyperparameters at a grid point; what the point does not say has its default."""
        return {item.name: item.default for item in self.hyperparameters} | point

    def unbounded(self, point: dict[str, float], responses: int) -> bool:
        """Whether the loss has no optimum at this point, by its own `optimum` expression."""
        names = self.values(point) | {"n": responses}
        return not eval(self.card.optimum, {"__builtins__": {}}, names)


@dataclass(frozen=True)
class BenchmarkSpec:
    """What a benchmark file says of itself, read without importing it.

    needs: "responses" or "model". options: keyword-only arguments of each of its functions.
    digest: changes with the code and with the files in the folder of the same name beside it.
    """

    name: str
    path: Path
    card: BenchmarkCard
    needs: str
    options: dict[str, tuple[str, ...]]
    digest: str

    def option_names(self) -> set[str]:
        """Every option an experiment file may set."""
        functions = self.options.keys() - set(BY_HAND)
        return {name for function in functions for name in self.options[function]}

    def options_for(self, function: str, options: dict[str, Any]) -> dict[str, Any]:
        """The options that one of the file's functions takes."""
        names = self.options.get(function, ())
        return {name: value for name, value in options.items() if name in names}


def find(name: str, folders: list[Path], noun: str) -> Path:
    """The file of a method or benchmark; ConfigError naming the nearest one that exists."""
    found = [path for folder in folders if (path := folder / f"{name}.py").is_file()]
    if len(found) > 1:
        raise ConfigError(f"{noun} {name!r} is ambiguous: {_either(map(str, found))}; rename one")
    if found:
        return found[0]
    known = [path.stem for folder in folders for path in names_in(folder)]
    raise ConfigError(
        f"unknown {noun} {name!r}: {did_you_mean(name, known)}known: {', '.join(sorted(known))}"
    )


def names_in(folder: Path) -> Iterator[Path]:
    """The plug-in files of a folder, in order."""
    return (path for path in sorted(folder.glob("*.py")) if not path.name.startswith("_"))


def method_spec(name: str, extra_folders: tuple[Path, ...] = ()) -> MethodSpec:
    """Read the method `name` from `losses/` or the user's own folders."""
    return read_method(find(name, [METHODS, *extra_folders], "method"))


def benchmark_spec(name: str, extra_folders: tuple[Path, ...] = ()) -> BenchmarkSpec:
    """Read the benchmark `name` from `benchmarks/` or the user's own folders."""
    return read_benchmark(find(name, [BENCHMARKS, *extra_folders], "benchmark"))


def read_method(path: Path) -> MethodSpec:
    """Read a method file's specification; MethodError says what is missing."""
    tree = _parsed(path)
    function, card = _declared(tree, path, "method", MethodCard)
    if function.name != path.stem:
        raise MethodError(f"{path}: the function is called {function.name!r}, not {path.stem!r}")
    batch = _first_annotation(function, path)
    if batch not in FEEDBACK:
        raise MethodError(f"{path}: the first argument is a {batch}; must be {_either(FEEDBACK)}")
    return MethodSpec(
        path.stem, path, card, FEEDBACK[batch], _hyperparameters(function, path), code_digest(tree)
    )


def read_benchmark(path: Path) -> BenchmarkSpec:
    """Read a benchmark file's specification; MethodError says what is missing."""
    tree = _parsed(path)
    function, card = _declared(tree, path, "benchmark", BenchmarkCard)
    needs = _first_annotation(function, path).lower()
    if needs not in ("responses", "model"):
        raise MethodError(f"{path}: score's first argument is {needs}; must be Responses or Model")
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    options = {node.name: tuple(item.arg for item in node.args.kwonlyargs) for node in functions}
    public = {name: names for name, names in options.items() if not name.startswith("_")}
    parts = [code_digest(tree), folder_digest(path.with_suffix(""))]
    return BenchmarkSpec(path.stem, path, card, needs, public, digest(parts))


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    except SyntaxError as error:
        raise MethodError(f"{path}, line {error.lineno}: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise MethodError(f"{path} must be UTF-8: {error}") from error


def load_method(spec: MethodSpec) -> Callable:
    """The loss function itself."""
    return getattr(_load(spec.path, "methods"), spec.name)


def load_relabel(spec: MethodSpec) -> Callable:
    """The function `relabel` of a method that needs `label`."""
    found = getattr(_load(spec.path, "methods"), "relabel", None)
    if found is None:
        raise MethodError(
            f"{spec.path}: a method that needs 'label' says how labels change: "
            "def relabel(batch, *, ...) -> Tensor"
        )
    return found


def load_benchmark(spec: BenchmarkSpec) -> ModuleType:
    """The benchmark's module, with `score` and, where it has them, `prompts` and `summarise`."""
    return _load(spec.path, "benchmarks")


def beside(file: str, name: str) -> ModuleType:
    """A module of the folder beside a benchmark's file. file: the benchmark's `__file__`."""
    folder = Path(file).with_suffix("")
    return _load(folder / f"{name}.py", f"benchmarks_{folder.name}")


def code_digest(tree: ast.Module) -> str:
    """sha256 of the code without comments, docstrings and layout."""
    tree = ast.parse(ast.unparse(tree))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            node.body = body[1:] or [ast.Pass()]
    return digest(ast.unparse(tree))


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _declared(tree: ast.Module, path: Path, decorator: str, card: type) -> tuple:
    """The one decorated function of a file and its card."""
    found = [
        (node, call)
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        for call in node.decorator_list
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == decorator
    ]
    if len(found) != 1:
        raise MethodError(f"{path}: {len(found)} functions are marked @{decorator}; must be one")
    node, call = found[0]
    try:
        return node, card(**{item.arg: _literal(item.value) for item in call.keywords})
    except (ValueError, TypeError) as error:
        raise MethodError(f"{path}: @{decorator}(...) takes literals only: {error}") from error


def _literal(node: ast.expr) -> Any:
    """The value of a literal, of `Metric(...)`, or of a tuple of them."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Metric":
        positional = [_literal(item) for item in node.args]
        return Metric(*positional, **{item.arg: _literal(item.value) for item in node.keywords})
    if isinstance(node, ast.Tuple):
        return tuple(_literal(item) for item in node.elts)
    return ast.literal_eval(node)


def _first_annotation(function: ast.FunctionDef, path: Path) -> str:
    arguments = function.args.args
    if not arguments or arguments[0].annotation is None:
        raise MethodError(f"{path}: {function.name}'s first argument has no type")
    return ast.unparse(arguments[0].annotation)


def _hyperparameters(function: ast.FunctionDef, path: Path) -> tuple[Hyperparameter, ...]:
    pairs = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    return tuple(
        Hyperparameter(
            item.arg,
            None if default is None else _number(default, item.arg, path),
            ast.unparse(item.annotation) if item.annotation else None,
        )
        for item, default in pairs
    )


def _number(default: ast.expr, name: str, path: Path) -> float:
    try:
        return float(ast.literal_eval(default))
    except (ValueError, TypeError) as error:
        raise MethodError(
            f"{path}: {name}'s default is {ast.unparse(default)}; must be a literal number"
        ) from error


def _load(path: Path, kind: str) -> ModuleType:
    name = f"plumbline_{kind}_{digest(str(path.resolve()))[:8]}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _either(names: Iterable[str]) -> str:
    return " or ".join(names)
