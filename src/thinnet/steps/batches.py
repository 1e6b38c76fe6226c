"""Rows and targets as a net takes them, checked before anything is computed or changed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from thinnet.checks import as_array, check_number
from thinnet.errors import ArgumentError
from thinnet.layers import LOSSES
from thinnet.layers.batchnorm import check_batch
from thinnet.spec import Spec
from thinnet.steps.base import Batch
from thinnet.typing import AnyArray


def as_matrix(spec: Spec, X: Any) -> AnyArray:
    """X as a matrix of real numbers, one example a row.

    Raises:
        ArgumentError: if it is none, or has another number of columns than the net has inputs.
    """
    array: AnyArray = as_array("X", X)
    if array.dtype.kind not in "fiub":
        raise ArgumentError(f"X must be real numbers, got dtype {array.dtype}. Encode it as numbers first.")
    if array.ndim < 2 or math.prod(array.shape[1:]) != spec.input_dim:
        raise ArgumentError(
            f"X must have shape (N, {spec.input_dim}), or one that flattens to it, got {array.shape}. "
            f"Put one example in each row, or build the net with another input_dim."
        )
    return array.reshape(array.shape[0], spec.input_dim)


def as_targets(spec: Spec, y: Any) -> AnyArray:
    """y as labels, or as values of the net's dtype, whichever the loss compares scores with."""
    y = as_array("y", y)
    values = LOSSES[spec.loss].targets != "labels" and y.dtype.kind in "fiub"
    y = y.astype(spec.dtype, copy=False) if values else y
    return y.reshape(-1, 1) if values and y.ndim == 1 and spec.num_classes == 1 else y


def checked_batch(spec: Spec, X: Any, y: Any, weights: Any = None, step: int = 0, *, training: bool = True) -> Batch:
    """A batch of a net, whole and on one process.

    Raises:
        ArgumentError: if X, y or the weights do not fit the net, or a training batch has one row and is to be
            normalized.
    """
    rows = as_matrix(spec, X).astype(spec.dtype, copy=False)
    batch = Batch(rows, as_targets(spec, y), None if weights is None else np.asarray(weights, spec.dtype), step)
    check_targets(spec, batch)
    if training:
        check_rows(spec, len(batch))
    check_number("step", step)
    return batch


def check_targets(spec: Spec, batch: Batch) -> None:
    """Raise where targets or weights do not fit the rows: the kernels would read outside of them."""
    scores = np.empty((len(batch), spec.num_classes), spec.dtype)
    LOSSES[spec.loss].check(f"{spec.loss}_loss", scores, batch.y, batch.weights)


def check_rows(spec: Spec, total: int) -> None:
    """Raise where a minibatch has too few rows for batch normalization."""
    if spec.normalization == "batchnorm" and spec.hidden_dims:
        check_batch("X", total)
