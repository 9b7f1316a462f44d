"""Our side: `align` as a run calls it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from transformers import PreTrainedModel

from bench.gate import Gate
from bench.models import RECIPE, SEED, make_model, make_tokenizer, view
from bench.works import Work
from plumbline.model.logprobs import Policy, logprobs_by_row
from plumbline.model.sequences import apart
from plumbline.plugins import method_spec
from plumbline.train.align import Dynamics, align
from plumbline.train.examples import Example, tokenise, with_references
from plumbline.train.geometry import solve
from plumbline.train.objective import Objective
from plumbline.train.trainer import Place

#: Tokens of a reference pass: a process that aligns makes none, so this one must not be its peak.
SMALL = 2048


def train(work: Work, method: str, steps: int, gate: Gate, folder: Path) -> Dynamics:
    """Align a model for `steps` steps, with `gate` before every repeat; the training log."""
    spec, tokenizer = method_spec(method), make_tokenizer(work)
    policy = _policy(work, make_model(work, tokenizer))
    rows = view(work, spec.feedback, steps, tokenizer)
    examples = referenced(tokenise(rows, spec.feedback, tokenizer, RECIPE), policy)
    recipe = RECIPE.model_copy(update={"probe_every": work.steps})
    geometry = solve(work.examples(spec.feedback), None)
    place = Place(folder, 10**9, {})
    objective = Objective.of(spec, {})
    return align(policy, examples, objective, recipe, geometry, SEED, gate, place).dynamics


def _policy(work: Work, model: PreTrainedModel) -> Policy:
    if work.sharing:
        return Policy.sharing(model, RECIPE.max_tokens)
    return Policy(model, apart)


def referenced(examples: Sequence[Example], policy: Policy) -> list[Example]:
    """Examples with their log-probabilities under the policy as it starts."""
    found = logprobs_by_row(policy, [example.whole for example in examples], SMALL)
    table = {
        (examples[row].id, index): value
        for row, values in found
        for index, value in enumerate(values)
    }
    return with_references(examples, table)
