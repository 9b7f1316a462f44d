"""docs/conformance.md is what TRL's losses, executed, say of ours."""

import runpy

import pytest
import torch
import trl_counterparts as trl

from plumbline.plugins import METHODS, method_spec, names_in, read_method

torch.set_num_threads(1)

SPECS = [read_method(path) for path in names_in(METHODS)]
#: Those that follow their papers where TRL does not.
DIFFER = {"ipo", "iterative_rpo", "low_lr_sft", "slic_hf"}


@pytest.fixture(scope="module")
def fill(repository) -> dict:
    return runpy.run_path(str(repository / "docs" / "fill_conformance.py"))


@pytest.fixture(scope="module")
def made(fill) -> str:
    return fill["page"](SPECS)


def test_the_page_is_what_the_losses_say(fill, made):
    """docs/conformance.md lags behind where `make docs` was not run."""
    assert fill["PAGE"].read_text(encoding="utf-8") == made


def test_every_method_has_a_line_with_its_verdict(made):
    lines = {line.split("[")[1].split("]")[0]: line for line in made.splitlines() if "../" in line}
    assert list(lines) == [spec.name for spec in SPECS]
    for name, line in lines.items():
        verdict = "differs" if name in DIFFER else "agrees"
        assert (verdict if name in trl.COUNTERPARTS else "absent") in line, line


def test_the_sum_and_the_mean_of_ipo():
    """Log-ratios straight from the numbers: tau = 0.3 wants a margin of 5/3."""
    given = trl.numbers(torch.float64)
    ratios = [(one - two).detach() for one, two in zip(given.policy, given.reference, strict=True)]
    expected = {}
    for reduce in (torch.sum, torch.mean):
        chosen, rejected = torch.stack([reduce(item) for item in ratios]).chunk(2)
        expected[reduce] = ((chosen - rejected - 5 / 3) ** 2).mean().item()
    found = trl.compared(method_spec("ipo"), trl.COUNTERPARTS["ipo"])
    assert found.ours == pytest.approx(expected[torch.sum])
    assert found.theirs == pytest.approx(expected[torch.mean])
    numbers = f"{expected[torch.sum]:.5g} here, {expected[torch.mean]:.5g} in TRL"
    assert found.difference == f"loss: {numbers}"


def test_a_gradient_that_differs_is_found():
    """TRL's DPO at another sign of one completion's gradient, the loss being the same."""
    counterpart = trl.COUNTERPARTS["dpo"]

    def turned(given: trl.Numbers):
        flip = given.policy[1].sum()
        return counterpart.loss(given) + flip - flip.detach()

    found = trl.compared(method_spec("dpo"), trl.Counterpart("", counterpart.point, turned))
    assert found.ours == pytest.approx(found.theirs)
    assert found.difference.startswith("gradient on token 1 of chosen completion 2: ")


def test_who_differs_says_why():
    assert {name for name, item in trl.COUNTERPARTS.items() if item.why} == DIFFER


def test_the_numbers_are_no_edge_case():
    """Ragged, no log-probability at zero, and log-ratios of both signs among both sides."""
    given = trl.numbers(torch.float64)
    assert [len(tokens) for tokens in given.policy] == [*trl.LENGTHS[0], *trl.LENGTHS[1]]
    assert all((tokens < 0).all() for tokens in [*given.policy, *given.reference])
    ratios = torch.stack(
        [(one - two).sum() for one, two in zip(given.policy, given.reference, strict=True)]
    )
    for side in ratios.chunk(2):
        assert side.min() < -0.3 and side.max() > 0.3, ratios


def test_a_method_without_counterpart_is_absent(fill):
    assert fill["page"]([method_spec("pro_p")]).endswith("| | | absent |\n")
    assert "Of 1 methods 0 agree, 0 differ and 1 are absent" in fill["page"]([method_spec("pro_p")])
