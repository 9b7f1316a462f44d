"""Published-style scores from recorded judgments, in the files that the evaluators write."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from plumbline.errors import ConfigError, did_you_mean
from plumbline.plugins import BENCHMARKS, BenchmarkSpec, benchmark_spec, load_benchmark, names_in

FUNCTION = "rescore"


def run(benchmark: str, words: list[str]) -> None:
    """Print what a benchmark's `rescore` makes of its options. words: --key value ..."""
    spec = benchmark_spec(benchmark)
    if FUNCTION not in spec.options:
        raise ConfigError(f"{spec.path} has no function {FUNCTION}; {' and '.join(able())} have")
    function = getattr(load_benchmark(spec), FUNCTION)
    rows = function(**options(function, words, usage(spec, function)))
    print(json.dumps(rows, indent=2, allow_nan=False))


def able() -> list[str]:
    """The benchmarks that can be scored from recorded judgments."""
    names = [path.stem for path in names_in(BENCHMARKS)]
    return [name for name in names if FUNCTION in benchmark_spec(name).options]


def usage(spec: BenchmarkSpec, function: Callable) -> str:
    """How the command is typed for this benchmark, and what its options are."""
    words = [
        f"--{name} {name.upper()}" if item.default is item.empty else f"[--{name} {name.upper()}]"
        for name, item in inspect.signature(function).parameters.items()
    ]
    line = " ".join(["plumbline", FUNCTION, spec.name, *words])
    return f"{line}\n\n{inspect.getdoc(function)}"


def options(function: Callable, words: list[str], help: str) -> dict[str, Any]:
    """The options of `function` that were typed; those annotated as paths are files that exist.

    ConfigError, with `help`, for one that is unknown, missing, without a value or no file.
    """
    parameters = inspect.signature(function, eval_str=True).parameters
    found = {}
    for key, value in _pairs(words, help):
        if key not in parameters:
            hint = did_you_mean(f"--{key}", [f"--{name}" for name in parameters])
            raise ConfigError(f"--{key}: unknown option; {hint}the options:\n\n{help}")
        if parameters[key].annotation is Path and not Path(value).is_file():
            raise ConfigError(f"--{key}: no file {value}\n\n{help}")
        found[key] = Path(value) if parameters[key].annotation is Path else value
    needed = [name for name, item in parameters.items() if item.default is item.empty]
    if missing := [f"--{name}" for name in needed if name not in found]:
        raise ConfigError(f"{', '.join(missing)}: required, not given\n\n{help}")
    return found


def _pairs(words: list[str], help: str) -> list[tuple[str, str]]:
    """(key, value) of `--key value` and `--key=value`."""
    pairs, rest = [], list(words)
    while rest:
        key, equals, value = rest.pop(0).partition("=")
        if not key.startswith("--"):
            raise ConfigError(f"{key!r}: expected an option, --key value\n\n{help}")
        if not equals and not rest:
            raise ConfigError(f"{key}: has no value\n\n{help}")
        pairs.append((key.removeprefix("--"), value if equals else rest.pop(0)))
    return pairs
