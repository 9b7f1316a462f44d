"""The batch types: units, declared needs, and that listing them costs no torch."""

import copy
import subprocess
import sys

import pytest
import torch

from plumbline import Completions, Lists, Pairs, Singles
from plumbline.batches import NEEDS
from plumbline.errors import MethodError


def completions(**needed) -> Completions:
    return Completions(torch.tensor([-10.0, -3.0]), torch.tensor([5, 2]), needed)


def test_logratio_is_policy_minus_reference():
    column = completions(reference=torch.tensor([-11.0, -1.0]))
    assert column.logratio.tolist() == [1.0, -2.0]


def test_mean_is_per_token():
    assert completions().mean_policy.tolist() == [-2.0, -1.5]


def test_undeclared_need_names_itself_and_the_known_ones():
    with pytest.raises(MethodError, match="reference") as caught:
        completions().logratio  # noqa: B018
    assert all(need in str(caught.value) for need in NEEDS)


def test_needs_of_an_example_are_found_on_its_batch():
    column, prompts = completions(), {"embedding": torch.eye(2)}
    labels = torch.tensor([True, False])
    for batch in (
        Pairs(column, column, prompts),
        Singles(column, labels, needed=prompts),
        Lists(column, labels.float(), prompts),
    ):
        assert copy.deepcopy(batch).embedding.tolist() == [[1, 0], [0, 1]]
        with pytest.raises(MethodError, match="no 'label': .* declares it"):
            batch.label  # noqa: B018


def test_columns_survive_copying():
    column = completions(reference=torch.tensor([-11.0, -1.0]))
    assert copy.deepcopy(column).logratio.tolist() == column.logratio.tolist()


def test_importing_plumbline_does_not_import_torch():
    code = "import sys, plumbline; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
