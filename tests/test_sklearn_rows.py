"""Rows given to estimators: weights, sparse rows, bytes, outliers, and large data in pieces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse

from thinnet.data.moments import standardized
from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor
from thinnet.sklearn import rows as rows_module
from thinnet.sklearn.inputs import Inputs
from thinnet.sklearn.rows import moments
from thinnet.sklearn.sample import Sample
from thinnet.sklearn.training_rows import TrainingRows
from thinnet.standardization import Standardization
from thinnet.typing import AnyArray

Data = tuple[AnyArray, AnyArray]
QUICK: dict[str, Any] = {"hidden_layer_sizes": 16, "max_iter": 15, "random_state": 0}


# Weights


@pytest.mark.parametrize("estimator", [ThinNetClassifier, ThinNetRegressor])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_a_weight_is_a_repetition_where_a_minibatch_holds_all_rows(
    estimator: Any, container: Any, classes: Data
) -> None:
    X, y = classes[0][:20], classes[1][:20]
    counts = np.random.default_rng(0).integers(0, 4, 20)
    order = np.random.default_rng(1).permutation(counts.sum())
    weighted = estimator(**QUICK).fit(container(X), y, counts)
    repeated = estimator(**QUICK).fit(container(np.repeat(X, counts, axis=0)[order]), np.repeat(y, counts)[order])
    np.testing.assert_array_equal(weighted.net_.params.flat, repeated.net_.params.flat)
    assert (weighted.net_.params.flat != estimator(**QUICK).fit(X, y).net_.params.flat).any()


def test_more_rows_than_are_compared_are_taken_as_they_are(classes: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = np.repeat(classes[0][:10], 2, axis=0), np.repeat(classes[1][:10], 2)
    merged = ThinNetClassifier(**QUICK).fit(X, y)
    monkeypatch.setattr("thinnet.sklearn.base.MOST_MERGED", 19)
    assert (merged.t_, ThinNetClassifier(**QUICK).fit(X, y).t_) == (15 * 10, 15 * 20)


def test_rows_of_no_weight_are_not_there(classes: Data) -> None:
    X, y = classes
    weights = np.r_[np.ones(200), np.zeros(100)]
    nothing = np.r_[X[:200], 1e6 * X[200:]]  # would change the standardization too
    with_zeros, without = ThinNetClassifier(**QUICK).fit(nothing, y, weights), ThinNetClassifier(**QUICK)
    np.testing.assert_array_equal(with_zeros.net_.params.flat, without.fit(X[:200], y[:200]).net_.params.flat)


@pytest.mark.parametrize("form", ["dense", "sparse"])
def test_weights_move_predictions_in_minibatches(form: str) -> None:
    """Uninformative rows, a quarter of them labeled 1: the predicted probability follows the weights."""
    y = np.tile([0, 0, 0, 1], 50)
    X: Any = np.column_stack([np.tile(np.arange(2.0), 100), np.ones(200)])
    X[:, 0] = np.random.default_rng(0).permutation(X[:, 0])
    X = sparse.csr_array(X) if form == "sparse" else X
    for weight, wanted in ((1.0, 0.25), (9.0, 0.75)):
        net = ThinNetClassifier(4, dropout=0.0, random_state=0).fit(X, y, np.where(y == 1, weight, 1.0))
        assert net.predict_proba(X)[:, 1].mean() == pytest.approx(wanted, abs=0.06)


def test_class_weights(classes: Data) -> None:
    X, y = classes
    rare = np.flatnonzero((y == 0) | (np.arange(300) % 4 == 0))
    X, y = X[rare], (y[rare] > 0).astype(int)
    plain = ThinNetClassifier((), random_state=0).fit(X, y)
    balanced = ThinNetClassifier((), random_state=0, class_weight="balanced").fit(X, y)
    assert (balanced.predict(X) == 1).sum() > (plain.predict(X) == 1).sum()
    as_weights = ThinNetClassifier((), random_state=0).fit(X, y, np.where(y == 1, 3.0, 1.0))
    as_classes = ThinNetClassifier((), random_state=0, class_weight={1: 3.0, 0: 1.0}).fit(X, y)
    np.testing.assert_array_equal(as_weights.net_.params.flat, as_classes.net_.params.flat)


# Rows


@pytest.mark.parametrize("kernels", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
def test_sparse_rows_are_the_dense_ones(kernels: bool, weighted: bool, request: pytest.FixtureRequest) -> None:
    if not kernels:
        request.getfixturevalue("without_kernels")
    generator = np.random.default_rng(0)
    X = generator.standard_normal((50, 9)) * (generator.random((50, 9)) < 0.3) + 1e3 * (np.arange(9) == 4)
    X[:, 7] = 0
    weights = generator.random(50) if weighted else None
    dense, thin = moments(X, weights), moments(sparse.csr_array(X), weights)
    np.testing.assert_allclose(thin.mean, dense.mean, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(thin.scale, dense.scale, rtol=1e-9)
    mean = np.average(X, axis=0, weights=weights)
    np.testing.assert_allclose(dense.mean, mean)
    np.testing.assert_allclose(
        dense.scale[:4], 1 / np.sqrt(np.average((X - mean)[:, :4] ** 2, axis=0, weights=weights))
    )
    assert dense.scale[7] == 0
    narrow = Standardization(dense.mean, dense.scale, limit=1.5)
    wanted = np.clip((X - dense.mean) * dense.scale, -1.5, 1.5)
    np.testing.assert_allclose(standardized(X, narrow, np.float64), wanted, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(narrow.sparse_rows(sparse.csr_array(X)) @ np.eye(9), wanted, rtol=1e-12, atol=1e-12)
    chosen, identity = np.array([3, 49, 3]), np.eye(9, dtype=np.float32)
    for form in (X, sparse.csr_array(X)):
        inputs = Inputs(None, False, narrow, has_means=True, bins=None, categorical=None)
        rows = TrainingRows(inputs, Sample(form, np.zeros(50), None), np.zeros(50), np.float32)
        read = rows.read(chosen).X @ identity
        np.testing.assert_allclose(read, wanted[chosen], rtol=1e-6, atol=1e-6)


def test_sparse_training_is_dense_training(classes: Data) -> None:
    X, y = np.where(np.abs(classes[0]) < 0.5, 0, classes[0]), classes[1]
    dense = ThinNetClassifier(numeric_bins=None, **QUICK).fit(X, y)  # sparse columns have no bins
    for form in (sparse.csr_array, sparse.csc_matrix, sparse.coo_array):
        thin = ThinNetClassifier(**QUICK).fit(form(X), y)
        np.testing.assert_allclose(thin.predict_proba(form(X)), dense.predict_proba(X), atol=1e-3)


def test_a_sparse_matrix_with_repeated_elements_is_left_alone(classes: Data) -> None:
    y = classes[1][:4]
    X = sparse.csr_array((np.ones(5), np.array([0, 0, 1, 1, 0]), np.array([0, 2, 3, 4, 5])), shape=(4, 2))
    once = ThinNetClassifier(**QUICK).fit(X.toarray(), y)
    np.testing.assert_allclose(ThinNetClassifier(**QUICK).fit(X, y).predict_proba(X), once.predict_proba(X.toarray()))
    assert X.nnz == 5


def test_bytes_are_kept_as_bytes_and_mean_the_same() -> None:
    generator = np.random.default_rng(0)
    X = generator.integers(0, 256, (200, 12), dtype=np.uint8)
    y = (X[:, 0] > 128).astype(int)
    small, large = ThinNetClassifier(**QUICK).fit(X, y), ThinNetClassifier(**QUICK).fit(X.astype(float), y)
    np.testing.assert_allclose(small.predict_proba(X), large.predict_proba(X.astype(float)), atol=1e-3)
    assert ThinNetClassifier(random_state=0).fit(X, y).score(X, y) > 0.9


def test_a_constant_column_says_nothing_and_an_outlier_no_more_than_its_limit(classes: Data) -> None:
    X, y = classes
    X = np.column_stack([X, np.full(300, 0.1)])
    net = ThinNetClassifier(**QUICK).fit(X, y)
    changed = X.copy()
    changed[:, -1] = 1e9
    np.testing.assert_array_equal(net.predict_proba(changed), net.predict_proba(X))
    far, farther = X[:5].copy(), X[:5].copy()
    far[:, 0], farther[:, 0] = 1e3, 1e6
    np.testing.assert_array_equal(net.predict_proba(far), net.predict_proba(farther))


def test_many_rows_come_in_pieces(classes: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = classes
    net = ThinNetClassifier(**QUICK).fit(X, y)
    whole = net.predict_proba(X)
    monkeypatch.setattr(rows_module, "PIECE_BYTES", 8 * 7 * X.shape[1])
    np.testing.assert_allclose(net.predict_proba(X), whole, rtol=1e-12)
    np.testing.assert_allclose(ThinNetClassifier(**QUICK).fit(X, y).predict_proba(X), whole, atol=1e-4)
