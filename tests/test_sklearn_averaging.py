"""The estimators' averaged weights, and mixup in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import make_multilabel_classification

from thinnet import ArgumentError
from thinnet.data.mixup import MixedRows
from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor
from thinnet.sklearn.holding_out import split
from thinnet.typing import AnyArray

Data = tuple[AnyArray, AnyArray]
STEADY: dict[str, Any] = {
    "hidden_layer_sizes": 16,
    "learning_rate": "constant",
    "n_iter_no_change": np.inf,
    "random_state": 0,
}


def weights(net: Any) -> AnyArray:
    return np.concatenate([array.ravel() for array in (*net.coefs_, *net.intercepts_)])


@pytest.mark.filterwarnings("ignore:max_iter:sklearn.exceptions.ConvergenceWarning")
def test_a_net_ends_with_the_average_of_its_weights(values: Data) -> None:
    X, y = values
    settings = {**STEADY, "batch_size": len(X)}  # one step per epoch
    after = [weights(ThinNetRegressor(**settings, max_iter=steps).fit(X, y)) for steps in range(1, 7)]
    expected = after[0]
    for step, now in enumerate(after[1:], start=1):
        decay = min(0.4, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * now
    averaged = weights(ThinNetRegressor(**settings, max_iter=6, ema_decay=0.4).fit(X, y))
    np.testing.assert_allclose(averaged, expected, rtol=1e-4, atol=1e-6)
    assert not np.allclose(averaged, after[-1], rtol=1e-2)


@pytest.mark.parametrize("ensemble", [1, 2])
def test_what_is_validated_is_the_average(classes: Data, ensemble: int) -> None:
    X, y = classes
    settings = {**STEADY, "max_iter": 8, "early_stopping": True, "ensemble": ensemble, "calibrate": False}
    net = ThinNetClassifier(**settings, ema_decay=0.95).fit(X, y)
    _, held = split(y, len(y), 0.1, seed=net._seed, names=net.classes_.tolist(), fewest=1)
    assert net.best_validation_score_ == pytest.approx(net.score(X[held], y[held]))
    plain = ThinNetClassifier(**settings).fit(X, y)
    assert net.validation_scores_ != plain.validation_scores_


def test_mixed_rows_go_on_with_the_next_step(classes: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = classes
    steps: list[int] = []
    draw = MixedRows.draw

    def recorded(self: MixedRows, count: int, step: int) -> tuple[float, AnyArray]:
        steps.append(step)
        return draw(self, count, step)

    monkeypatch.setattr(MixedRows, "draw", recorded)
    net = ThinNetClassifier(**STEADY, mixup=0.2, batch_size=100)
    for _ in range(2):
        net.partial_fit(X, y, classes=np.unique(y))
    a_pass = -(-len(X) // 100)
    assert steps == list(range(2 * a_pass))


def test_rows_of_every_kind_are_mixed(classes: Data, values: Data) -> None:
    labels: dict[str, Any] = {"max_iter": 20, "random_state": 0, "mixup": 0.3}
    X, y = classes
    for net in (ThinNetClassifier(**labels), ThinNetClassifier(**labels, ensemble=2, class_weight="balanced")):
        assert net.fit(X, y).score(X, y) > 0.85
    pixels = np.clip(128 + 40 * X, 0, 255).astype(np.uint8)
    assert ThinNetClassifier(**labels).fit(pixels, y).score(pixels, y) > 0.85
    X, several = make_multilabel_classification(400, 10, n_classes=4, n_labels=2, random_state=0)
    assert (ThinNetClassifier(**labels).fit(X, several).predict(X) == several).mean() > 0.8
    X, y = values
    mixed = ThinNetRegressor(**labels).fit(X, y, sample_weight=np.linspace(0, 2, len(y)))
    assert mixed.score(X, y) > 0.8
    assert not np.allclose(mixed.predict(X), ThinNetRegressor(**{**labels, "mixup": 0}).fit(X, y).predict(X))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ema_decay": 0.9, "solver": "lbfgs"}, "ema_decay must be 0 with solver='lbfgs'"),
        ({"mixup": 0.2, "solver": "lbfgs"}, "mixup must be 0 with solver='lbfgs'"),
        ({"ema_decay": 1.0}, "ema_decay must be"),
        ({"mixup": -1}, "mixup must be"),
        ({"mixup": "yes"}, "mixup must be"),
    ],
)
def test_what_is_refused(classes: Data, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        ThinNetClassifier(**options).fit(*classes)


def test_averages_of_parts_are_refused(classes: Data) -> None:
    X, y = classes
    with pytest.raises(ArgumentError, match="partial_fit does not support ema_decay"):
        ThinNetClassifier(ema_decay=0.9).partial_fit(X, y, classes=np.unique(y))


@pytest.mark.usefixtures("computed_by")
def test_sparse_rows_are_mixed_like_dense_ones(classes: Data) -> None:
    X, y = classes
    X = np.where(np.abs(X) > 1, X, 0)
    settings: dict[str, Any] = {
        **STEADY,
        "learning_rate": "cosine",
        "mixup": 0.5,
        "max_iter": 5,
        "numeric_bins": None,
        "calibrate": False,
    }
    dense = ThinNetClassifier(**settings).fit(X, y)
    for rows in (sparse.csr_array(X), sparse.csc_matrix(X)):
        mixed = ThinNetClassifier(**settings).fit(rows, y)
        np.testing.assert_allclose(mixed.predict_proba(X), dense.predict_proba(X), rtol=1e-3, atol=1e-4)
    plain = ThinNetClassifier(**{**settings, "mixup": 0}).fit(X, y)
    assert np.abs(plain.predict_proba(X) - dense.predict_proba(X)).max() > 0.01


def test_a_table_that_becomes_sparse_is_mixed() -> None:
    town = np.array([f"town {i % 300}" for i in range(3000)])
    frame = pd.DataFrame({"town": town, "street": np.roll(town, 7), "x": np.arange(3000.0)})
    y = np.arange(3000) % 300 > 150
    net = ThinNetClassifier(hidden_layer_sizes=(16,), max_iter=10, random_state=0, mixup=0.2).fit(frame, y)
    assert net.encoder_ is not None
    assert net.encoder_.is_sparse
    assert net.score(frame, y) > 0.9
