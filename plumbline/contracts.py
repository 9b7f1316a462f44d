"""The decorators and types that a method file or a benchmark file declares itself with.

A method's signature is its specification: the type of the first argument says which feedback it
learns from, the keyword-only arguments are its hyperparameters with the paper's defaults, and
their annotations are the admissible ranges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal


@dataclass(frozen=True)
class Range:
    """An interval of admissible values; `open_low` excludes the lower end, `whole` fractions."""

    low: float
    high: float
    open_low: bool = False
    whole: bool = False

    def holds(self, value: float) -> bool:
        """Whether `value` lies in the interval."""
        above = value > self.low if self.open_low else value >= self.low
        return above and value <= self.high and (not self.whole or value % 1 == 0)

    def __str__(self) -> str:
        if self == RANGES["Positive"]:
            return "> 0"
        if self == RANGES["NonNegative"]:
            return ">= 0"
        if self == RANGES["Real"]:
            return "any number"
        kind = "a whole number " if self.whole else ""
        return f"{kind}between {self.low:g} and {self.high:g}"


INFINITY = float("inf")
#: Completions that are drawn from the reference for each prompt, where a method reads some of them.
DRAWN = 16
#: The annotations a hyperparameter may have, by name.
RANGES = {
    "Positive": Range(0.0, INFINITY, open_low=True),
    "NonNegative": Range(0.0, INFINITY),
    "Fraction": Range(0.0, 1.0),
    "Real": Range(-INFINITY, INFINITY),
    "Samples": Range(1, DRAWN, whole=True),
}
Positive = Annotated[float, RANGES["Positive"]]
NonNegative = Annotated[float, RANGES["NonNegative"]]
Fraction = Annotated[float, RANGES["Fraction"]]
Real = Annotated[float, RANGES["Real"]]
Samples = Annotated[float, RANGES["Samples"]]


#: Where a method stands on the four axes of arXiv:2503.11701v1, in their order, one word on each.
AXES = {
    "data": ("point-wise", "pair-wise", "list-wise", "token-level"),
    "framework": ("offline", "iterative", "unlearning"),
    "constraint": ("reference", "reference-free", "divergence", "supervised"),
    "property": (
        "general",
        "length bias",
        "likelihood displacement",
        "label noise",
        "overfitting",
        "distribution shift",
        "imbalance",
        "forgetting",
    ),
}
#: Whether a method's formula was read in its paper or code, or is known from elsewhere only.
FIDELITY = ("verified", "unverified")


@dataclass(frozen=True)
class Metric:
    """One number a benchmark reports.

    better: "higher" or "lower" is better, or "none" for a number that is not a quality.
    unit: "%", "1-10", "words", ...; low and high bound the admissible values.
    divisible: whether it means the same over some of the items; an official figure of a fixed set
    does not.
    """

    name: str
    better: Literal["higher", "lower", "none"]
    unit: str
    low: float
    high: float
    divisible: bool = True


@dataclass(frozen=True)
class MethodCard:
    """What `@method` was told. See `method`."""

    title: str
    paper: str
    needs: tuple[str, ...] = ()
    coupled: bool = False
    optimum: str = "True"
    theorem: str = ""
    exempt: tuple[tuple[str, str], ...] = ()
    oracle: str = ""
    axes: tuple[str, ...] = ()
    fidelity: str = "verified"

    @property
    def unranked(self) -> str | None:
        """Why the method takes no part in ranks, or None where it does."""
        if self.fidelity == "unverified":
            return "fidelity: unverified"
        return "unlearning" if "unlearning" in self.axes else None


@dataclass(frozen=True)
class BenchmarkCard:
    """What `@benchmark` was told. See `benchmark`."""

    title: str
    version: str
    metrics: tuple[Metric, ...]
    splits: tuple[str, ...] = ("test",)
    judged: bool = False
    referenced: bool = False


def method(
    *,
    title: str,
    paper: str,
    needs: tuple[str, ...] = (),
    coupled: bool = False,
    optimum: str = "True",
    theorem: str = "",
    exempt: tuple[tuple[str, str], ...] = (),
    oracle: str = "",
    axes: tuple[str, ...] = (),
    fidelity: str = "verified",
) -> Callable[[Callable], Callable]:
    """Declare a loss function as a method. All arguments are literals, read without importing.

    title: name in tables. paper: identifier with version. needs: keys of `batches.NEEDS`.
    coupled: one example's loss depends on the others of the global batch.
    optimum: an expression in the hyperparameters and `n` (responses a prompt) that must hold for
    the loss to be bounded below, by `theorem`; the config refuses other points unless it says
    `allow_unbounded: true`. exempt: (contract check, reason) pairs. oracle: what its test holds it
    against, not written by us. axes: one word of each of `AXES`, in their order. fidelity: a key
    of `FIDELITY`; an unverified method is trained and listed, but takes no part in ranks.
    """
    card = MethodCard(
        title, paper, needs, coupled, optimum, theorem, exempt, oracle, axes, fidelity
    )

    def mark(function: Callable) -> Callable:
        function.card = card
        return function

    return mark


def benchmark(
    *,
    title: str,
    version: str,
    metrics: tuple[Metric, ...],
    splits: tuple[str, ...] = ("test",),
    judged: bool = False,
    referenced: bool = False,
) -> Callable[[Callable], Callable]:
    """Declare a benchmark file's `score` function. All arguments are literals or `Metric(...)`.

    splits: where it can be scored. judged: it asks a judge. referenced: it reads how likely the
    reference finds the answers. The type of `score`'s first argument
    says what it needs: `Responses` or `Model`. The file's other functions: `prompts(data, split)`
    -> prompt rows (needed by `Responses` benchmarks) and optionally `summarise(items)`, and
    `decoding()` -> for each metric, how what it measures is asked for. Options are keyword-only
    arguments of these functions and come from the experiment file.
    """
    card = BenchmarkCard(title, version, metrics, splits, judged, referenced)

    def mark(function: Callable) -> Callable:
        function.card = card
        return function

    return mark


@dataclass(frozen=True)
class Data:
    """The data of a setting as a benchmark sees it.

    folder: where `{split}.parquet` lie; source: the data source's name; seed: the data seed.
    """

    folder: str
    source: str
    seed: int


@dataclass(frozen=True)
class Judge:
    """An OpenAI-compatible endpoint: url (ends in /v1), token (bearer), name and version."""

    url: str
    token: str = field(repr=False)
    name: str
    version: str


@dataclass(frozen=True)
class Model:
    """A Hugging Face model folder, with its tokenizer and chat template.

    name: how evaluators label it; scratch: a folder the benchmark may write to.
    """

    folder: str
    name: str
    scratch: str


@dataclass(frozen=True)
class Responses:
    """Answers of one model to this benchmark's prompts.

    rows: dicts of `rows.RESPONSE`, one per prompt, in the order of `prompts`; `payload` decoded.
    name: how evaluators label the model; scratch: a folder the benchmark may write to.
    """

    rows: list[dict[str, Any]]
    name: str
    scratch: str
