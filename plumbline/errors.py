"""Every error Plumbline raises on purpose, with its exit code.

Each message names the key, the value it got, and what would have been right.
"""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The known name nearest to `name`, as a question and a space; nothing where none is near."""
    near = get_close_matches(name, sorted(known), n=1)
    return f"did you mean {near[0]!r}? " if near else ""


class PlumblineError(Exception):
    """Base class; `exit_code` is what the command line returns."""

    exit_code = 1


class ConfigError(PlumblineError):
    """The experiment file asks for something that does not exist or cannot work."""

    exit_code = 2


class DataError(PlumblineError):
    """A data row is not what its schema says: names file, line, field and what was expected."""

    exit_code = 3


class MethodError(PlumblineError):
    """A method or benchmark file breaks its contract."""

    exit_code = 4


class IntegrityError(PlumblineError):
    """A file is torn, foreign, stale or locked by another process."""

    exit_code = 5


class JudgeError(PlumblineError):
    """A judge could not be asked, or its answer could not be read."""

    exit_code = 6


class ClaimError(PlumblineError):
    """A run does not bear out a claim that it was held against, or bears out a negative control."""

    exit_code = 7


class ComparisonError(PlumblineError):
    """Nothing contradicts the claims, but some of them could not be held against the run."""

    exit_code = 8


class Stopped(PlumblineError):
    """SIGTERM ended a job that goes on from where it was; the code is a shell's for SIGTERM."""

    exit_code = 143
