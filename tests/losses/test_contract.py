"""Every file of losses/ keeps the contract of a method. A new file is tested as it appears."""

import pytest
import torch

from plumbline.check.method import check_method
from plumbline.contracts import AXES
from plumbline.plugins import METHODS, load_method, names_in, read_method

torch.set_num_threads(1)


@pytest.mark.parametrize("path", list(names_in(METHODS)), ids=lambda path: path.stem)
def test_contract(path):
    problems = check_method(load_method(read_method(path)))
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("path", list(names_in(METHODS)), ids=lambda path: path.stem)
def test_ours_say_their_oracle_and_their_place(path):
    card = read_method(path).card
    assert card.oracle and len(card.axes) == len(AXES)
    assert (path.parent.parent / "tests" / "losses" / f"test_{path.stem}.py").is_file()
    assert "plumbline new-method" not in path.read_text(), "its first lines say what to change"
