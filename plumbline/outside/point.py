"""A method at the hyperparameters that were asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from plumbline.errors import ConfigError, did_you_mean
from plumbline.plugins import MethodSpec, load_method


def loss_at(spec: MethodSpec, point: Mapping[str, Any]) -> Callable:
    """The loss function, with the file's defaults where `point` says nothing.

    ConfigError for a hyperparameter that the method has not, or that is out of its range.
    """
    known = {item.name: item for item in spec.hyperparameters}
    for key, value in point.items():
        if key not in known:
            raise ConfigError(
                f"{spec.name} has no hyperparameter {key!r}; {did_you_mean(key, known)}it has "
                f"{', '.join(known) or 'none'}"
            )
        if problem := known[key].problem(value):
            raise ConfigError(f"{spec.name}: {problem}")
    return partial(load_method(spec), **point)
