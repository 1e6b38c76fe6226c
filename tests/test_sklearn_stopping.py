"""Which rows early stopping holds out, and what it says if there are too few."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thinnet import ArgumentError
from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor
from thinnet.sklearn.holding_out import split

X = np.random.default_rng(0).standard_normal((120, 3))
QUICK: dict[str, Any] = {"hidden_layer_sizes": (8,), "max_iter": 12, "random_state": 0, "early_stopping": True}


@settings(max_examples=150)
@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    fraction=st.floats(0.02, 0.9),
    seed=st.integers(0, 2**62),
)
def test_classes_give_rows_in_proportion_and_keep_one(counts: list[int], fraction: float, seed: int) -> None:
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(len(counts)), counts))
    wanted, spare = int(np.ceil(fraction * len(labels))), len(labels) - len(counts)
    if min(wanted, spare) < 2 or wanted >= len(labels):
        with pytest.raises(ArgumentError, match=r"early_stopping must .*validation_fraction"):
            split(labels, len(labels), fraction, seed=seed, names=range(len(counts)))
        return
    train, held = split(labels, len(labels), fraction, seed=seed)
    np.testing.assert_array_equal(np.sort(np.r_[train, held]), np.arange(len(labels)))
    assert len(held) == min(wanted, spare)
    assert set(labels[train]) == set(range(len(counts)))
    if len(held) == wanted and min(counts) * (1 - fraction) > 2:  # no class runs out of rows
        found = np.bincount(labels[held], minlength=len(counts))
        assert (np.abs(found - fraction * np.array(counts)) <= 2).all()


def test_other_seeds_hold_out_other_rows_and_all_equally_often() -> None:
    labels = np.repeat([0, 1], [30, 10])
    held = [split(labels, 40, 0.1, seed=seed)[1] for seed in range(400)]
    assert all(np.bincount(labels[rows]).tolist() == [3, 1] for rows in held)
    often = np.bincount(np.concatenate(held), minlength=40)
    assert often.min() > 15
    assert often.max() < 75


def test_rare_classes_are_trained_on() -> None:
    y = np.where(X[:, 0] > 0, "bee", "ant").astype("<U5")
    y[7] = "zebra"
    numbers = np.unique(y, return_inverse=True)[1]
    for seed in range(20):
        assert 7 in split(numbers, 120, 0.4, seed=seed)[0]
    net = ThinNetClassifier(**QUICK).fit(X, y)
    assert list(net.classes_) == ["ant", "bee", "zebra"]
    assert net.validation_scores_ is not None
    assert np.isfinite(net.validation_scores_).all()


def test_more_classes_than_rows_held_out() -> None:
    net = ThinNetClassifier(**QUICK).fit(X, np.arange(120) // 4)
    assert net.validation_scores_ is not None
    assert np.isfinite(net.validation_scores_).all()


def test_rare_labels_of_several_a_row_are_trained_on() -> None:
    y = np.column_stack([X[:, 0] > 0, X[:, 1] > 0, np.arange(120) == 7, np.arange(120) < 2]).astype(int)
    for seed in range(20):
        train, held = split(y, 120, 0.3, seed=seed)
        assert y[train].any(axis=0).all()
        assert len(held) == 36
    assert ThinNetClassifier(**QUICK).fit(X, y).validation_scores_


@pytest.mark.parametrize("estimator", [ThinNetClassifier, ThinNetRegressor])
@pytest.mark.parametrize("rows", [1, 2, 3, 9, 10])
def test_too_few_rows_to_score(estimator: Any, rows: int) -> None:
    y = (X[:rows, 0] > X[0, 0] - 0.1) * 1 if estimator is ThinNetClassifier else X[:rows, 0]
    with pytest.raises(ArgumentError, match=r"early_stopping must .* validation_fraction.* set early_stopping=False"):
        estimator(**QUICK).fit(X[:rows], y)
    weights = np.r_[np.ones(rows), np.zeros(120 - rows)]
    whole = np.r_[y, X[rows:, 0] > 0] if estimator is ThinNetClassifier else X[:, 0]
    with pytest.raises(ArgumentError, match=rf"early_stopping must .* {rows}\b.*those of weight 0 do not count"):
        estimator(**QUICK).fit(X, whole, weights)


def test_what_is_advised_works() -> None:
    with pytest.raises(ArgumentError, match=r"got validation_fraction=0\.1 of 10, .* to 0\.2, give more rows"):
        ThinNetRegressor(**QUICK).fit(X[:10], X[:10, 0])
    scores = ThinNetRegressor(**QUICK, validation_fraction=0.2).fit(X[:10], X[:10, 0]).validation_scores_
    assert scores
    assert np.isfinite(scores).all()
    with pytest.raises(ArgumentError, match=r"got validation_fraction=0\.005 of 120, .* to 0\.02"):
        ThinNetRegressor(**QUICK, validation_fraction=0.005).fit(X, X[:, 0])


@pytest.mark.parametrize("fraction", [0.95, 0.999])
def test_no_row_left_to_train_on(fraction: float) -> None:
    with pytest.raises(ArgumentError, match=r"leave at least 1 of 12 rows .* Lower validation_fraction"):
        ThinNetRegressor(**QUICK, validation_fraction=fraction).fit(X[:12], X[:12, 0])


def test_classes_of_one_row_each_are_named() -> None:
    with pytest.raises(ArgumentError, match=r"early_stopping must .* since there is one row each of 'a', 'b', 'c';"):
        ThinNetClassifier(**QUICK, validation_fraction=0.6).fit(X[:3], ["a", "b", "c"])
    names = [f"class {number}" for number in range(30)]
    with pytest.raises(ArgumentError, match=r"since there is one row each of 'class 0', .* 'class 4' and 25 more;"):
        split(np.arange(30), 30, 0.1, seed=0, names=names)


def test_equal_targets_among_the_rows_held_out_still_rank_the_passes() -> None:
    """R² is meaningless there: it is 0 for every net, and the squared error decides which net is kept."""
    y = np.where(np.arange(120) == 5, 30.0, 0.0)  # row 5 may be held out or not
    for seed in range(4):
        net = ThinNetRegressor(**{**QUICK, "random_state": seed}).fit(X, y)
        first = ThinNetRegressor(**{**QUICK, "random_state": seed, "max_iter": 1}).fit(X, y)
        assert net.validation_scores_ is not None
        assert np.isfinite(net.validation_scores_).all()
        assert np.square(net.predict(X) - y)[y == 0].mean() < np.square(first.predict(X) - y)[y == 0].mean()
    both: Any = ThinNetRegressor(**QUICK).fit(X, np.column_stack([y, X[:, 0]]))
    assert np.isfinite(both.validation_scores_).all()
