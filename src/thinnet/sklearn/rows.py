"""Rows of dense and sparse matrices: their moments, and how they become standardized minibatches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import sparse

from thinnet import kernels
from thinnet.data import Dataset
from thinnet.data.rows import RowReader
from thinnet.typing import AnyArray, FloatArray, IntArray

ROWS_AT_ONCE = 4096
Shift = tuple[FloatArray, FloatArray]  # a row reaches the net as (row − shift) · scale; both are (D,) of float64


def no_shift(num_features: int) -> Shift:
    """The shift and scale that leave rows as they are."""
    return np.zeros(num_features), np.ones(num_features)


def moments(X: Any, weights: FloatArray | None) -> Shift:
    """The weighted mean of each column and one over its standard deviation, 1 where a column is constant."""
    w = np.ones(X.shape[0]) if weights is None else np.asarray(weights, np.float64)
    total = w.sum()
    mean, variance = (_sparse_moments if sparse.issparse(X) else _dense_moments)(X, w, total)
    # A constant column's variance is not exactly zero when computed; this bounds what rounding leaves.
    eps = np.finfo(np.float64).eps
    constant = variance <= X.shape[0] * eps * variance + (X.shape[0] * mean * eps) ** 2
    return mean, np.where(constant, 1, 1 / np.sqrt(np.where(constant, 1, variance)))


def _dense_moments(X: AnyArray, w: FloatArray, total: float) -> tuple[FloatArray, FloatArray]:
    pieces = [slice(start, start + ROWS_AT_ONCE) for start in range(0, len(X), ROWS_AT_ONCE)]
    mean = sum(w[part] @ X[part].astype(np.float64, copy=False) for part in pieces) / total
    variance = sum(w[part] @ np.square(X[part] - mean) for part in pieces) / total
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
    if sparse.issparse(X):
        return _from_csr(X, np.arange(X.shape[0]), shift, np.empty(X.shape, dtype))
    work = np.float64 if X.dtype == np.float64 or dtype == np.float64 else np.float32
    out = np.empty(X.shape, dtype)
    for start in range(0, len(X), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        out[part] = (X[part] - shift[0].astype(work)) * shift[1].astype(work)
    return out


def pieces(X: Any, shift: Shift, dtype: Any) -> Iterator[tuple[int, FloatArray]]:
    """A whole matrix, some standardized rows at a time, so that memory stays bounded; with the first row's number."""
    for start in range(0, X.shape[0], ROWS_AT_ONCE):
        yield start, standardized(X[start : start + ROWS_AT_ONCE], shift, dtype)


class SparseReader:
    """Reads rows of a CSR matrix into a dense buffer of one minibatch; used like `thinnet.data.rows.RowReader`."""

    def __init__(self, X: Any, y: AnyArray, shift: Shift, weights: FloatArray | None, max_rows: int) -> None:
        self._X, self._y, self._shift, self._weights = X, y, shift, weights
        self._rows: FloatArray = np.empty((max_rows, X.shape[1]), np.float32)

    def read(self, rows: IntArray) -> tuple[FloatArray, AnyArray]:
        """The rows of these numbers and their labels; the rows are overwritten by the next call."""
        return _from_csr(self._X, rows, self._shift, self._rows[: len(rows)]), self._y[rows]

    def weights(self, rows: IntArray) -> FloatArray | None:
        """How often each of these rows counts, or None where every row counts once."""
        return None if self._weights is None else self._weights[rows]


def reader(X: Any, y: AnyArray, shift: Shift, weights: FloatArray | None, max_rows: int) -> RowReader | SparseReader:
    """What gives the minibatches of a training set, as float32."""
    if sparse.issparse(X):
        return SparseReader(X, y, shift, weights, max_rows)
    if X.dtype == np.float64:  # once, in full precision, rather than in every epoch
        X, shift = standardized(X, shift, np.float32), no_shift(X.shape[1])
    return RowReader(Dataset(X, y, shift=shift[0], scale=shift[1], weights=weights), "train", max_rows)


def _from_csr(X: Any, rows: IntArray, shift: Shift, out: FloatArray) -> FloatArray:
    if kernels.available():
        from thinnet.kernels.batch import standardized_csr_rows

        standardized_csr_rows(X.data, X.indices, X.indptr, rows, *shift, out)
    else:
        out[...] = (X[rows].toarray() - shift[0]) * shift[1]
    return out
