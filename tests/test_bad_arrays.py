"""Arrays that do not compute like others, or whose content would silently spoil a net: they are refused by name."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from thinnet import ArgumentError, Dataset, FullyConnectedNet, layers, optim, runs, sweep
from thinnet.config import Config

X = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
Y = np.arange(6) % 3
SQUARE = np.eye(4) + 1.0
ONES, ZEROS = np.ones(4), np.zeros(4)


def net(**options: Any) -> FullyConnectedNet:
    return FullyConnectedNet([5], 4, 3, seed=0, **options)


def matrix() -> Any:
    with warnings.catch_warnings(action="ignore"):
        return np.matrix(SQUARE)


start: Any = runs.start
run: Any = sweep.run  # Any, since the mistakes here are on purpose
CALLS: dict[str, Callable[[Any], Any]] = {
    "affine": lambda x: layers.affine_forward(x, SQUARE, ONES),
    "affine, backward": lambda x: layers.affine_backward(x, layers.affine_forward(SQUARE, SQUARE, ONES)[1]),
    "relu": layers.relu_forward,
    "relu, backward": lambda x: layers.relu_backward(x, layers.relu_forward(SQUARE)[1]),
    "dropout": lambda x: layers.dropout_forward(x, 0.5),
    "batchnorm": lambda x: layers.batchnorm_forward(x, ONES, ZEROS, ZEROS.copy(), ONES.copy()),
    "layernorm": lambda x: layers.layernorm_forward(x, ONES, ZEROS),
    "softmax": lambda x: layers.softmax_loss(x, np.arange(4)),
    "softmax, targets": lambda x: layers.softmax_loss(SQUARE, x),
    "svm": lambda x: layers.svm_loss(x, np.arange(4)),
    "mse": lambda x: layers.mse_loss(SQUARE, x),
    "adam": lambda x: optim.adam(x, SQUARE),
    "adam, gradient": lambda x: optim.adam(SQUARE, x),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("kind", ["matrix", "masked"])
def test_matrices_and_masked_arrays_are_refused_by_layers_and_rules(name: str, kind: str) -> None:
    value = matrix() if kind == "matrix" else np.ma.masked_array(SQUARE, SQUARE > 1)
    text = r"\w+: \w+ must be a plain NumPy array, got a (matrix|masked array)\. (Convert it with np|Fill it in: )"
    with pytest.raises(ArgumentError, match=text):
        CALLS[name](value)


def test_masked_parameters_are_refused_and_change_nothing() -> None:
    changed = net()
    before = changed.params.flat.copy()
    for name, shape in (("W1", (4, 5)), ("b1", (5,))):
        masked = np.ma.masked_array(np.ones(shape), np.ones(shape) > 0)
        with pytest.raises(ArgumentError, match=rf"params\['{name}'\] must have no masked .*: array\.filled\(0\)"):
            changed.params[name] = masked
    with pytest.raises(ArgumentError, match=r"params\.flat must have no masked elements, got some"):
        changed.params.flat = np.ma.masked_array(before, before > 0)
    np.testing.assert_array_equal(changed.params.flat, before)
    changed.params["W1"] = np.ma.masked_array(np.ones((4, 5)))  # with no element masked
    assert (changed.params["W1"] == 1).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("normalization", [None, "batchnorm", "layernorm"])
def test_a_loss_of_rows_that_hold_no_numbers_is_refused_and_spoils_nothing(
    bad: float, training: bool, normalization: Any
) -> None:
    spoiled, asked = X.copy(), net(normalization=normalization)
    spoiled[3, 2] = bad
    before = asked.running.flat.copy()
    with pytest.raises(ArgumentError, match=rf"X must hold numbers .* finite in float32, got {bad} in row 3, column 2"):
        asked.loss(spoiled, Y, training=training)
    np.testing.assert_array_equal(asked.running.flat, before)
    assert asked.step == 0


@pytest.mark.parametrize(("off", "came"), [(1.0, "2"), (-1.0, "0"), (0.05, "1.05")])
def test_shares_that_do_not_sum_to_one_are_refused(off: float, came: str) -> None:
    shares = np.eye(3)[Y]
    shares[2] *= 1 + off
    shares[2, 0] += max(0.0, shares[2].max() - 1)  # move any excess to another class, since each share is at most 1
    shares = np.minimum(shares, 1)
    message = rf"^y must be shares .* sum to 1 in each row, got {came} in row 2\. .* loss='logistic'"
    with pytest.raises(ArgumentError, match=message):
        net().loss(X, shares)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_shares_that_are_rounded_are_taken(dtype: Any) -> None:
    shares = np.random.default_rng(0).dirichlet(np.ones(1000), 6).astype(dtype)
    loss, _ = FullyConnectedNet([5], 4, 1000, seed=0, weight_scale=0.0).loss(X, shares)
    assert loss == pytest.approx(np.log(1000), rel=0.01)


def test_labels_that_are_masked_are_refused_by_losses() -> None:
    labels: Any = np.ma.masked_array(np.arange(4), np.arange(4) == 0)
    for loss in (layers.softmax_loss, layers.svm_loss):
        with pytest.raises(ArgumentError, match=r"_loss: y must be a plain NumPy array, got a masked array\. Fill"):
            loss(SQUARE, labels)


def test_labels_in_floats_are_told_which_is_none() -> None:
    labels = Y.astype(float)
    labels[1] = np.nan
    text = "got dtype float64 and y[1] = nan. Leave out rows without a label, or use loss='mse' for values."
    with pytest.raises(ArgumentError, match=re.escape(text)):
        net().loss(X, labels)
    labels[1] = 0.5
    with pytest.raises(ArgumentError, match=re.escape("and y[1] = 0.5. Leave out rows")):
        net().loss(X, labels)
    with pytest.raises(ArgumentError, match=r"got dtype float64\. Convert it with np\.asarray"):
        layers.svm_loss(np.zeros((6, 3)), Y.astype(float))


@pytest.mark.parametrize("name", ["running_mean", "running_var"])
def test_running_statistics_that_cannot_be_changed_are_named(name: str) -> None:
    statistics: dict[str, Any] = {"running_mean": np.zeros(4), "running_var": np.ones(4)}
    statistics[name].flags.writeable = False
    with pytest.raises(ArgumentError, match=rf"batchnorm_forward: {name} must be writable in training.*{name}\.copy"):
        layers.batchnorm_forward(SQUARE, ONES, ZEROS, **statistics)
    layers.batchnorm_forward(SQUARE, ONES, ZEROS, **statistics, training=False)


def test_running_statistics_in_the_wrong_order_are_told() -> None:
    mean, var = np.full(4, -0.5), np.ones(4)
    with pytest.raises(
        ArgumentError, match=r"running_var must be >= 0, got -0\.5\. The order is running_mean, running_"
    ):
        layers.batchnorm_forward(SQUARE, ONES, ZEROS, var, mean, training=False)


def test_a_net_that_is_called_takes_what_scores_takes() -> None:
    images = np.random.default_rng(0).standard_normal((3, 2, 2)).astype(np.float32)
    np.testing.assert_array_equal(net()(images, flip=True), net().scores(images, flip=True))
    with pytest.raises(ArgumentError, match=r"__call__ has no argument 'mask'\. It has X, flip\."):
        net()(X, mask=None)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda _: Config(hidden_dim=(5,)), r"Config has no argument 'hidden_dim'\. Did you mean 'hidden_dims'\?"),  # type: ignore[call-arg]
        (
            lambda folder: start({"epochs": 1}, folder),
            r"config must be a Config, got \{'epochs': 1\}\. Write Config",
        ),
        (
            lambda folder: run([{"epochs": 1}], folder),
            r"config must be a Config, got \{'epochs': 1\}\. Write Config",
        ),
        (lambda folder: run(Config(), folder), r"configs must be a list of Configs, got a Config\. Write \["),
        (lambda folder: run([Config()], folder, 2), r"workers must be Workers, got 2\. Write Workers\(2\)"),
    ],
)
def test_what_is_no_config_is_refused_before_anything_is_written(
    call: Callable[[Any], Any], text: str, tmp_path: Any
) -> None:
    with pytest.raises(ArgumentError, match=text):
        call(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_config_that_is_none_is_refused() -> None:
    given: Any = net().config
    with pytest.raises(
        ArgumentError, match=r"config must be a mapping, got a method\. Give that of a net: net\.config"
    ):
        FullyConnectedNet.from_config(given)


def test_a_data_set_warns_of_labels_in_another_order() -> None:
    pd = pytest.importorskip("pandas")
    frame, mixed = pd.DataFrame(X), pd.Series(Y, index=range(6)[::-1])
    text = r"y_val has the index labels of X_val in another order, .* give y_val\.loc\[X_val\.index\]; if not, y_val\."
    with pytest.warns(UserWarning, match=text) as told:
        Dataset(frame, pd.Series(Y), frame, mixed)
    assert told[0].filename == __file__
    with pytest.warns(UserWarning, match=r"weights has the index labels of X_train in another order"):
        Dataset(frame, pd.Series(Y), weights=mixed + 1)
    Dataset(frame, mixed.to_numpy(), frame, mixed.loc[frame.index])
