"""Which prompts desirable responses answer: the classifier of underlying-distribution matching.

Where prompts of desirable responses are distributed otherwise than those of undesirable ones, a
density ratio of the two weighs the one like the other (arXiv:2404.04656v1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from plumbline.artifacts import derive_seed
from plumbline.errors import DataError
from plumbline.train.examples import Example

#: Examples of each label that the classifier is fitted to, at the most.
SAMPLE = 1024


def with_propensities(examples: Sequence[Example], seed: int) -> list[Example]:
    """Examples with the probability in (0, 1) that a prompt is a desirable response's.

    Both labels weigh the same, so that p / (1 - p) is the ratio of the two labels' densities of
    prompts. Raises DataError where all examples have one label.
    """
    labels = np.array([item.desirable for item in examples])
    if labels.all() or not labels.any():
        raise DataError(
            "all training examples have one label; a method that weighs prompts by it needs both"
        )
    rows = np.stack([item.embedding.numpy() for item in examples]).astype(np.float64)
    sample = _sample(labels, True, seed) + _sample(labels, False, seed)
    classifier = make_pipeline(
        StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000)
    )
    classifier.fit(rows[sample], labels[sample])
    found = classifier.predict_proba(rows)[:, 1]
    return [replace(item, propensity=float(p)) for item, p in zip(examples, found, strict=True)]


def _sample(labels: np.ndarray, label: bool, seed: int) -> list[int]:
    places = np.flatnonzero(labels == label).tolist()
    drawn = Random(derive_seed("propensity", seed, label)).sample(places, min(len(places), SAMPLE))
    return sorted(drawn)
