"""What a solver passes to a model: the dtype and shape of data, and what other people's models must return."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from small_training import Foreign, blobs, make_data, make_net, make_solver, model_state
from thinnet import ArgumentError, Dataset, optim
from thinnet.optim import OPTIMIZERS
from thinnet.training.model_batch import model_batch
from thinnet.typing import AnyArray


def test_a_dict_of_data_is_taken_like_a_dataset() -> None:
    data = make_data()
    as_dict = {"X_train": data.X_train, "y_train": data.y_train, "X_val": data.X_val, "y_val": data.y_val}
    losses = [make_solver(data=given).train().loss for given in (data, as_dict)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_small_integers_reach_the_net_standardized_and_as_its_floats(dtype: Any) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (60, 5), dtype=np.uint8), rng.integers(3, size=60)
    data = Dataset(X, y, X[:20], y[:20]).standardized("feature")
    floats = ((X - data.shift) * data.scale).astype(dtype)  # in float64 before the cast
    as_floats = Dataset(floats, y, floats[:20], y[:20])
    nets = [make_net(dtype=dtype) for _ in range(2)]
    losses = [make_solver(net, given).train().loss for net, given in zip(nets, (data, as_floats), strict=True)]
    assert losses[0] == losses[1]
    assert nets[0].params.flat.tobytes() == nets[1].params.flat.tobytes()
    rows = make_solver(nets[0], data).order.rows(0)
    batch, labels = model_batch(nets[0], data, "train", rows)
    assert batch.dtype == dtype
    np.testing.assert_array_equal(batch, floats[rows])
    np.testing.assert_array_equal(labels, y[rows])


@pytest.mark.parametrize("rule", ["sgd", "adam", optim.sgd, optim.adam])
def test_another_model_is_trained_with_named_rules_and_with_functions(rule: Any) -> None:
    model, data = Foreign(), Dataset(*(blobs()[0].astype(np.float64), blobs()[1]), *blobs(30, seed=1))
    solver = make_solver(model, data, optimizer=rule, learning_rate=0.05, epochs=20, seed=0)
    history = solver.train()
    assert all(type(loss) is float for loss in history.loss)
    assert history.loss[0] == pytest.approx(math.log(3), rel=1e-12)
    assert np.mean(history.loss[-3:]) < 0.7 * history.loss[0]
    assert solver.accuracy("val") == solver.best_val_accuracy == max(history.val_accuracy)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.usefixtures("without_kernels")
def test_a_rule_by_name_and_as_a_function_are_the_same(name: str) -> None:
    results = []
    for rule in (name, OPTIMIZERS[name].rule):
        model, data = Foreign(), Dataset(blobs()[0].astype(np.float64), blobs()[1])
        solver = make_solver(model, data, optimizer=rule, learning_rate=0.05, seed=0)
        results.append(([solver.step() for _ in range(9)], model_state(model)))
    assert results[0] == results[1]


def test_another_model_gets_rows_in_the_shape_of_the_data_and_our_own_gets_them_flat() -> None:
    X, y = blobs()
    images = {"X_train": X.reshape(60, 5, 1, 1), "y_train": y, "X_val": X.reshape(60, 5, 1, 1), "y_val": y}
    make_solver(Foreign(shape=(5, 1, 1)), images).train()
    data = Dataset.from_dict(images)
    assert model_batch(make_net(), data, "train", np.arange(4))[0].shape == (4, 5)
    assert model_batch(Foreign(), data, "train", np.arange(4))[0].dtype == np.float32


def test_another_model_gets_its_own_dtype_or_that_of_the_data() -> None:
    seen: list[str] = []

    class Recording(Foreign):
        def loss(self, X: AnyArray, y: AnyArray | None = None) -> Any:
            seen.append(X.dtype.name)
            return super().loss(X, y)

    X, y = blobs()
    given: list[tuple[AnyArray, str | None, str]] = [
        (X, None, "float32"),
        (X.astype(np.float64), None, "float64"),
        (X.astype(np.float64), "float32", "float32"),
        (np.abs(X).astype(np.uint8), None, "float32"),
        (np.abs(X).astype(np.uint8), "float64", "float64"),
    ]
    for rows, dtype, expected in given:
        seen.clear()
        model = Recording()
        if dtype:
            model.dtype = dtype  # type: ignore[attr-defined]
        make_solver(model, Dataset(rows, y, rows, y)).train()
        assert set(seen) == {expected}


@pytest.mark.parametrize("rule", ["adam", OPTIMIZERS["adam"].rule], ids=["named", "callable"])
def test_a_models_bias_may_be_a_row_and_its_gradient_a_vector(rule: Any) -> None:
    model, plain = Foreign(), Foreign()
    model.params["b"] = np.zeros((1, 3))
    losses = [make_solver(one, optimizer=rule, seed=0).train().loss for one in (model, plain)]
    assert losses[0] == losses[1]
    np.testing.assert_array_equal(model.params["b"], plain.params["b"][None])


@pytest.mark.parametrize("gradient", [np.float64(3.0), np.ones(2), np.ones((3, 5)), None, [1.0], np.ones((5, 3), int)])
@pytest.mark.parametrize("rule", ["adam", OPTIMIZERS["adam"].rule], ids=["named", "callable"])
def test_a_models_gradient_of_another_shape_is_named(gradient: Any, rule: Any) -> None:
    class Wrong(Foreign):
        def loss(self, X: AnyArray, y: AnyArray | None = None) -> Any:
            result = super().loss(X, y)
            return result if y is None else (result[0], {**result[1], "W": gradient})

    model = Wrong()
    before = model.params["W"].copy()
    text = r"gradients\['W'\] must be an array of floats of shape \(5, 3\), as params\['W'\] is, got"
    with pytest.raises(ArgumentError, match=text):
        make_solver(model, optimizer=rule).step()
    np.testing.assert_array_equal(model.params["W"], before)
