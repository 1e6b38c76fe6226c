"""Checks that scores, losses and gradients are finite."""

import math
from typing import Any

import numpy as np

from thinnet.arrays import check_finite, is_finite
from thinnet.errors import ArgumentError, NumericalError
from thinnet.parameters import Parameters
from thinnet.typing import AnyArray, FloatArray


def check_scores(X: FloatArray, scores: FloatArray, first_row: int) -> None:
    """Raise if scores are not finite, as for inputs that are not: `argmax` would silently return class 0.

    Row numbers start at `first_row`.
    """
    if is_finite(scores):
        return
    check_inputs(X, first_row)
    row = int(np.isfinite(scores).all(axis=1).argmin())
    raise NumericalError(
        f"the scores of row {first_row + row} must be finite, got {first_wrong(scores[row])}. The row is finite: the "
        f"net's parameters or running statistics are not, or are too large. Train the net again, or load another."
    )


def check_inputs(X: Any, first_row: int = 0) -> None:
    """Raise if inputs are not finite: they would also spoil the running statistics."""
    if isinstance(X, np.ndarray):  # sparse rows are checked when they arrive
        check_finite("X", X, ArgumentError, f"numbers that are finite in {X.dtype}", first_row)


def is_finite_step(loss: float, gradients: Parameters) -> bool:
    """Whether the loss and the gradients of biases, γ and β are finite.

    These gradients are sums over the batch of the gradients with respect to each layer's outputs, so they reveal
    non-finite values there at a thousandth of the cost of scanning the weights' gradients too.
    """
    vectors = gradients.vectors
    if math.isfinite(loss) and all(math.isfinite(vector.dot(vector)) for vector in vectors):
        return True
    return math.isfinite(loss) and all(np.isfinite(vector).all() for vector in vectors)  # finite squares may overflow


def first_wrong(array: AnyArray) -> str:
    """The first element that is not finite."""
    return str(array[~np.isfinite(array)].flat[0])
