"""Rows of dense and sparse matrices: their moments, and how they become standardized minibatches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse

from thinnet import kernels
from thinnet.arrays import check_range, standardize
from thinnet.data.moments import Spans, inverse_deviation, spans
from thinnet.errors import ArgumentError
from thinnet.typing import AnyArray, FloatArray, IntArray

# What gives the standardized rows of these numbers as float32; they are overwritten by the next call.
Reader: TypeAlias = Callable[[IntArray], FloatArray]

ROWS_AT_ONCE = 4096
LIMIT = 10.0  # standard deviations; an outlier, or a category that one row in a thousand has, says no more than this


@dataclass(frozen=True)
class Shift:
    """How a row reaches the net: ``(row − mean) · scale``, no further from zero than `limit`.

    Attributes:
        mean, scale: (D,) float64.
        limit: the largest absolute value.
    """

    mean: FloatArray
    scale: FloatArray
    limit: float = np.inf


def moments(X: Any, weights: FloatArray | None, name: str = "X") -> Shift:
    """The weighted mean of each column and one over its standard deviation; 0 where a column is constant.

    Raises:
        ArgumentError: if float64 cannot hold them, which names the column; those of huge and tiny numbers it can.
    """
    w = np.ones(X.shape[0]) if weights is None else np.asarray(weights, np.float64)
    columns = spans(name, *_ends(X), ArgumentError)
    mean, variance = (_sparse_moments if sparse.issparse(X) else _dense_moments)(X, w / w.sum(), columns)
    scale = inverse_deviation(name, np.sqrt(variance) / columns.unit, columns, ArgumentError)
    return Shift(mean, scale)


def _ends(X: Any) -> tuple[AnyArray, AnyArray]:
    """The least and the greatest value of each column."""
    low, high = X.min(axis=0), X.max(axis=0)
    return (low.toarray().ravel(), high.toarray().ravel()) if sparse.issparse(X) else (low, high)


def _dense_moments(X: AnyArray, w: FloatArray, columns: Spans) -> tuple[FloatArray, FloatArray]:
    """The mean, and the variance in units of the columns' spans."""
    low, unit = columns.low, columns.unit
    parts = [slice(start, start + ROWS_AT_ONCE) for start in range(0, len(X), ROWS_AT_ONCE)]
    mean, variance = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for part in parts:
        mean += w[part] @ standardize(X[part], low, unit)
    for part in parts:
        variance += w[part] @ np.square(standardize(X[part], low, unit) - mean)
    return low + mean / unit, variance


def _sparse_moments(X: Any, w: FloatArray, columns: Spans) -> tuple[FloatArray, FloatArray]:
    """The same without making zeros out of what is not there: a column has them with the weight that entries leave."""
    size, each = X.shape[1], np.repeat(w, np.diff(X.indptr))
    full = np.bincount(X.indices, minlength=size) == X.shape[0]
    absent = np.where(full, 0, np.maximum(1 - np.bincount(X.indices, each, size), 0))
    low = np.where(full, columns.low, 0)
    data = standardize(X.data, low[X.indices], columns.unit[X.indices])
    mean = np.bincount(X.indices, each * data, size)
    spread = np.bincount(X.indices, each * np.square(data - mean[X.indices]), size)
    return low + mean / columns.unit, spread + absent * np.square(mean)


def standardized(X: Any, shift: Shift, dtype: Any, name: str = "X") -> FloatArray:
    """A matrix of standardized rows, dense, of `dtype`; computed in float64.

    Raises:
        ArgumentError: if a finite number becomes too large for `dtype`, which names the column.
    """
    out = np.empty(X.shape, dtype)
    if sparse.issparse(X):
        return _from_csr(X, np.arange(X.shape[0]), shift, out)
    for start in range(0, len(X), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        with np.errstate(over="ignore"):
            out[part] = _standardized(X[part], shift)
        check_range(name, X[part], out[part])
    return out


def _standardized(rows: AnyArray, shift: Shift) -> FloatArray:
    out = standardize(rows, shift.mean, shift.scale)
    if shift.limit < np.inf:
        np.clip(out, -shift.limit, shift.limit, out=out)
    return out


def pieces(X: Any, shift: Shift, dtype: Any) -> Iterator[FloatArray]:
    """A whole matrix, some standardized rows at a time, so that memory stays bounded."""
    for start in range(0, X.shape[0], ROWS_AT_ONCE):
        yield standardized(X[start : start + ROWS_AT_ONCE], shift, dtype)


def reader(X: Any, shift: Shift, max_rows: int) -> Reader:
    """What reads minibatches of up to `max_rows` rows of a training set.

    Floats are standardized once, in full precision; bytes and sparse matrices, which would grow by it, in each
    minibatch anew.
    """
    if sparse.issparse(X):
        standardized(np.stack(_ends(X)), shift, np.float32)  # which refuses what stays too large
        out = np.empty((max_rows, X.shape[1]), np.float32)
        return lambda rows: _from_csr(X, rows, shift, out[: len(rows)])
    if X.dtype == np.uint8:
        return lambda rows: _standardized(X[rows], shift).astype(np.float32)
    whole, out = standardized(X, shift, np.float32), np.empty((max_rows, X.shape[1]), np.float32)
    # "raise", the default mode, would copy; the order of the batches is in range.
    return lambda rows: whole.take(rows, axis=0, out=out[: len(rows)], mode="clip")


def _from_csr(X: Any, rows: IntArray, shift: Shift, out: FloatArray) -> FloatArray:
    if kernels.available():
        from thinnet.kernels.batch import standardized_csr_rows

        standardized_csr_rows(X.data, X.indices, X.indptr, rows, shift.mean, shift.scale, shift.limit, out)
    else:
        out[...] = _standardized(X[rows].toarray(), shift)
    return out
