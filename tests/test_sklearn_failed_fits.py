"""A refused training call leaves an estimator unchanged: with what it had learned, or nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from thinnet import ArgumentError
from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor

X = np.random.default_rng(0).standard_normal((60, 3))
LABELS, VALUES = (X[:, 0] > 0) * 1, X[:, 0]
WORDS = np.array(["no", "yes"])[LABELS]
QUICK: dict[str, Any] = {"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0}

# The estimator, what changes before the refused call, and the call's arguments.
REFUSED: dict[str, tuple[Any, dict[str, Any], tuple[Any, ...]]] = {
    "other columns, no labels": (ThinNetClassifier, {}, (X[:, :2], np.full(60, np.nan))),
    "other labels, no weights": (ThinNetClassifier, {}, (X, WORDS, np.zeros(60))),
    "other labels, batches of one": (
        ThinNetClassifier, {"hidden_layer_sizes": 20, "normalization": "batchnorm", "batch_size": 1}, (X, WORDS),
    ),
    "several labels, too few rows": (ThinNetClassifier, {"early_stopping": True}, (X[:3], np.eye(3, dtype=int))),
    "another loss": (ThinNetRegressor, {"loss": "poisson"}, (X, VALUES)),
    "several values": (ThinNetRegressor, {"early_stopping": True}, (X[:3], X[:3])),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_was_learned_before_stays(case: str) -> None:
    estimator, change, arguments = REFUSED[case]
    net = estimator(**QUICK).fit(X, LABELS if estimator is ThinNetClassifier else VALUES)
    predicted, learned = net.predict(X), {name for name in vars(net) if name not in net.get_params()}
    with pytest.raises(ArgumentError):
        net.set_params(**change).fit(*arguments)
    np.testing.assert_array_equal(net.predict(X), predicted)
    assert {name for name in vars(net) if name not in net.get_params()} == learned


@pytest.mark.parametrize("case", REFUSED)
def test_one_that_never_learned_anything_says_so(case: str) -> None:
    estimator, change, arguments = REFUSED[case]
    net = estimator(**QUICK).set_params(**change)
    with pytest.raises(ArgumentError):
        net.fit(*arguments)
    with pytest.raises(NotFittedError):
        net.predict(X)


def test_a_change_that_is_refused_can_be_taken_back() -> None:
    net = ThinNetClassifier(max_iter=2, random_state=0, warm_start=True).fit(X, LABELS)
    sizes = net.settings_.hidden_layer_sizes
    with pytest.raises(ArgumentError, match="hidden_layer_sizes must stay"):
        net.set_params(hidden_layer_sizes=(5,)).fit(X, LABELS)
    assert net.set_params(hidden_layer_sizes="auto").fit(X, LABELS).settings_.hidden_layer_sizes == sizes
