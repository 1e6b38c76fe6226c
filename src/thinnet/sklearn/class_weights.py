"""class_weight: the values it may have, and the factors that it gives for the weights of rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from thinnet.checks import check_number
from thinnet.errors import ArgumentError
from thinnet.spelling import nearest
from thinnet.typing import AnyArray, FloatArray, IntArray

BALANCED = "balanced"


def factors(class_weight: Any, classes: Sequence[Any], targets: AnyArray) -> FloatArray | None:
    """The (N,) factors for the rows' weights, by scikit-learn's rules; None if there are none.

    ``"balanced"`` is N / (classes present · rows of the class). Labels missing from a dict have weight 1. If a row may
    have several labels, a list has one of these for each label, over 0 and 1, and their factors are multiplied.
    `targets` are (N,) label indices, or (N, C) zeros and ones.
    """
    if class_weight is None:
        return None
    if targets.ndim == 1:
        return _of_one("class_weight", class_weight, classes, targets)
    several = [class_weight] * targets.shape[1] if _is_balanced(class_weight) else class_weight
    if not isinstance(several, list | tuple) or len(several) != targets.shape[1]:
        came = f"{len(several)} elements" if isinstance(several, list | tuple) else repr(class_weight)
        raise ArgumentError(
            f"class_weight must be None, 'balanced' or a list of {targets.shape[1]} dicts, one for each column of y, "
            f"got {came}. Write [{{0: 1, 1: 2}}, ...], for example."
        )
    product = np.ones(len(targets))
    for column, weights in enumerate(several):
        if weights is not None:
            product *= _of_one(f"class_weight[{column}]", weights, (0, 1), targets[:, column].astype(np.int64))
    return product


def _is_balanced(weights: Any) -> bool:
    return isinstance(weights, str) and weights == BALANCED


def _of_one(name: str, given: Any, classes: Sequence[Any], numbers: IntArray) -> FloatArray:
    """The factors from one label of each row."""
    if _is_balanced(given):
        counts = np.bincount(numbers, minlength=len(classes))
        return (len(numbers) / (np.count_nonzero(counts) * np.maximum(counts, 1)))[numbers]
    if not isinstance(given, Mapping):
        question = f"{nearest(given, (BALANCED,))} " if isinstance(given, str) else ""
        raise ArgumentError(
            f"{name} must be None, 'balanced' or a dict from label to weight, got {given!r}. {question.lstrip()}Write "
            f"{{{classes[-1]!r}: 2.0}}, for example."
        )
    weights = {label: check_number(f"{name}[{label!r}]", weight, "class_weight") for label, weight in given.items()}
    known = set(classes)
    unknown = [label for label in weights if label not in known]
    if unknown and len(weights) - len(unknown) < len(known):  # a label that these rows happen to lack may have one
        question = f"{nearest(unknown[0], [label for label in classes if isinstance(label, str)])} "
        raise ArgumentError(
            f"{name} must have weights for the labels {', '.join(map(repr, classes))}, got {unknown[0]!r}: "
            f"{given[unknown[0]]!r}, which is no label of y. {question.lstrip()}"
            f"Write labels as they are in y, such as {{{classes[-1]!r}: 2.0}}."
        )
    return np.array([weights.get(label, 1.0) for label in classes])[numbers]
