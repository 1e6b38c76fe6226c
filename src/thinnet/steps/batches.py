"""Rows and targets in the form a net takes, checked before anything is computed or changed."""

import math
from typing import Any

import numpy as np

from thinnet.arrays import as_array, as_rows, cast
from thinnet.checks import check_number
from thinnet.errors import ArgumentError
from thinnet.layers import LOSSES
from thinnet.layers.batchnorm import check_batch
from thinnet.sparse_rows import SparseRows
from thinnet.spec import Spec
from thinnet.steps.base import Batch
from thinnet.targets import check_shares, targets_for
from thinnet.typing import AnyArray


def as_matrix(spec: Spec, X: Any) -> AnyArray:
    """X as a matrix of real numbers, one example per row, with as many columns as the net has inputs."""
    array = as_rows("X", X)
    if array.ndim < 2 or math.prod(array.shape[1:]) != spec.input_dim:
        fix = "Put one example in each row, or build the net with another input_dim."
        if array.shape == (spec.input_dim,):
            fix = "Give X[None], which is one row."
        raise ArgumentError(
            f"X must have shape (N, {spec.input_dim}), or one that flattens to it, got {array.shape}. {fix}"
        )
    rows = array.reshape(array.shape[0], spec.input_dim)
    # NumPy 1 multiplies arrays with negative strides slowly, and gives other bits.
    return np.ascontiguousarray(rows) if min(rows.strides) < 0 else rows


def as_targets(spec: Spec, y: Any) -> AnyArray:
    """y as labels, or as values of the net's dtype, which may also be the shares of the classes in each row."""
    kind = LOSSES[spec.loss].targets
    targets = targets_for(kind, spec.num_classes, y, spec.class_names)
    return targets if kind == "labels" and targets.ndim != 2 else cast("y", targets, spec.dtype)


def checked_batch(spec: Spec, X: Any, y: Any, weights: Any = None, step: int = 0, *, training: bool = True) -> Batch:
    """A whole minibatch on one process, after checking that X, y and weights fit the net and suffice to normalize."""
    rows = X if isinstance(X, SparseRows) else cast("X", as_matrix(spec, X), spec.dtype)
    given = None if weights is None else cast("weights", as_array("weights", weights), spec.dtype)
    batch = Batch(rows, as_targets(spec, y), given, step)
    check_targets(spec, batch)
    if LOSSES[spec.loss].targets == "labels" and batch.y.ndim == 2:
        check_shares(batch.y)
    if training:
        check_rows(spec, len(batch))
    check_number("step", step)
    return batch


def check_targets(spec: Spec, batch: Batch) -> None:
    """Raise if targets or weights do not fit the rows: the kernels would read out of bounds."""
    scores = np.empty((len(batch), spec.num_classes), spec.dtype)
    LOSSES[spec.loss].check(f"{spec.loss}_loss", scores, batch.y, batch.weights)


def check_rows(spec: Spec, total: int) -> None:
    """Raise if a minibatch has too few rows for batch normalization."""
    if spec.normalization == "batchnorm" and spec.hidden_dims:
        check_batch("X", total)
