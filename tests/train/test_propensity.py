"""The classifier of prompts against two normal distributions, whose density ratio is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from plumbline.errors import DataError
from plumbline.train import propensity
from plumbline.train.propensity import with_propensities


@pytest.fixture
def two_normals(examples):
    """Embeddings of unit normals, at +1/2 (desirable) and -1/2 in the first of two directions."""

    def make(desirable: int, undesirable: int) -> list:
        draw = np.random.default_rng(0)
        labels = [True] * desirable + [False] * undesirable
        return [
            replace(
                item,
                desirable=label,
                embedding=torch.tensor(
                    [draw.normal() + (0.5 if label else -0.5), draw.normal()]
                ).float(),
            )
            for item, label in zip(examples("singles", len(labels)), labels, strict=True)
        ]

    return make


def ratio(found: list) -> np.ndarray:
    values = np.array([item.propensity for item in found])
    return np.log(values / (1 - values))


def first(found: list) -> np.ndarray:
    return np.array([item.embedding[0].item() for item in found])


@pytest.mark.parametrize("counts", [(1000, 1000), (1000, 100), (3000, 1000)])
def test_the_log_density_ratio_is_the_normals_own(two_normals, counts):
    """log N(x; 1/2, 1) / N(x; -1/2, 1) = x, however many there are of each label."""
    found = with_propensities(two_normals(*counts), seed=0)
    slope, level = np.polyfit(first(found), ratio(found), 1)
    assert slope == pytest.approx(1, abs=0.3) and level == pytest.approx(0, abs=0.2)


def test_it_is_fitted_to_a_sample_of_each_label(two_normals, monkeypatch):
    """Drawn by the seed: equal seeds give equal numbers, and others do not."""
    given = two_normals(60, 60)
    whole = ratio(with_propensities(given, seed=0))
    assert (ratio(with_propensities(given, seed=1)) == whole).all(), "all are in the sample"
    monkeypatch.setattr(propensity, "SAMPLE", 20)
    sampled = ratio(with_propensities(given, seed=0))
    assert (ratio(with_propensities(given, seed=0)) == sampled).all()
    assert (ratio(with_propensities(given, seed=1)) != sampled).all()


@pytest.mark.parametrize("counts", [(5, 0), (0, 5)])
def test_one_label_alone_is_refused(two_normals, counts):
    with pytest.raises(DataError, match="all training examples have one label"):
        with_propensities(two_normals(*counts), seed=0)
