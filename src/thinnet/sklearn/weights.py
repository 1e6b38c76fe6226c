"""Sample weights, and rows that are given several times."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.validation import _check_sample_weight

from thinnet.errors import ArgumentError
from thinnet.typing import AnyArray, FloatArray


def checked_weights(sample_weight: Any, X: Any, factors: FloatArray | None) -> FloatArray | None:
    """The (N,) weights times the classes' `factors`, or None where both are."""
    if sample_weight is None:
        weights = factors
    else:
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64, copy=True)
        if weights.min() < 0:
            raise ArgumentError(f"sample_weight must be >= 0, got {weights.min():g}. Use 0 to leave a row out.")
        weights = weights if factors is None else weights * factors
    if weights is not None and not weights.any():
        raise ArgumentError(
            "sample_weight, times class_weight, must have at least one number above zero, got zero for every row."
        )
    return weights


def without_zeros(X: Any, y: AnyArray, weights: FloatArray | None) -> tuple[Any, AnyArray, FloatArray | None]:
    """Only the rows whose weight is not zero."""
    if weights is None or weights.all():
        return X, y, weights
    kept = np.flatnonzero(weights)
    return X[kept], y[kept], weights[kept]


def merged(X: Any, y: AnyArray, weights: FloatArray | None) -> tuple[AnyArray, AnyArray, FloatArray]:
    """Each different row once, in an order of its own, with the sum of its weights.

    Where one minibatch holds all rows, nothing else about them matters: a row of weight 2 is the same as two rows.
    """
    dense = X.toarray() if sparse.issparse(X) else X
    columns = np.hstack([dense.astype(np.float64, copy=False), y.reshape(len(y), -1).astype(np.float64, copy=False)])
    _, first, group = np.unique(columns, axis=0, return_index=True, return_inverse=True)
    return dense[first], y[first], np.bincount(group.ravel(), weights, len(first)).astype(np.float64)


def with_mean_one(weights: FloatArray | None) -> FloatArray | None:
    """Weights on the scale that the loss expects; None where all are equal."""
    if weights is None or (weights == weights[0]).all():
        return None
    scaled: FloatArray = weights * (len(weights) / weights.sum())
    return scaled
