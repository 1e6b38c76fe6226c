"""Rows of dense and sparse matrices: their moments, and their scores."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import sparse

from thinnet.data.moments import Spans, inverse_deviation, spans
from thinnet.errors import ArgumentError
from thinnet.nets import FullyConnectedNet
from thinnet.numerics import check_scores
from thinnet.standardization import Standardization
from thinnet.state import State
from thinnet.typing import AnyArray, FloatArray, IntArray

PIECE_BYTES = 1 << 23  # processed together, so that memory stays bounded however wide the rows are
COLUMNS_AT_ONCE = 1024  # of rows that are multiplied by a large matrix, this many of its rows at a time
LIMIT = 10.0  # standard deviations; an outlier, or a category in one row of a thousand, counts for no more than this


def moments(X: Any, weights: FloatArray | None, name: str = "X", where: str | None = None) -> Standardization:
    """The weighted mean of each column and one over its standard deviation, or 0 if the column is constant.

    ArgumentError, which names the column by `where` or by its number, if float64 cannot hold them; huge and tiny
    numbers alone are no problem.
    """
    w = np.ones(X.shape[0]) if weights is None else np.asarray(weights, np.float64)
    columns = spans(name, *ends(X), ArgumentError)
    mean, variance = (_sparse_moments if sparse.issparse(X) else _dense_moments)(X, w / w.sum(), columns)
    scale = inverse_deviation(name, np.sqrt(variance) / columns.unit, columns, ArgumentError, where)
    return Standardization(mean, scale)


def ends(X: Any) -> tuple[AnyArray, AnyArray]:
    """The smallest and the largest value of each column."""
    low, high = X.min(axis=0), X.max(axis=0)
    return (low.toarray().ravel(), high.toarray().ravel()) if sparse.issparse(X) else (low, high)


def _dense_moments(X: AnyArray, w: FloatArray, columns: Spans) -> tuple[FloatArray, FloatArray]:
    """The mean, and the variance in units of the columns' spans."""
    mean, variance = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for part in _dense_parts(X):
        mean += w[part] @ columns.scaled(X[part])
    for part in _dense_parts(X):
        variance += w[part] @ np.square(columns.scaled(X[part]) - mean)
    return columns.low + mean / columns.unit, variance


def _sparse_moments(X: Any, w: FloatArray, columns: Spans) -> tuple[FloatArray, FloatArray]:
    """The same without storing the absent zeros: in each column, they have the weight that its entries leave."""
    size, each = X.shape[1], np.repeat(w, np.diff(X.indptr))
    full = np.bincount(X.indices, minlength=size) == X.shape[0]
    absent = np.where(full, 0, np.maximum(1 - np.bincount(X.indices, each, size), 0))
    low = np.where(full, columns.low, 0)
    data = Standardization(low[X.indices], columns.unit[X.indices]).rows(X.data)
    mean = np.bincount(X.indices, each * data, size)
    spread = np.bincount(X.indices, each * np.square(data - mean[X.indices]), size)
    return low + mean / columns.unit, spread + absent * np.square(mean)


def parts(row_bytes: IntArray) -> Iterator[slice]:
    """Slices of rows that take `row_bytes` bytes each: as many at a time as fit in PIECE_BYTES, but at least one."""
    ends = np.cumsum(row_bytes)
    start, done = 0, 0
    while start < len(ends):
        stop = max(int(np.searchsorted(ends, done + PIECE_BYTES, side="right")), start + 1)
        yield slice(start, stop)
        start, done = stop, int(ends[stop - 1])


def _dense_parts(X: AnyArray, row_bytes: int = 0) -> Iterator[slice]:
    return parts(np.full(X.shape[0], 8 * X.shape[1] + row_bytes))


# Scoring


def scoring(
    net: FullyConnectedNet, X: Any, how: Standardization, dtype: Any, row_bytes: int = 0
) -> tuple[FullyConnectedNet, Iterator[tuple[int, FloatArray]]]:
    """A net of `dtype`, and an iterator over what it scores: the index of a first row, and a piece of rows.

    These are standardized rows; or, if X is sparse or the first matrix is large, their products with that matrix, and
    the net is what follows it. Neither a dense X nor another copy of a large matrix is created.
    """
    if sparse.issparse(X) or 8 * net.params["W1"].size > PIECE_BYTES:
        return _behind_first_product(net, dtype), _first_products(net, X, how, dtype, row_bytes)
    scorer = net if net.dtype == dtype else net.copy(dtype)
    return scorer, ((part.start, how.rows(X[part], dtype)) for part in _dense_parts(X, row_bytes))


def scores(net: FullyConnectedNet, X: Any, how: Standardization, dtype: Any) -> FloatArray:
    """The (N, C) scores of raw rows, computed in `dtype`."""
    scorer, pieces = scoring(net, X, how, np.dtype(dtype))
    return np.concatenate([scorer.scores(piece) for _, piece in pieces])


def _behind_first_product(net: FullyConnectedNet, dtype: Any) -> FullyConnectedNet:
    """The same net for rows that are already multiplied by its first matrix, which is now the identity."""
    width = net.params["W1"].shape[1]
    spec = net.spec.of_dtype(dtype).replace(input_dim=width)
    state = State.empty(spec)
    state.params.update({**net.params, "W1": np.eye(width, dtype=dtype)})
    state.running.update(net.running)
    behind = FullyConnectedNet.from_parts(spec, state, fused=net.fused)
    behind.products = net.products
    return behind


def _first_products(
    net: FullyConnectedNet, X: Any, how: Standardization, dtype: Any, row_bytes: int
) -> Iterator[tuple[int, FloatArray]]:
    W = net.params["W1"]
    # In memory: for each sparse element, its difference from zero; for each dense row, some columns.
    own_bytes = 8 * np.diff(X.indptr) if sparse.issparse(X) else np.full(X.shape[0], 8 * COLUMNS_AT_ONCE)
    for part in parts(own_bytes + 8 * W.shape[1] + row_bytes):
        z = np.zeros((part.stop - part.start, W.shape[1]), dtype)
        with np.errstate(all="ignore"):  # the check below finds problems and explains them better
            if sparse.issparse(X):
                how.sparse_rows(_view(X, part)).matmul(W, z)
            else:
                _add_product_by_columns(X[part], how, W, z)
        check_scores(np.zeros((len(z), 0)), z, part.start)
        yield part.start, z


def _view(X: Any, part: slice) -> Any:
    """Some rows of a sparse matrix, without copying them as indexing would."""
    inside = slice(X.indptr[part.start], X.indptr[part.stop])
    indptr = X.indptr[part.start : part.stop + 1] - inside.start
    return sparse.csr_array(
        (X.data[inside], X.indices[inside], indptr), shape=(part.stop - part.start, X.shape[1]), copy=False
    )


def _add_product_by_columns(X: AnyArray, how: Standardization, W: FloatArray, z: FloatArray) -> None:
    """z += standardized X · W, some columns at a time, since they and their part of W are cast to a wider dtype."""
    for start in range(0, len(W), COLUMNS_AT_ONCE):
        columns = slice(start, start + COLUMNS_AT_ONCE)
        z += how[columns].rows(X[:, columns], z.dtype) @ W[columns].astype(z.dtype, copy=False)
