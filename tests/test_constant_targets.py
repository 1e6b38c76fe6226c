"""Targets that are all equal, nearly equal, or equal except one: predictions, scores, and when training stops."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor

from thinnet import Dataset, FullyConnectedNet, Solver
from thinnet.sklearn import ThinNetRegressor
from thinnet.typing import AnyArray

RNG = np.random.default_rng(0)
X = RNG.standard_normal((120, 3))
CONSTANTS = [3.7, 0.0, 49.0, 1e12, 1e-12, 1e100, -3.7]
QUICK: dict[str, Any] = {"random_state": 0, "max_iter": 4, "hidden_layer_sizes": (8,), "learning_rate": "cosine"}


@pytest.mark.parametrize("value", CONSTANTS)
@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.filterwarnings("ignore:L-BFGS ended")
def test_a_constant_is_predicted_exactly(value: float, loss: Any, solver: str) -> None:
    if loss == "poisson" and value < 0:
        value = -value
    y = np.full(len(X), value)
    model = ThinNetRegressor(**QUICK, loss=loss, solver=solver, alpha=1.0, dropout=0.0).fit(X, y)
    assert np.array_equal(model.predict(X), y)
    assert model.score(X, y) == 1.0


@pytest.mark.parametrize("weights", [RNG.random(120)], ids=["weighted"])
@pytest.mark.parametrize("more", [{"ensemble": 2}, {"mixup": 0.3}, {"ema_decay": 0.9}, {"dropout": 0.4}, {}])
def test_so_it_is_however_it_is_trained(weights: AnyArray | None, more: dict[str, Any]) -> None:
    y = np.full((120, 2), [5.0, 0.0]) + np.c_[np.zeros(120), X[:, 0]]  # only the first is constant
    model = ThinNetRegressor(**QUICK, **more).fit(X, y, weights)
    predicted = model.predict(X)
    assert (predicted[:, 0] == 5).all()
    assert np.ptp(predicted[:, 1]) > 0
    if more.get("dropout"):
        assert (model.predict(X, return_std=True)[1][:, 0] == 0).all()


def test_integers_are_predicted_as_dummy_regressor_does() -> None:
    y = np.full(120, 10**12)
    assert np.array_equal(ThinNetRegressor(**QUICK).fit(X, y).predict(X), DummyRegressor().fit(X, y).predict(X))


def test_early_stopping_scores_an_exact_constant_1_and_stops() -> None:
    model = ThinNetRegressor(**{**QUICK, "max_iter": 50}, early_stopping=True, n_iter_no_change=3)
    model.fit(X, np.full(120, 3.7))
    assert model.validation_scores_ == [1.0] * model.n_iter_
    assert model.n_iter_ == 4


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_rows_held_out_that_are_equal_score_0_and_the_nearest_pass_is_kept(loss: Any) -> None:
    y = np.r_[np.full(119, 1.0), 1e6]  # with this seed, the large one is a training row
    model = ThinNetRegressor(**{**QUICK, "max_iter": 30, "random_state": 1}, early_stopping=True, loss=loss).fit(X, y)
    assert model.validation_scores_ is not None
    assert set(model.validation_scores_) <= {0.0, 1.0}
    first = ThinNetRegressor(**{**QUICK, "max_iter": 1, "random_state": 1}, early_stopping=True, loss=loss).fit(X, y)
    error, before = (np.abs(net.predict(X[:119]) - 1).mean() for net in (model, first))
    assert error < before


def test_nearly_constant_targets_are_learned_in_their_own_units() -> None:
    y = 3.7 + 1e-9 * X[:, 0]
    model = ThinNetRegressor(random_state=0).fit(X, y)
    assert model.score(X, y) > 0.8
    jitter = np.nextafter(3.7, RNG.choice([3.0, 4.0], 120))
    assert np.allclose(ThinNetRegressor(**QUICK).fit(X, jitter).predict(X), 3.7, rtol=1e-15)


@pytest.mark.parametrize("value", [0.0, 7.0])
@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_what_comes_after_constant_targets_is_learned(value: float, loss: Any) -> None:
    later = np.exp(X[:, 0])
    parts = ThinNetRegressor(hidden_layer_sizes=(32,), random_state=0, loss=loss).partial_fit(X, np.full(120, value))
    warm = ThinNetRegressor(hidden_layer_sizes=(32,), random_state=0, loss=loss, warm_start=True)
    warm.fit(X, np.full(120, value)).fit(X, later)
    for _ in range(60):
        parts.partial_fit(X, later)
    assert parts.score(X, later) > 0.5
    assert warm.score(X, later) > 0.5


def test_an_onnx_file_says_the_constant_too(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    ThinNetRegressor(**QUICK).fit(X, np.full(120, 3.7)).export_onnx(tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    assert (session.run(None, {"X": X[:5]})[0] == 3.7).all()


@pytest.mark.parametrize("value", [3.7, 0.0])
def test_a_solver_scores_constants_0_and_keeps_the_nearest_weights(value: float) -> None:
    data = Dataset(X, np.full(120, value), X[:20], np.full(20, value))
    net = FullyConnectedNet.for_data(data, [8], seed=0, loss="mse")
    history = Solver(net, data, epochs=60, learning_rate=0.01, batch_size=20, verbose=False, patience=20).train()
    assert set(history.val_accuracy) <= {0.0, 1.0}
    assert np.abs(net.predict(X[:20]) - value).mean() < 0.15
    assert len(history.epoch) > 25, "training goes on as long as the loss falls"


def test_a_solver_scores_an_exact_constant_1() -> None:
    data = Dataset(X, np.zeros((120, 1)), X[:20], np.zeros((20, 1)))
    net = FullyConnectedNet.for_data(data, [], seed=0, loss="mse", weight_scale=0.0)
    assert Solver(net, data, verbose=False).accuracy("val") == 1.0
