"""Sparse rows that are never made dense: products compared with those of dense rows, in nets and estimators."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from thinnet import FullyConnectedNet
from thinnet.data import Dataset
from thinnet.errors import ArgumentError, DataError, NumericalError
from thinnet.optim import FlatOptimizer
from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor
from thinnet.sklearn.inputs import Inputs
from thinnet.sklearn.sample import Sample
from thinnet.sklearn.training_rows import TrainingRows
from thinnet.standardization import Standardization
from thinnet.training.net_update import NetUpdate
from thinnet.typing import AnyArray

WIDE = 1 << 18
FORMS: list[Any] = [sparse.csr_array, sparse.csr_matrix, sparse.csc_matrix, sparse.coo_array, sparse.lil_matrix]


@pytest.fixture(params=[True, False], ids=["kernels", "scipy"])
def either(request: pytest.FixtureRequest) -> None:
    if not request.param:
        request.getfixturevalue("without_kernels")


def draw_sparse(generator: np.random.Generator, rows: int, columns: int, density: float) -> AnyArray:
    X: AnyArray = generator.standard_normal((rows, columns)) * (generator.random((rows, columns)) < density)
    X[:, 1:2] += 1e3
    return X


# The dtypes of the matrix, the result and the indices, and the memory order: each pair of float dtypes, and all index
# dtypes with all orders, with only a third of the kernels to compile that all combinations would need.
KINDS: list[Any] = [
    (np.float32, np.float32, np.int32, "C"),
    (np.float32, np.float64, np.int32, "F"),
    (np.float32, np.float64, np.int64, "C"),
    (np.float64, np.float64, np.int64, "F"),
]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(0, 9),
    columns=st.integers(1, 12),
    units=st.integers(1, 6),
    density=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    limit=st.sampled_from([0.5, 10.0, np.inf]),
)
def test_products_are_those_of_the_dense_rows(
    kind: Any, seed: int, rows: int, columns: int, units: int, density: float, limit: float
) -> None:
    *dtypes, index, order = kind
    generator = np.random.default_rng(seed)
    X = draw_sparse(generator, rows, columns, density)
    how = Standardization(
        generator.standard_normal(columns), generator.random(columns) * (generator.random() < 0.9), limit
    )
    thin = sparse.csr_array(X)
    thin.indices, thin.indptr = thin.indices.astype(index), thin.indptr.astype(index)
    compressed, dense = how.sparse_rows(thin), how.rows(X)
    np.testing.assert_allclose(dense, np.clip((X - how.mean) * how.scale, -limit, limit))
    W = np.asarray(generator.standard_normal((columns, units)), dtypes[0], order=order)
    out, dz = np.empty((rows, units), dtypes[1]), generator.standard_normal((rows, units)).astype(dtypes[0])
    compressed.matmul(W, out)
    eps = float(np.finfo(dtypes[1]).eps)
    bound = 40 * eps * (1 + np.abs(dense).max(initial=0)) * columns
    np.testing.assert_allclose(out, dense @ W, rtol=40 * eps, atol=10 * bound)
    dW = np.asarray(np.full_like(W, np.nan), order=order)
    compressed.weight_gradient(dz, dW)
    eps = float(np.finfo(dtypes[0]).eps)
    np.testing.assert_allclose(dW, dense.T @ dz, rtol=40 * eps, atol=400 * eps * (1 + np.abs(dense).max(initial=0)) * 9)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_without_kernels(without_kernels: None, kind: Any) -> None:
    test_products_are_those_of_the_dense_rows(kind)


@pytest.mark.parametrize(
    ("mask", "normalization"),
    [("element", None), ("element", "batchnorm"), ("element", "layernorm"), ("batch", None), ("batch", "batchnorm")],
)
@pytest.mark.parametrize("hidden_dims", [[], [7, 5]])
def test_a_step_on_sparse_rows_is_that_on_dense_ones(
    either: None, mask: Any, normalization: Any, hidden_dims: list[int]
) -> None:
    generator = np.random.default_rng(0)
    X, y = draw_sparse(generator, 8, 30, 0.2), np.arange(8) % 3
    how = Standardization(X.mean(axis=0), 1 / (X.std(axis=0) + 1), 2.0)
    weights = generator.random(8)
    options: dict[str, Any] = {"normalization": normalization, "dropout": 0.4, "dropout_mask": mask, "reg": 0.1}
    net = FullyConnectedNet(hidden_dims, 30, 3, dtype=np.float64, seed=1, **options)
    loss, gradients = net.loss(how.rows(X), y, weights=weights, training=True, step=3)
    rows: Any = how.sparse_rows(sparse.csr_array(X))
    thin_loss, thin_gradients = net.loss(rows, y, weights=weights, training=True, step=3)
    assert thin_loss == pytest.approx(loss, rel=1e-12)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(thin_gradients[name], gradient, rtol=1e-9, atol=1e-12)


def test_a_step_that_overflows_says_where(either: None) -> None:
    X = sparse.csr_array(np.eye(4) * 1e30)
    net = FullyConnectedNet([5], 4, 3, weight_scale=1e10, seed=0)
    plain, y = Standardization(np.zeros(4), np.ones(4)), np.arange(4) % 3
    inputs = Inputs(None, False, plain, has_means=True, bins=None, categorical=None)
    source = TrainingRows(inputs, Sample(X, y, None), y, np.float32)
    update = NetUpdate(net, source, FlatOptimizer("sgd", None, like=net.params.flat), max_rows=4)
    with pytest.raises(NumericalError, match=r"layer 1, whose product with W1.*inputs up to 1e\+30"):
        update(np.arange(4), {"learning_rate": 1.0})


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.bool_, np.uint8, np.int64])
@pytest.mark.parametrize("mask", ["element", "batch"])
def test_estimators_take_sparse_matrices_of_every_kind(form: Any, dtype: Any, mask: Any) -> None:
    generator = np.random.default_rng(0)
    dense = (generator.integers(1, 4, (120, 9)) * (generator.random((120, 9)) < 0.3)).astype(dtype)
    y = (dense[:, 0] > 0) * 1
    options: dict[str, Any] = {"dropout_mask": mask, "normalization": "batchnorm", "max_iter": 3, "random_state": 0}
    whole = ThinNetClassifier(8, **options).fit(dense, y)
    thin = ThinNetClassifier(8, **options).fit(form(dense), y)
    np.testing.assert_allclose(thin.predict_proba(form(dense)), whole.predict_proba(dense), atol=1e-4)


def test_explicit_zeros_and_64_bit_indices_change_nothing() -> None:
    X = sparse.csr_array(draw_sparse(np.random.default_rng(0), 60, 9, 0.3))
    y = np.arange(60) % 2
    other = sparse.csr_array((np.r_[X.data, 0.0], np.r_[X.indices, 0], np.r_[X.indptr[:-1], X.nnz + 1]), X.shape)
    other.sort_indices()
    other.indices, other.indptr = other.indices.astype(np.int64), other.indptr.astype(np.int64)
    net = ThinNetClassifier(8, max_iter=3, random_state=0).fit(X, y)
    again = ThinNetClassifier(8, max_iter=3, random_state=0).fit(other, y)
    np.testing.assert_allclose(again.predict_proba(other), net.predict_proba(X), rtol=1e-4)


def test_rows_are_merged_in_the_order_of_their_numbers() -> None:
    generator = np.random.default_rng(0)
    X = generator.integers(-1, 2, (200, 4)).astype(float)
    X[3] = -0.0
    y = generator.integers(0, 2, 200)
    merged = Sample(sparse.csr_array(X), y, None).merged(sparse.csr_array(X))
    expected, counts = np.unique(np.column_stack([X, y]), axis=0, return_counts=True)
    np.testing.assert_array_equal(np.column_stack([merged.X.toarray(), merged.targets]), expected)
    np.testing.assert_array_equal(merged.X.toarray(), Sample(X, y, None).merged(X).X)
    np.testing.assert_array_equal(merged.weights, counts)


def test_rows_that_lack_the_same_numbers_are_merged() -> None:
    X = np.array([[1.0, np.nan], [np.nan, 1.0], [1.0, np.nan], [0.0, 0.0]])
    merged = Sample(X, np.zeros(4, int), None).merged(X)
    np.testing.assert_array_equal(merged.weights, [1, 2, 1])
    np.testing.assert_array_equal(merged.X, [[0.0, 0.0], [1.0, np.nan], [np.nan, 1.0]])


def peak(work: Callable[[], Any]) -> float:
    """The peak memory in megabytes that NumPy allocated during a call."""
    tracemalloc.start()
    work()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 1e6


@pytest.fixture(scope="module")
def texts() -> tuple[Any, AnyArray]:
    """2,000 rows of 12 elements in 2¹⁸ columns: 2 GB as dense float32, or half a GB for a minibatch of 500."""
    generator = np.random.default_rng(0)
    columns = generator.choice(generator.integers(0, WIDE, 3000), 24_000)
    X = sparse.csr_array((np.ones(24_000), (np.repeat(np.arange(2000), 12), columns)), (2000, WIDE))
    return X, (X[:, [columns[0]]].toarray().ravel() > 0) * 1


@pytest.mark.parametrize("estimator", [ThinNetClassifier, ThinNetRegressor])
def test_memory_does_not_grow_with_dense_rows(either: None, estimator: Any, texts: Any) -> None:
    X, y = texts
    net = estimator(2, dropout=0.25, max_iter=1, batch_size=500, random_state=0)
    weights = 4 * 2 * WIDE / 1e6
    assert peak(lambda: net.fit(X, y)) < 100 + 10 * weights  # parameters, gradient, moments, float64 of the first draw
    assert peak(lambda: net.predict(X)) < 100 + 2 * weights
    assert peak(lambda: net.predict(X[:1])) < 100 + 2 * weights
    assert peak(lambda: net.fit(X[:400], y[:400])) < 100 + 10 * weights  # one minibatch, where equal rows are merged
    stops = estimator(2, max_iter=2, batch_size=500, random_state=0, early_stopping=True, validation_fraction=0.5)
    assert peak(lambda: stops.fit(X, y)) < 100 + 12 * weights
    draws = (
        (lambda: net.predict_proba(X, mc_samples=5))
        if hasattr(net, "classes_")
        else lambda: net.predict(X, mc_samples=5)
    )
    assert peak(draws) < 100 + 2 * weights


def test_a_wide_dense_row_copies_no_large_matrix() -> None:
    generator = np.random.default_rng(0)
    X, y = generator.standard_normal((30, 60_000)), np.arange(30) % 2
    net = ThinNetClassifier(40, max_iter=1, random_state=0).fit(X, y)
    whole = net.net_.copy(np.float64)
    np.testing.assert_allclose(net._scores(X), whole.scores(X), rtol=1e-9, atol=1e-9)
    assert peak(lambda: net.predict(X[:1])) < 5  # the matrix takes 10 MB, and 19 in float64
    assert peak(lambda: net.predict(X)) < 5 + 10


def test_nets_and_data_sets_refuse_sparse_matrices_in_words() -> None:
    X = sparse.csr_array(np.eye(3))
    with pytest.raises(DataError, match=r"X_train must be .*dense.* got a sparse csr_array"):
        Dataset(X, np.arange(3))
    with pytest.raises(ArgumentError, match=r"X must be .*dense.* got a sparse csr_array"):
        FullyConnectedNet([2], 3, 3).scores(X)
