"""Broken method files are rejected by the right check, with a sentence that says what to do."""

from pathlib import Path

import pytest
import torch

from plumbline.check.method import CHECKS, EXEMPTIBLE, check_method
from plumbline.plugins import METHODS, load_method, method_spec, read_method

torch.set_num_threads(1)
BROKEN = Path(__file__).parent / "broken"


@pytest.mark.parametrize(
    ("name", "check", "sentence"),
    [
        ("wrong_sign", "sign_at_reference", "Is a sign turned?"),
        ("reduced", "shape", "return the losses unreduced"),
        ("nan_at_extremes", "finite", "at log-ratios of +-1e4 the loss is nan"),
        ("ignored_mask", "padding", "take tokens by token_mask"),
        ("no_default", "signature", "'beta' has no default; give the paper's"),
        ("uncounted_samples", "signature", "say how many: *, samples: Samples = 16"),
        ("undeclared_need", "needs", "write needs=('reference',)"),
        ("undeclared_coupling", "microbatches", "write coupled=True"),
        ("coupled_labels", "relabelling", "new label depends on the others"),
    ],
)
def test_broken_file_is_rejected(name, check, sentence):
    problems = check_method(load_method(read_method(BROKEN / f"{name}.py")))
    assert any(item.startswith(f"{check}: ") and sentence in item for item in problems), problems
    assert len(problems) <= 2, "one mistake should not be reported many times"


MARGIN = "margin = beta * (batch.chosen.logratio - batch.rejected.logratio)"
RESULT = "return -logsigmoid(margin)  # Eq. (7)"
CARD = 'needs=("reference",)'
MUTATIONS = {
    "declaration: unknown need": (CARD, 'needs=("refrence",)', "unknown need 'refrence'"),
    "declaration: no version": (
        'paper="arXiv:2305.18290v3"',
        'paper="arXiv:2305.18290"',
        "version",
    ),
    "declaration: no theorem": (CARD, CARD + ', optimum="beta < 1"', "by what result"),
    "declaration: no finite exemption": (
        CARD,
        CARD + ', exempt=(("finite", "why not"),)',
        "'finite' cannot be exempted",
    ),
    "declaration: no reason": (CARD, CARD + ', exempt=(("toy_run", ""),)', "gives no reason"),
    "signature: positional": ("batch: Pairs, *, beta", "batch: Pairs, beta", "keyword-only"),
    "signature: a key of the experiment file": (
        "*, beta: Positive = 0.1",
        "*, beta: Positive = 0.1, labels: Positive = 0.1",
        "'labels' is a key of experiment files",
    ),
    "signature: no range": ("beta: Positive = 0.1", "beta: float = 0.1", "with its range"),
    "signature: out of range": ("beta: Positive = 0.1", "beta: Positive = -0.1", "is not > 0"),
    "optimum: none": (CARD, CARD + ', optimum="beta > n", theorem="1"', "for n = 2"),
    "optimum: misspelt": (CARD, CARD + ', optimum="betta > 0", theorem="1"', "NameError"),
    "docstring: no returns": ("    Returns:", "    Gives:", "lacks Returns:"),
    "docstring: example": ("tensor([0.6210])", "tensor([0.6211])", "example fails"),
    "docstring: no equation beside": ("  # Eq. (7)\n", "\n", "beside the line"),
    "purity: import": (
        "from torch import Tensor",
        "import numpy\nfrom torch import Tensor",
        "numpy",
    ),
    "purity: print": (RESULT, "print(margin)\n    " + RESULT, "calls print()"),
    "needs: in vain": (CARD, 'needs=("reference", "token_values")', "never reads it"),
    "shape: dtype": (RESULT, "return -logsigmoid(margin.double())", "keep the batch's dtype"),
    "shape: detached": (RESULT, "return -logsigmoid(margin.detach())", "carry no gradient"),
    "permutation": (RESULT, "return -logsigmoid(margin) * margin.argsort()", "order of the batch"),
    "microbatches": (CARD, CARD + ", coupled=True", "drop it"),
    "gradcheck": (RESULT, "return -logsigmoid(margin) * margin.exp().detach()", "finite diff"),
    "determinism": (
        RESULT,
        "return -logsigmoid(margin) * margin.new_empty(1).uniform_()",
        "random",
    ),
    "inputs": (MARGIN, MARGIN + "\n    batch.chosen.reference.mul_(2)", "in place"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_check_notices_its_mutation(name, tmp_path):
    """losses/dpo.py with one thing changed, and what its author is told."""
    before, after, sentence = MUTATIONS[name]
    source = (METHODS / "dpo.py").read_text()
    assert before in source
    path = tmp_path / "dpo.py"
    path.write_text(source.replace(before, after + "  # Eq. (7)" * (before == RESULT), 1))
    problems = check_method(load_method(read_method(path)))
    check = name.split(":")[0]
    assert any(item.startswith(f"{check}: ") and sentence in item for item in problems), problems


def test_toy_run_notices_a_loss_that_rises(tmp_path):
    """The gradient climbs while the value stays the same: -L plus a detached 2 L."""
    source = (METHODS / "dpo.py").read_text()
    climbing = "loss = -logsigmoid(margin)  # Eq. (7)\n    return 2 * loss.detach() - loss"
    path = tmp_path / "dpo.py"
    path.write_text(source.replace(RESULT, climbing))
    problems = check_method(load_method(read_method(path)))
    assert any(item.startswith("toy_run: 30 gradient steps") for item in problems), problems


def test_exemption_with_a_reason_skips_the_check(tmp_path):
    source = (METHODS / "dpo.py").read_text()
    path = tmp_path / "dpo.py"
    exempt = CARD + ', exempt=(("gradcheck", "the weight is detached"),)'
    weighted = "return -logsigmoid(margin) * margin.exp().clamp(max=9).detach()  # Eq. (7)"
    path.write_text(source.replace(CARD, exempt).replace(RESULT, weighted))
    problems = check_method(load_method(read_method(path)))
    assert not any("gradcheck" in item for item in problems)


def test_token_level_method_passes(tmp_path):
    """DPO written over tokens, which needs both reference and token values."""
    source = (METHODS / "dpo.py").read_text()
    by_token = (
        "chosen, rejected = (\n"
        "        (side.token_policy * side.token_mask).sum(-1) - side.reference\n"
        "        for side in (batch.chosen, batch.rejected)\n"
        "    )\n"
        "    margin = beta * (chosen - rejected)"
    )
    source = source.replace(CARD, 'needs=("reference", "token_values")').replace(MARGIN, by_token)
    path = tmp_path / "dpo.py"
    path.write_text(
        source.split("    >>> from torch")[0]
        + "    >>> 1\n    1\n"
        + source[source.index("\n    References") :]
    )
    assert check_method(load_method(read_method(path))) == []


def test_plain_function_is_told_to_use_the_decorator():
    assert check_method(lambda batch: batch) == [
        "declaration: decorate the function with @method(title=..., paper=...)"
    ]


def test_checks_are_listed_with_what_they_hold():
    assert set(CHECKS) >= EXEMPTIBLE and "finite" in CHECKS and all(CHECKS.values())


def test_a_good_method_passes():
    assert check_method(load_method(method_spec("pro_p"))) == []
