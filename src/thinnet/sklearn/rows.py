"""Rows of dense and sparse matrices: their moments, and how they become standardized minibatches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse

from thinnet import kernels
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


def moments(X: Any, weights: FloatArray | None) -> Shift:
    """The weighted mean of each column and one over its standard deviation; 0 where a column is constant."""
    w = np.ones(X.shape[0]) if weights is None else np.asarray(weights, np.float64)
    total = float(w.sum())
    mean, variance = (_sparse_moments if sparse.issparse(X) else _dense_moments)(X, w, total)
    # A constant column's variance is not exactly zero when computed; this bounds what rounding leaves.
    eps = np.finfo(np.float64).eps
    constant = variance <= X.shape[0] * eps * variance + (X.shape[0] * mean * eps) ** 2
    return Shift(mean, np.where(constant, 0, 1 / np.sqrt(np.where(constant, 1, variance))))


def _dense_moments(X: AnyArray, w: FloatArray, total: float) -> tuple[FloatArray, FloatArray]:
    pieces = [slice(start, start + ROWS_AT_ONCE) for start in range(0, len(X), ROWS_AT_ONCE)]
    mean, variance = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for part in pieces:
        mean += w[part] @ X[part].astype(np.float64, copy=False) / total
    for part in pieces:
        variance += w[part] @ np.square(X[part] - mean) / total
    return mean, variance


def _sparse_moments(X: Any, w: FloatArray, total: float) -> tuple[FloatArray, FloatArray]:
    """Without making zeros out of what is not there: column j has them with the weight that its entries leave."""
    columns = X.shape[1]
    each = np.repeat(w, np.diff(X.indptr))
    mean = np.bincount(X.indices, each * X.data, columns) / total
    present = np.bincount(X.indices, each, columns)
    spread = np.bincount(X.indices, each * np.square(X.data - mean[X.indices]), columns)
    return mean, (spread + np.maximum(total - present, 0) * np.square(mean)) / total


def standardized(X: Any, shift: Shift, dtype: Any) -> FloatArray:
    """A matrix of standardized rows, dense, of `dtype`; computed in float64 where X is float64."""
    out = np.empty(X.shape, dtype)
    if sparse.issparse(X):
        return _from_csr(X, np.arange(X.shape[0]), shift, out)
    for start in range(0, len(X), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        out[part] = _standardized(X[part], shift, np.float64 if X.dtype == np.float64 else dtype)
    return out


def _standardized(rows: AnyArray, shift: Shift, dtype: Any) -> FloatArray:
    out: FloatArray = rows - shift.mean.astype(dtype)
    out *= shift.scale.astype(dtype)
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
        out = np.empty((max_rows, X.shape[1]), np.float32)
        return lambda rows: _from_csr(X, rows, shift, out[: len(rows)])
    if X.dtype == np.uint8:
        return lambda rows: _standardized(X[rows], shift, np.float32)
    whole, out = standardized(X, shift, np.float32), np.empty((max_rows, X.shape[1]), np.float32)
    # "raise", the default mode, would copy; the order of the batches is in range.
    return lambda rows: whole.take(rows, axis=0, out=out[: len(rows)], mode="clip")


def _from_csr(X: Any, rows: IntArray, shift: Shift, out: FloatArray) -> FloatArray:
    if kernels.available():
        from thinnet.kernels.batch import standardized_csr_rows

        standardized_csr_rows(X.data, X.indices, X.indptr, rows, shift.mean, shift.scale, shift.limit, out)
    else:
        out[...] = _standardized(X[rows].toarray(), shift, np.float64)
    return out
