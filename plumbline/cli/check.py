"""One method file held to the contract, and what to do about what it breaks."""

from __future__ import annotations

import traceback
from pathlib import Path

from rich.text import Text

from plumbline.check.method import check_method, exemptions
from plumbline.errors import MethodError
from plumbline.plugins import load_method, read_method
from plumbline.report.terminal import printed

#: A sentence stands on one line of a pipe.
PIPE_WIDTH = 2000


def run(path: Path) -> int:
    """Print every broken clause of a method file, or that it holds; the exit code, 1 or 0."""
    problems, spared = examined(path)
    lines = [Text(f"exempt from {name}: {reason}") for name, reason in spared.items()]
    lines += [Text(f"{path}: {problem}", style="red") for problem in problems]
    if not problems:
        lines += [Text(f"{path} holds the contract of a method", style="green")]
    print(printed(*lines, pipe_width=PIPE_WIDTH), end="")
    return 1 if problems else 0


def examined(path: Path) -> tuple[list[str], dict[str, str]]:
    """What is wrong with a file, in sentences; the checks that it need not hold, and why."""
    try:
        spec = read_method(path)
    except MethodError as error:
        return [str(error).removeprefix(str(path)).lstrip(":, ")], {}
    try:
        function = load_method(spec)
    except Exception as error:  # whatever a stranger's file raises is a finding, not a crash
        return [_unimportable(error, path)], {}
    return check_method(function), exemptions(function)


def _unimportable(error: Exception, path: Path) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"line {item.lineno}, " for item in frames if Path(item.filename) == path.resolve()]
    return f"it cannot be imported: {''.join(lines[-1:])}{type(error).__name__}: {error}"
