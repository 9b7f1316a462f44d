"""The contract of a method file: what `losses/*.py` must be and do, one small check each.

`check_method(function)` returns sentences addressed to the file's author; none means that the
contract holds. The checks run in stages, so that one mistake is not reported nine times.
"""

from __future__ import annotations

import ast
import doctest
import inspect
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, get_type_hints

import torch
from torch import Tensor

from plumbline.batches import FEEDBACK, NEEDS, Lists, Pairs, Singles
from plumbline.check import examples
from plumbline.check.examples import Batch
from plumbline.contracts import AXES, FIDELITY, RANGES, MethodCard
from plumbline.plugins import read_method
from plumbline.schema import Variant

TYPES = {"Pairs": Pairs, "Singles": Singles, "Lists": Lists}
IMPORTS = {"torch", "plumbline", "math"}
CALLS = {"print", "open", "item", "numpy", "cpu", "cuda", "backward"}
PARTS = {
    "the equation's number, theorem or section": r"\b([Ee]q|Theorem|Appendix|[Ss]ection)",
    "Args:": r"^\s*Args:",
    "Returns:": r"^\s*Returns:",
    "the shape [B]": r"\[B\]",
    "a doctest (>>>)": r">>> ",
}
#: Gradients below this, in 1 / nat, count as zero.
ZERO = 1e-7
TOY_STEPS, TOY_STEP_LENGTH = 30, 0.02
PADDING = 3
#: How many responses a prompt may have, where an optimum depends on it.
RESPONSES = (2, 4, 8)

Check = Callable[[Callable], list[str]]


def check_method(function: Callable) -> list[str]:
    """Every broken clause of the contract as `check: sentence`; empty when all hold."""
    for stage in STAGES:
        exempt = exemptions(function)
        problems = [
            f"{check.__name__}: {sentence}"
            for check in stage
            if check.__name__ not in exempt
            for sentence in _attempt(check, function)
        ]
        if problems:
            return problems
    return []


def exemptions(function: Callable) -> dict[str, str]:
    """The checks a method declares not to meet, and why; only those that may be exempted."""
    card = getattr(function, "card", None)
    return {name: reason for name, reason in getattr(card, "exempt", ()) if name in EXEMPTIBLE}


# What the file says


def declaration(function: Callable) -> list[str]:
    """@method names title, paper with version, known needs, and exemptions with a reason."""
    card = getattr(function, "card", None)
    if not isinstance(card, MethodCard):
        return ["decorate the function with @method(title=..., paper=...)"]
    problems = []
    if not card.title:
        problems.append("title is empty; it names the method in every table")
    if not card.paper or re.search(r"arxiv", card.paper, re.I) and not _versioned(card.paper):
        problems.append(f"paper is {card.paper!r}; write e.g. 'arXiv:2305.18290v3', with version")
    for need in set(card.needs) - set(NEEDS):
        problems.append(f"unknown need {need!r}; known: {', '.join(NEEDS)}")
    if card.optimum != "True" and not card.theorem:
        problems.append("optimum restricts the hyperparameters, so theorem must say by what result")
    for name, reason in card.exempt:
        if name not in EXEMPTIBLE:
            problems.append(f"{name!r} cannot be exempted; only {', '.join(sorted(EXEMPTIBLE))}")
        if not reason:
            problems.append(f"the exemption from {name!r} gives no reason")
    return problems + _misplaced(card)


def signature(function: Callable) -> list[str]:
    """First a batch, then keyword-only hyperparameters with default and range; a Tensor out."""
    first, *others = inspect.signature(function).parameters.values()
    hints = get_type_hints(function, include_extras=True)
    problems = []
    if hints.get(first.name) not in TYPES.values():
        problems.append(f"annotate the first argument {first.name!r} with {_either(FEEDBACK)}")
    if hints.get("return") is not Tensor:
        problems.append("annotate the result: -> Tensor")
    for parameter in others:
        problems += _hyperparameter_problems(parameter, hints.get(parameter.name))
    if "reference_samples" in function.card.needs and "samples" not in hints:
        problems.append("it needs 'reference_samples'; say how many: *, samples: Samples = 16")
    if function.__name__ != _file_of(function).stem:
        problems.append(f"the function {function.__name__!r} must be named like its file")
    return problems


def optimum(function: Callable) -> list[str]:
    """At the defaults its own expression says that the loss has an optimum."""
    spec = read_method(_file_of(function))
    found = [count for count in RESPONSES if spec.unbounded({}, count)]
    return [
        f"by optimum={spec.card.optimum!r} the loss has no optimum at its defaults for n = "
        f"{count}; choose defaults for which it has one"
        for count in found[:1]
    ]


def docstring(function: Callable) -> list[str]:
    """One line, equation and paper with version, Args, Returns with shape, a doctest that runs."""
    text = function.__doc__ or ""
    missing = [part for part, pattern in PARTS.items() if not re.search(pattern, text, re.M)]
    if function.card.paper not in text:
        missing.append(f"the paper as the decorator names it ({function.card.paper})")
    problems = [f"the docstring lacks {part}" for part in missing]
    if not re.search(r"#.*([Ee]q|Theorem|Appendix|[Ss]ection)", _file_of(function).read_text()):
        problems.append("put the equation's number in a comment beside the line that implements it")
    if failure := _failed_examples(function):
        problems.append(f"the docstring's example fails:\n{failure}")
    return problems


def purity(function: Callable) -> list[str]:
    """Imports torch and plumbline only; no printing, files, device moves or leaving tensors."""
    tree = ast.parse(_file_of(function).read_text())
    problems = []
    for node in ast.walk(tree):
        for module in _imported(node):
            if module.split(".")[0] not in IMPORTS:
                problems.append(f"imports {module}; a method may import torch and plumbline only")
        if isinstance(node, ast.Call) and _called(node) in CALLS:
            problems.append(
                f"line {node.lineno} calls {_called(node)}(); tensors in, tensors out: the engine "
                "does the rest"
            )
    return problems


# What the function asks for and gives back


def needs(function: Callable) -> list[str]:
    """It runs on a batch with its declared needs only, and not on one with fewer."""
    declared = function.card.needs
    failure = _failure(function, declared)
    if failure is None:
        unused = [need for need in declared if _failure(function, _without(declared, need)) is None]
        return [
            f"it declares {need!r} and never reads it: the engine would compute it in vain"
            for need in unused
        ]
    for need in NEEDS:
        if _failure(function, (*declared, need)) is None:
            return [f"it reads {need!r} without declaring it: write needs={(*declared, need)!r}"]
    return [f"it fails on a batch with needs={declared!r}: {type(failure).__name__}: {failure}"]


def shape(function: Callable) -> list[str]:
    """One float32 loss per example, with gradient."""
    batch = _random(function)
    losses, rows = function(_learning(batch)), examples.rows_of(batch)
    if not isinstance(losses, Tensor):
        return [f"it returns {type(losses).__name__}; return a Tensor of shape [B]"]
    if losses.shape != (rows,):
        return [
            f"it returns shape {list(losses.shape)} for {rows} examples; return the losses "
            f"unreduced, shape [{rows}]: the engine takes the mean"
        ]
    problems = []
    if losses.dtype != torch.float32:
        problems.append(f"float32 went in and {losses.dtype} came out; keep the batch's dtype")
    if not losses.requires_grad:
        problems.append("the losses carry no gradient; do not detach the policy")
    return problems


# What the function computes


def finite(function: Callable) -> list[str]:
    """Value and gradient are finite at log-ratios of -1e4, 0 and 1e4."""
    batch = _restricted(function, examples.extreme_batch(feedback_of(function)))
    rows = examples.rows_of(batch)
    alone = [examples.mapped(batch, lambda tensor, row=row: tensor[[row]]) for row in range(rows)]
    for case in [batch, *alone]:
        losses, gradients = _losses_and_gradients(function, case)
        for name, values in {"loss": losses, **gradients}.items():
            bad = values[~values.isfinite()]
            if len(bad):
                what = name if name == "loss" else f"gradient on {name}"
                return [
                    f"at log-ratios of +-1e4 the {what} is {bad[0]}; use logsigmoid, logsumexp or "
                    "log1p, or clamp before exp (where() does not keep NaN out of a gradient)"
                ]
    return []


def sign_at_reference(function: Callable) -> list[str]:
    """At policy = reference the preferred response is pushed up and the other one is not."""
    batch = _restricted(function, examples.untrained_batch(feedback_of(function)))
    _, gradients = _losses_and_gradients(function, batch)
    better, worse = _preferred_and_not(batch, gradients)
    problems = []
    if not (better < -ZERO).all():
        problems.append(
            "at policy = reference a step does not raise the preferred response: dL/dlogp is "
            f"{better.max():+.3g}; must be negative. Is a sign turned?"
        )
    if not (worse > -ZERO).all():
        problems.append(
            "at policy = reference a step raises the response that is not preferred: dL/dlogp is "
            f"{worse.min():+.3g}; must not be negative. Is a sign turned?"
        )
    return problems


def permutation(function: Callable) -> list[str]:
    """The order of the batch does not matter; for coupled methods, not to the sum."""
    batch = _random(function)
    order = torch.randperm(examples.rows_of(batch), generator=torch.Generator().manual_seed(0))
    there = function(examples.mapped(batch, lambda tensor: tensor[order]))
    here = function(batch)[order]
    if function.card.coupled:
        here, there = here.sum(), there.sum()
    return [] if _close(here, there) else ["the losses depend on the order of the batch's examples"]


def microbatches(function: Callable) -> list[str]:
    """Splitting the batch changes nothing, unless the method declares `coupled`."""
    batch, half = _random(function), examples.ROWS // 2
    parts = [
        function(examples.mapped(batch, lambda tensor, part=part: tensor[part]))
        for part in (slice(None, half), slice(half, None))
    ]
    same = _close(torch.cat(parts), function(batch))
    if same and function.card.coupled:
        return ["it declares coupled=True and gives the same losses in micro-batches: drop it"]
    if not same and not function.card.coupled:
        return [
            "an example's loss changes with the others of its batch: write coupled=True, so that "
            "the engine shows the method the whole global batch"
        ]
    return []


def padding(function: Callable) -> list[str]:
    """More padding behind the tokens changes nothing."""
    batch = _random(function)
    if _close(function(examples.padded(batch, PADDING)), function(batch)):
        return []
    return [
        f"{PADDING} more places of padding change the losses: take tokens by token_mask before you "
        "add or average them, and divide by completions.tokens"
    ]


def gradcheck(function: Callable) -> list[str]:
    """The gradient agrees with finite differences in float64."""
    batch = examples.mapped(_random(function), _to_float64)
    leaves = sum(examples.leaves_of(batch).values(), examples.readings_of(batch))

    def losses(*values: Tensor) -> Tensor:
        return function(examples.substituted(batch, leaves, values))

    values = [leaf.detach().requires_grad_() for leaf in leaves]
    if torch.autograd.gradcheck(losses, values, raise_exception=False):
        return []
    return [
        "in float64 the gradient disagrees with finite differences; if a term is detached by "
        "design, exempt 'gradcheck' with that reason"
    ]


def determinism(function: Callable) -> list[str]:
    """Called twice, it gives the same bytes."""
    batch = _random(function)
    if torch.equal(function(batch), function(batch)):
        return []
    return ["two calls on one batch differ; draw no random numbers"]


def relabelling(function: Callable) -> list[str]:
    """A method that needs `label` has a function `relabel`: of a batch, labels [B] in [0, 1]."""
    if "label" not in function.card.needs:
        return []
    relabel = function.__globals__.get("relabel")
    if relabel is None:
        return ["it needs 'label' and has no function: def relabel(batch, *, ...) -> Tensor"]
    known = inspect.signature(function).parameters
    _, *names = inspect.signature(relabel).parameters
    if unknown := set(names) - set(known):
        return [f"relabel takes {sorted(unknown)}, which are no hyperparameters of the method"]
    relabel = partial(relabel, **{name: known[name].default for name in names})
    for batch in (_random(function), examples.extreme_batch(feedback_of(function))):
        batch = _restricted(function, batch)
        labels = relabel(batch)
        if labels.shape != (examples.rows_of(batch),) or not ((labels >= 0) & (labels <= 1)).all():
            return ["relabel must return one label per example, [B], between 0 and 1"]
        alone = relabel(examples.mapped(batch, lambda tensor: tensor[:1]))
        if not _close(alone, labels[:1]):
            return ["an example's new label depends on the others of its batch"]
    return []


def inputs(function: Callable) -> list[str]:
    """The batch is left as it was."""
    batch = _random(function)
    before = [tensor.clone() for tensor in examples.tensors_of(batch)]
    function(batch)
    after = examples.tensors_of(batch)
    if all(torch.equal(*pair) for pair in zip(before, after, strict=True)):
        return []
    return ["it modifies the batch in place; the same tensors serve the diagnostics"]


def toy_run(function: Callable) -> list[str]:
    """Thirty small gradient steps on a bigram model lower the mean loss."""
    generator = torch.Generator().manual_seed(0)
    sides = examples.VOCABULARY, examples.VOCABULARY
    reference = torch.randn(*sides, generator=generator, dtype=torch.float64)
    weights = reference.clone().requires_grad_()

    def loss() -> Tensor:
        batch = examples.toy_batch(feedback_of(function), weights, reference)
        return function(_restricted(function, batch)).mean()

    before = loss().item()
    for _ in range(TOY_STEPS):
        (gradient,) = torch.autograd.grad(loss(), weights)
        weights.data -= TOY_STEP_LENGTH * gradient / gradient.norm().clamp(min=ZERO)
    after = loss().item()
    if after < before:
        return []
    return [
        f"{TOY_STEPS} gradient steps on a toy model took the loss from {before:.6g} to {after:.6g}"
    ]


STAGES: tuple[tuple[Check, ...], ...] = (
    (declaration,),
    (signature, purity),
    (optimum,),
    (needs,),
    (shape,),
    (
        docstring,
        finite,
        sign_at_reference,
        permutation,
        microbatches,
        padding,
        gradcheck,
        determinism,
        relabelling,
        inputs,
        toy_run,
    ),
)
#: What each check holds, in words: name -> sentence.
CHECKS = {check.__name__: check.__doc__ for stage in STAGES for check in stage}
#: The checks a method may be exempt from, with a reason. Finiteness is never one of them.
EXEMPTIBLE = {"sign_at_reference", "permutation", "gradcheck", "determinism", "toy_run"}


def feedback_of(function: Callable) -> type:
    """The batch type of a method: Pairs, Singles or Lists."""
    first = next(iter(inspect.signature(function).parameters))
    return get_type_hints(function)[first]


def _attempt(check: Check, function: Callable) -> list[str]:
    try:
        return check(function)
    except Exception as error:  # whatever a stranger's file raises is a finding, not a crash
        return [f"it raised {type(error).__name__}: {error}"]


def _restricted(function: Callable, batch: Batch) -> Batch:
    return examples.restricted(batch, function.card.needs)


def _random(function: Callable) -> Batch:
    return _restricted(function, examples.random_batch(feedback_of(function), seed=0))


def _learning(batch: Batch) -> Batch:
    """A copy of the batch whose policy log-probabilities carry gradient."""
    copy = examples.mapped(batch, Tensor.clone)
    for column in examples.leaves_of(copy).values():
        for leaf in column:
            leaf.requires_grad_()
    for reading in examples.readings_of(copy):
        reading.requires_grad_()
    return copy


def _losses_and_gradients(function: Callable, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """Losses, and for each learning column dL/dlogp: [B] or [B, N], per nat of the whole sum.

    Of readings of the policy's logits, dL/dreading is beside them, under "readings".
    """
    batch = _learning(batch)
    losses, gradients = function(batch), {}
    for name, leaves in examples.leaves_of(batch).items():
        parts = torch.autograd.grad(
            losses.sum(), leaves, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        whole, *per_token = parts
        gradients[name] = whole + sum(part.mean(-1) for part in per_token)
    if readings := examples.readings_of(batch):
        slopes = torch.autograd.grad(
            losses.sum(), readings, allow_unused=True, materialize_grads=True
        )
        gradients["readings"] = torch.cat([slope.flatten() for slope in slopes])
    return losses, gradients


def _preferred_and_not(batch: Batch, gradients: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """The gradients of the responses that should rise, and of those that should not."""
    if isinstance(batch, Pairs):
        return gradients["chosen"], gradients["rejected"]
    if isinstance(batch, Singles):
        gradient = gradients["completion"]
        return gradient[batch.desirable], gradient[~batch.desirable]
    ends = (batch.scores.argmax(-1, keepdim=True), batch.scores.argmin(-1, keepdim=True))
    return tuple(gradients["completions"].gather(-1, end) for end in ends)


def _failure(function: Callable, declared: tuple[str, ...]) -> Exception | None:
    """What the function raises on a batch with these needs; None if it runs."""
    batch = examples.random_batch(feedback_of(function), seed=0)
    try:
        function(examples.restricted(batch, declared))
    except Exception as error:
        return error
    return None


def _hyperparameter_problems(parameter: inspect.Parameter, hint: Any) -> list[str]:
    name, default = parameter.name, parameter.default
    problems = []
    if name in Variant.model_fields:
        problems.append(
            f"{name!r} is a key of experiment files; give the hyperparameter another name"
        )
    if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
        problems.append(f"hyperparameter {name!r} must stand after '*', keyword-only")
    known = [item for item in getattr(hint, "__metadata__", ()) if item in RANGES.values()]
    if not known:
        problems.append(f"annotate {name!r} with its range: {_either(RANGES)}")
    if default is inspect.Parameter.empty:
        problems.append(f"hyperparameter {name!r} has no default; give the paper's")
    elif known and not known[0].holds(default):
        problems.append(f"the default {name}={default!r} is not {known[0]}")
    return problems


def _failed_examples(function: Callable) -> str:
    """What running the docstring's examples printed where they fail; empty where they pass."""
    printed: list[str] = []
    finder = doctest.DocTestFinder(recurse=False)
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    for example in finder.find(function, function.__name__, globs=dict(function.__globals__)):
        runner.run(example, out=printed.append)
    return "".join(printed)


def _file_of(function: Callable) -> Path:
    return Path(inspect.getsourcefile(function))


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [name.name for name in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or "."]
    return []


def _called(call: ast.Call) -> str:
    return getattr(call.func, "id", None) or getattr(call.func, "attr", "")


def _misplaced(card: MethodCard) -> list[str]:
    """What is wrong with a method's place among the others; it need not name one."""
    problems = []
    if card.fidelity not in FIDELITY:
        problems.append(f"fidelity is {card.fidelity!r}; must be {_either(FIDELITY)}")
    if card.axes and len(card.axes) != len(AXES):
        return [
            *problems,
            f"axes has {len(card.axes)} words; give one of each of {', '.join(AXES)}",
        ]
    for word, (axis, words) in zip(card.axes, AXES.items(), strict=False):
        if word not in words:
            problems.append(f"axes says {word!r} for {axis}; must be {_either(words)}")
    return problems


def _versioned(paper: str) -> bool:
    return re.search(r"arXiv:\d{4}\.\d{4,5}v\d+", paper) is not None


def _without(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(other for other in names if other != name)


def _to_float64(tensor: Tensor) -> Tensor:
    return tensor.double() if tensor.is_floating_point() else tensor


def _close(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-5, atol=1e-6)


def _either(names) -> str:
    return " or ".join(names)
