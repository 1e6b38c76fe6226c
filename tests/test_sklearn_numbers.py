"""Estimators on numbers of every magnitude: columns, targets and weights that need float64, or even exceed it."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from thinnet.data.moments import standardized
from thinnet.errors import ArgumentError
from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor
from thinnet.sklearn.rows import moments
from thinnet.typing import AnyArray

GENERATOR = np.random.default_rng(0)
SIGNAL = GENERATOR.normal(size=(120, 3))
LABELS = (SIGNAL[:, 0] > 0).astype(int)
VALUES = SIGNAL @ [1.0, -2.0, 0.5]
QUICK: dict[str, Any] = {"hidden_layer_sizes": (8,), "max_iter": 5, "random_state": 0, "numeric_bins": None}


@functools.cache
def plain(numeric_bins: int | None) -> AnyArray:
    """The predictions for numbers of ordinary magnitude."""
    net = ThinNetClassifier(**QUICK | {"numeric_bins": numeric_bins})
    probabilities: AnyArray = net.fit(SIGNAL, LABELS).predict_proba(SIGNAL)
    return probabilities


COLUMNS = {
    "float32 of 1e-42": (SIGNAL * 1e-38).astype(np.float32) * np.float32(1e-2),
    "1e-200": SIGNAL * 1e-200,
    "1e200": SIGNAL * 1e200,
    "1e307": SIGNAL * 1e307,
    "float32 of 3e37": (SIGNAL * 3e37).astype(np.float32),
    "1.7e9 ± 1": SIGNAL + 1.7e9,
    "1e12 ± 1": SIGNAL + 1e12,
    "each of its own": SIGNAL * [1e200, 1e-200, 1] + [0, 0, -1.7e9],
    "longdouble": SIGNAL.astype(np.longdouble),
    "big-endian": SIGNAL.astype(">f8"),
}


@pytest.mark.parametrize("X", COLUMNS.values(), ids=COLUMNS.keys())
@pytest.mark.parametrize("thin", [False, True])
def test_columns_of_every_size_say_the_same(X: Any, thin: bool) -> None:
    form = sparse.csr_array(X.astype(X.dtype.newbyteorder("="))) if thin and X.dtype.itemsize <= 8 else X
    net = ThinNetClassifier(**QUICK).fit(form, LABELS)
    tolerance = 0.05 if X.dtype == np.float32 and X[0, 0] < 1e-40 else 2e-3  # subnormal, with hardly a digit
    assert_allclose(net.predict_proba(form), plain(None), atol=tolerance)


@pytest.mark.parametrize("X", COLUMNS.values(), ids=COLUMNS.keys())
def test_their_bins_say_the_same_too(X: Any) -> None:
    options = {**QUICK, "numeric_bins": 4}
    tolerance = 0.05 if X.dtype == np.float32 and X[0, 0] < 1e-40 else 2e-3  # subnormal, with hardly a digit
    assert_allclose(ThinNetClassifier(**options).fit(X, LABELS).predict_proba(X), plain(4), atol=tolerance)


@pytest.mark.parametrize("weights", [None, GENERATOR.random(120)])
@pytest.mark.parametrize(
    ("size", "offset"), [(1e-300, 0), (1e-300, 1e12), (1e-42, 1e9), (1, 1e12), (1e290, 1e12), (1e307, 0)]
)
def test_moments_of_dense_and_sparse_columns(weights: Any, size: float, offset: float) -> None:
    X = (SIGNAL + offset) * size
    center = np.average(SIGNAL, axis=0, weights=weights)
    deviation = np.sqrt(np.average(np.square(SIGNAL - center), axis=0, weights=weights))
    for form in (X, sparse.csr_array(X)):
        learned = moments(form, weights)
        rows = (
            learned.sparse_rows(form) @ np.eye(3) if sparse.issparse(form) else standardized(form, learned, np.float64)
        )
        assert_allclose(rows, (SIGNAL - center) / deviation, atol=1e-12 + offset / 1e15)


@pytest.mark.parametrize("offset", [0.1, 1e-200, -3e9])
def test_columns_that_differ_in_the_last_digit_only_are_left_out(offset: float) -> None:
    X = np.c_[SIGNAL[:, 0], np.full(120, offset)]
    X[::7, 1] = np.nextafter(offset, np.inf)
    assert (moments(X, None).scale == 0).tolist() == [False, True]
    assert (moments(sparse.csr_array(X), None).scale == 0).tolist() == [False, True]


@pytest.mark.parametrize("thin", [False, True])
def test_what_float32_does_not_hold_is_refused_by_column_where_rows_are_not_standardized(thin: bool) -> None:
    X = SIGNAL.copy()
    X[5, 2] = -1e200
    form = sparse.csr_array(X) if thin else X
    text = r"X must hold numbers that stay within float32, at most 3\.4e\+38, got -1e\+200 in column 2\. Scale them"
    with pytest.raises(ArgumentError, match=text):
        ThinNetClassifier(**QUICK, standardize=False).fit(form, LABELS)
    ThinNetClassifier(**QUICK).fit(form, LABELS)


@pytest.mark.parametrize(("size", "text"), [(1e308, "a span beyond 1.8e308"), (5e-324, "deviation below 5.6e-309")])
def test_what_float64_does_not_hold_is_refused_by_column(size: float, text: str) -> None:
    X = SIGNAL.copy()
    X[:, 1] = np.r_[size, -size, np.zeros(118)]
    for form in (X, sparse.csr_array(X)):
        with pytest.raises(ArgumentError, match=rf"X must hold columns that .* got .*{text} in column 1\. Scale it"):
            ThinNetClassifier(**QUICK).fit(form, LABELS)
    with pytest.raises(ArgumentError, match=rf"y must hold columns that .* got .*{text} in column 0\. Scale it"):
        ThinNetRegressor(**QUICK).fit(SIGNAL, X[:, 1])


@pytest.mark.parametrize("size", [1e-300, 1e-42, 1e42, 1e160, 1e300])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_targets_of_every_size_are_learned_alike(size: float, early_stopping: bool) -> None:
    options = {**QUICK, "early_stopping": early_stopping, "validation_fraction": 0.2}
    plain = ThinNetRegressor(**options).fit(SIGNAL, VALUES).predict(SIGNAL)
    assert_allclose(ThinNetRegressor(**options).fit(SIGNAL, VALUES * size).predict(SIGNAL) / size, plain, atol=2e-3)


def test_small_differences_of_large_targets_are_learned() -> None:
    plain = ThinNetRegressor(**QUICK).fit(SIGNAL, VALUES).predict(SIGNAL)
    assert_allclose(ThinNetRegressor(**QUICK).fit(SIGNAL, VALUES + 1.7e9).predict(SIGNAL) - 1.7e9, plain, atol=2e-3)


@pytest.mark.parametrize("size", [2.0**-1060, 2.0**-100, 2.0**1020])
@pytest.mark.parametrize("kind", [ThinNetClassifier, ThinNetRegressor])
def test_only_the_ratios_of_weights_matter(size: float, kind: Any) -> None:
    weights = GENERATOR.integers(1, 8, 120).astype(float)
    y = LABELS if kind is ThinNetClassifier else VALUES
    plain, scaled = (kind(**QUICK).fit(SIGNAL, y, w) for w in (weights, weights * size))
    np.testing.assert_array_equal(plain.net_.params.flat, scaled.net_.params.flat)
    if kind is ThinNetClassifier:
        both = ThinNetClassifier(**QUICK, class_weight={0: 1e300, 1: 1e300}).fit(SIGNAL, y, weights * size)
        assert_allclose(both.net_.params.flat, plain.net_.params.flat, atol=1e-5)
