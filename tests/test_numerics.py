"""NaN and overflow: training stops, says where and why, and keeps the last good weights."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thinnet import ArgumentError, Callback, DataError, Dataset, FullyConnectedNet, Solver, ThinnetError
from thinnet.course import layers as course
from thinnet.errors import NumericalError
from thinnet.numerics import is_finite_step
from thinnet.parameters import Parameters
from thinnet.training.state import TrainingState
from thinnet.typing import AnyArray, FloatArray

MASKS = pytest.mark.parametrize("mask", ["element", "batch"])


def make_data(val: int = 20) -> Dataset:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 5)).astype(np.float32)
    y = X[:, :3].argmax(axis=1)
    return Dataset(X, y, *((X[:val], y[:val]) if val else (None, None)))


def make_net(**options: Any) -> FullyConnectedNet:
    usual = {"dropout": 0.3, "normalization": "batchnorm", "weight_scale": "he", "seed": 1}
    return FullyConnectedNet([12, 8], 5, 3, **{**usual, **options})


def make_solver(net: FullyConnectedNet, data: Dataset | None = None, **options: Any) -> Solver:
    usual = {"optimizer": "sgd", "learning_rate": 0.01, "batch_size": 10, "epochs": 4, "verbose": False}
    return Solver(net, data or make_data(), **{**usual, **options})


def everything(net: FullyConnectedNet) -> tuple[bytes, bytes, int]:
    return net.params.flat.tobytes(), net.running.flat.tobytes(), net.step


class Spoil(Callback):
    """Set a parameter to a number before the step after this one, and remember the net at that time."""

    def __init__(self, step: int, name: str, value: float) -> None:
        self.step, self.name, self.value = step, name, value
        self.before = (b"", b"", 0)

    def on_step(self, state: TrainingState) -> None:
        if state.iteration == self.step:
            array = state.model.params[self.name]
            array[(0,) * array.ndim] = self.value
            self.before = everything(state.model)


def stopped(solver: Solver) -> str:
    with pytest.raises(NumericalError) as caught:
        solver.train()
    return str(caught.value)


# In a step


@MASKS
@pytest.mark.usefixtures("computed_by")
def test_a_net_whose_loss_becomes_nan_is_left_as_it_was_before_the_step(mask: str) -> None:
    """Weights, running statistics and the masks' step count, with a weight so large that the variance overflows."""
    net = make_net(dropout_mask=mask, dropout=0 if mask == "element" else 0.01, normalization="batchnorm")
    spoil = Spoil(2, "gamma2", 3e38)
    text = stopped(make_solver(net, callbacks=[spoil]))
    assert text.startswith("In step 3, the loss became ")
    assert "It began in layer 2, whose batchnorm holds" in text
    assert "Likely cause: a learning rate of 0.01, which made weights grow to 3e+38; lower it." in text
    assert text.endswith("The net has the weights from before this step.")
    assert everything(net) == spoil.before


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("W1", 3e38, "layer 1, whose product with W1 holds -?inf"),
        ("W2", np.nan, "an earlier step, which left W2 with nan"),
        ("b3", np.inf, "an earlier step, which left b3 with inf"),
        ("gamma1", 3e38, "layer 1, whose batchnorm holds -?inf"),
        ("W3", 3e38, "layer 3, whose product with W3 holds -?inf|the loss, of scores up to"),
    ],
)
def test_the_layer_where_it_began_is_named(name: str, value: float, place: str) -> None:
    text = stopped(make_solver(make_net(dropout=0), callbacks=[Spoil(3, name, value)]))
    assert re.match(rf"In step 4, .* It began in ({place})", text), text
    assert "Likely cause: a learning rate of 0.01, which made weights grow" in text


def test_a_gradient_that_becomes_infinite_stops_too() -> None:
    """The loss is finite: the gradient of the last layer is multiplied by weights near the largest float."""
    net = make_net(dropout=0, normalization=None, loss="mse")
    X = np.random.default_rng(0).uniform(0.5, 1, (30, 5)).astype(np.float32)
    data = Dataset(X, np.full((30, 3), 1e10, np.float32))
    net.params["W1"][...], net.params["W2"][...], net.params["W3"][...] = 1e-25, 1e-8, 1e33
    before = everything(net)
    text = stopped(make_solver(net, data))
    assert text.startswith("In step 1, a gradient became infinite or NaN (loss ")
    assert "It began in the backward pass of layer " in text
    assert everything(net) == before


@MASKS
def test_a_learning_rate_that_is_far_too_large_is_named(mask: str) -> None:
    net = make_net(dropout_mask=mask, normalization=None)
    text = stopped(make_solver(net, learning_rate=1e12))
    assert "Likely cause: a learning rate of 1e+12, which made weights grow" in text
    assert np.isfinite(net.params.flat).all()


def test_inputs_that_were_not_standardized_are_named() -> None:
    net = make_net(normalization=None, dropout=0)
    data = Dataset(make_data().X_train * np.float32(1e37), make_data().y_train)
    net.params["W1"][...] = 100
    text = stopped(make_solver(net, data))
    assert re.search(r"Likely cause: inputs up to [34].*e\+37; standardize them \(Dataset\.standardized\)", text)


def test_an_absurd_penalty_is_named() -> None:
    text = stopped(make_solver(make_net(reg=1e300), learning_rate=1e-3))
    assert re.match("Step 1, whose loss was .*, left W1 with -?(inf|nan).*an L2 penalty that is too large", text)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_bad_rows_that_come_later_are_named(bad: float) -> None:
    """A Dataset is checked when it is created, but its arrays may be changed afterwards."""
    data = make_data()

    class Break(Callback):
        def on_step(self, state: TrainingState) -> None:
            if state.iteration == 2:
                data.X_train[trained.order.rows(2)[4], 3] = bad

    solver = trained = make_solver(make_net(), data, callbacks=[Break()])
    text = stopped(solver)
    assert f"In step 3, the loss became nan. It began in the data: row 4 of the batch holds {bad} in column 3." in text
    assert "Likely cause: the data; remove such rows, or fill in their values." in text
    assert solver.iteration == 2
    assert np.isfinite(solver.model.running.flat).all()


@pytest.mark.parametrize("sums", [3.4e38, -3.4e38])
def test_finite_numbers_whose_sum_is_not_are_sound(sums: float) -> None:
    def biases(*values: float) -> Parameters:
        params = Parameters({"W1": (1, 1), "b1": (len(values),)})
        params["b1"] = values
        return params

    with np.errstate(all="ignore"):  # as in a step
        assert is_finite_step(1.0, biases(sums, sums, sums))
        assert not is_finite_step(1.0, biases(np.inf))
        assert not is_finite_step(1.0, biases(np.inf, -np.inf))
        assert not is_finite_step(float("nan"), biases(1))


# What is kept


@pytest.mark.parametrize("val", [20, 0])
def test_weights_that_overflow_in_an_update_are_put_back_to_the_last_good_ones(val: int) -> None:
    """A finite gradient times an absurd rate: the weights are infinite before any loss shows it."""
    net = make_net(normalization=None)
    good: list[bytes] = []

    class Break(Callback):
        def on_epoch(self, state: TrainingState) -> None:
            good.append(net.params.flat.tobytes())

        def on_step(self, state: TrainingState) -> None:
            if state.iteration == 8:
                net.params["W1"] = np.full((5, 12), np.inf)

    solver = make_solver(net, make_data(val), callbacks=[Break()], learning_rate=0.0 if val else 0.1)
    text = stopped(solver)
    assert text.startswith("In step 9, the loss became")
    assert text.endswith("Those were not finite either, so it now has the last good ones.")
    assert net.params.flat.tobytes() == good[-1]
    assert np.isfinite(net.params.flat).all()


def test_weights_that_are_infinite_at_an_evaluation_are_neither_measured_nor_kept_nor_written(tmp_path: Path) -> None:
    net = make_net(normalization=None, dropout=0)
    initial = net.params.flat.copy()

    class Break(Callback):
        def on_step(self, state: TrainingState) -> None:
            if state.iteration == 1:
                net.params["b3"][1] = -np.inf

    text = stopped(make_solver(net, callbacks=[Break()], checkpoint_dir=tmp_path, checkpoint_every=1))
    assert re.match(r"Step 1, whose loss was [0-9.]+, left b3 with -inf\. Likely cause", text)
    assert text.endswith("not standardized. The model was given the last good weights.")
    np.testing.assert_array_equal(net.params.flat, initial)
    assert not list(tmp_path.glob("*.safetensors"))


def test_weights_with_which_nothing_can_be_scored_are_put_back() -> None:
    """They are finite, but their products are not."""
    net = make_net(normalization=None)
    initial = net.params.flat.copy()
    text = stopped(make_solver(net, learning_rate=1e38))
    assert re.match(
        r"After step 1, scores became infinite or NaN; the largest weights are those of W\d, up to \S+\. Likely cause",
        text,
    )
    assert text.endswith("The model was given the last good weights.")
    np.testing.assert_array_equal(net.params.flat, initial)


def test_the_checkpoints_before_it_stay(tmp_path: Path) -> None:
    spoil = Spoil(7, "W1", np.nan)
    solver = make_solver(make_net(), checkpoint_dir=tmp_path, checkpoint_every=3, callbacks=[spoil])
    stopped(solver)
    assert [path.name for path in sorted(tmp_path.glob("*.safetensors"))] == [
        "step-000000003.safetensors",
        "step-000000006.safetensors",
    ]
    resumed = Solver.resume(tmp_path, make_data())
    assert np.isfinite(resumed.model.params.flat).all()
    resumed.train()


def test_running_statistics_that_overflow_are_found() -> None:
    """The variance is infinite, so all units become β: the loss is finite, but the net is useless."""
    net = make_net(dropout=0)
    X = make_data().X_train * np.float32(1e19)
    text = stopped(make_solver(net, Dataset(X, make_data().y_train)))
    assert re.search("left running_var1 with inf", text)
    assert np.isfinite(net.running.flat).all()


# A model that is not ours


class Foreign:
    def __init__(self) -> None:
        self.params: dict[str, FloatArray] = {"W": np.zeros((5, 3))}
        self.calls = 0

    def loss(self, X: AnyArray, y: AnyArray | None = None) -> Any:
        if y is None:
            return X @ self.params["W"]
        self.calls += 1
        return (float("nan") if self.calls == 4 else 1.0), {"W": np.ones((5, 3))}


def test_another_model_is_stopped_before_the_update() -> None:
    model = Foreign()
    solver = Solver(model, make_data(), optimizer="sgd", learning_rate=0.01, batch_size=10, verbose=False)
    text = stopped(solver)
    assert text.startswith("In step 4, the loss became nan. Likely cause: a learning rate that is too large")
    np.testing.assert_allclose(model.params["W"], -0.03)


# Scores


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("normalization", [None, "batchnorm", "layernorm"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_rows_that_hold_no_numbers_get_no_class(fused: bool, normalization: Any, bad: float) -> None:
    net = make_net(normalization=normalization)
    net.fused = fused
    X = np.random.default_rng(0).standard_normal((2500, 5))
    X[2100, 2] = bad
    for call in (net.predict, net.scores, net.loss):
        with pytest.raises(
            ArgumentError, match=f"X must hold numbers that are finite in float32, got {bad} in row 2100, col"
        ):
            call(X)


def test_numbers_beyond_the_nets_dtype_are_refused_by_their_column() -> None:
    X = np.ones((3, 5))
    X[1, 4] = -1e300
    with pytest.raises(
        ArgumentError, match=r"X must hold numbers that stay within float32, .*, got -1e\+300 in column 4"
    ):
        make_net().predict(X)
    make_net(dtype=np.float64).predict(X)


@pytest.mark.parametrize("name", ["W1", "b3", "gamma2"])
def test_a_net_with_nan_gives_no_class(name: str) -> None:
    net = make_net()
    net.params[name][...] = np.nan
    with pytest.raises(
        NumericalError, match=r"the scores of row 0 must be finite, got nan\. The row is finite: the net"
    ):
        net.predict(np.ones((2, 5)))


def test_large_finite_scores_pass() -> None:
    net = FullyConnectedNet([], 2, 2, dtype=np.float64, seed=0)
    net.params["W1"] = [[1e308, 0], [0, 1e308]]
    assert net.predict(np.ones((9, 2))).tolist() == [0] * 9


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"y_train": np.full((20, 1), 1e25)}, r"targets up to 1e\+25; scale them to about 1\."),
        ({"weights": np.full(20, 3e38)}, r"weights of rows up to 3e\+38; scale them to about 1\."),
    ],
)
@pytest.mark.parametrize("fused", [True, False])
def test_targets_and_weights_that_are_too_large_are_the_cause(options: dict[str, Any], cause: str, fused: bool) -> None:
    data = Dataset(**{"X_train": np.eye(20, 3), "y_train": np.ones((20, 1)), **options})
    net = FullyConnectedNet([4], 3, 1, loss="mse", seed=0)
    net.fused = fused
    with pytest.raises(NumericalError, match=rf"In step 1, .* It began in the loss, .* Likely cause: {cause}"):
        Solver(net, data, batch_size=20, verbose=False).train()


# Data


@pytest.mark.parametrize("split", ["train", "val", "test"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_data_with_nan_are_refused_and_the_place_is_named(split: str, dtype: Any, bad: float) -> None:
    arrays: dict[str, Any] = {}
    for name in ("train", "val", "test"):
        arrays |= {f"X_{name}": np.ones((5000, 3), dtype), f"y_{name}": np.zeros(5000, int)}
    Dataset(**arrays)
    arrays[f"X_{split}"][4999, 1] = bad
    with pytest.raises(DataError, match=f"X_{split} must hold finite numbers, got {bad} in row 4999, column 1. Remove"):
        Dataset(**arrays)


def test_targets_with_nan_are_refused() -> None:
    y = np.ones((4, 2))
    y[3, 1] = np.nan
    with pytest.raises(DataError, match="y_train must hold finite numbers, got nan in row 3, column 1"):
        Dataset(np.ones((4, 2)), y)


def test_finite_data_whose_sum_overflows_are_taken() -> None:
    assert Dataset(np.full((100, 3), 60_000, np.float16), np.zeros(100, int)).num_features == 3


def test_constant_features_are_trained_with() -> None:
    data = Dataset(np.full((20, 3), 7, np.uint8), np.arange(20) % 2)
    for method in ("mean", "feature", "global"):
        net = FullyConnectedNet([4], 3, 2, normalization="batchnorm", seed=0)
        solver = Solver(net, data.standardized(method), batch_size=5, verbose=False)
        assert np.isfinite(solver.train().loss).all()
        assert np.isfinite(net.scores(data.standardized(method).batch("train")[0])).all()


# Batches of one


def test_a_batch_of_one_is_refused_with_batch_normalization() -> None:
    net = make_net()
    before = everything(net)
    with pytest.raises(
        ArgumentError, match=r"X must have at least two rows in training with batch normalization, got 1"
    ):
        net.loss(np.ones((1, 5)), np.zeros(1, int), training=True)
    assert everything(net) == before
    assert net.predict(np.ones((1, 5))).shape == (1,)
    for options in ({"normalization": "layernorm"}, {"normalization": None}):
        assert np.isfinite(make_net(**options).loss(np.ones((1, 5)), np.zeros(1, int), training=True)[0])


def test_it_is_refused_before_training_begins() -> None:
    text = "batch_size must have at least two rows in training with batch normalization, got 1. Use a larger batch"
    with pytest.raises(ArgumentError, match=re.escape(text)):
        make_solver(make_net(), batch_size=1)
    one = make_data().first(1)
    with pytest.raises(ArgumentError, match=re.escape(text)):
        make_solver(make_net(), one)
    make_solver(make_net(normalization=None), batch_size=1, epochs=1).train()
    make_solver(FullyConnectedNet([], 5, 3, normalization="batchnorm"), batch_size=1, epochs=1).train()


def test_the_course_door_lets_a_batch_of_one_through() -> None:
    param: dict[str, Any] = {"mode": "train"}
    out, cache = course.batchnorm_forward(np.full((1, 3), 7.0), np.ones(3), np.arange(3.0), param)
    np.testing.assert_array_equal(out, [[0, 1, 2]])
    np.testing.assert_allclose(param["running_mean"], 0.7)
    np.testing.assert_array_equal(course.batchnorm_backward(np.ones((1, 3)), cache)[0], np.zeros((1, 3)))


def test_the_error_is_one_of_ours() -> None:
    assert issubclass(NumericalError, ThinnetError)
    assert issubclass(NumericalError, ArithmeticError)
