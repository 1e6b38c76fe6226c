"""What the optimizers refuse: wrong options, names, and arrays that do not fit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from thinnet import ArgumentError
from thinnet.optim import OPTIMIZERS, FlatOptimizer, optimizer_options_of
from thinnet.typing import FloatArray

OF_EACH = pytest.mark.parametrize("name", OPTIMIZERS)
IN_EACH_DTYPE = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def draw(shape: tuple[int, ...] = (4, 3), dtype: Any = np.float64, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape).astype(dtype), rng.standard_normal(shape).astype(dtype)


@OF_EACH
def test_an_unknown_option_is_refused_with_the_nearest(name: str) -> None:
    with pytest.raises(ArgumentError, match=r"config must be a mapping with only the keys .*got 'learnin_rate'\. Did"):
        OPTIMIZERS[name].rule(*draw(), {"learnin_rate": 0.1})
    text = r"optimizer_options must be a mapping with only the keys .*, got 'lr'"
    with pytest.raises(ArgumentError, match=text):
        FlatOptimizer(name, {"lr": 0.1}, like=np.zeros(3))
    with pytest.raises(ArgumentError, match=r"\. Did you mean 'learning_rate'\?$"):
        FlatOptimizer(name, {"learningrate": 0.1}, like=np.zeros(3))


@pytest.mark.parametrize(
    ("name", "option", "text"),
    [
        ("sgd", "momentum", r" must be empty, got 'momentum'\. sgd takes no momentum; sgd_momentum and nesterov do\."),
        ("sgd", "foo", r" must be empty, got 'foo'\. Leave it out\."),
        ("adam", "weight_decay", r" only the keys 'beta1', .* adam takes no weight_decay; adamw and lion do\."),
        ("adam", "decay_rate", r" only the keys .* adam takes no decay_rate; rmsprop does\."),
        ("adam", "bta2", r" got 'bta2'\. Did you mean 'beta2'\?"),
        ("adam", "beta3", r" only the keys .* got 'beta3'\."),
    ],
)
def test_an_option_of_other_optimizers_is_said_to_be_theirs(name: str, option: str, text: str) -> None:
    with pytest.raises(ArgumentError, match=f"^optimizer_options.*{text}$"):
        optimizer_options_of(name, None, {option: 0.5})
    if "empty" not in text:
        with pytest.raises(ArgumentError, match=text.replace("keys 'beta1'", "keys 'learning_rate'")):
            FlatOptimizer(name, {option: 0.5}, like=np.zeros(3))
        with pytest.raises(ArgumentError, match=text.replace("keys 'beta1'", "keys 'learning_rate'")):
            OPTIMIZERS[name].rule(*draw(), {option: 0.5})


@pytest.mark.parametrize(
    ("name", "option", "value", "text"),
    [
        ("sgd", "learning_rate", -0.1, r"learning_rate must be a finite number >= 0, got -0\.1\. Usual values"),
        ("sgd", "learning_rate", math.nan, "learning_rate must be a finite number >= 0, got nan"),
        ("sgd", "learning_rate", "fast", r"learning_rate must be a finite number >= 0, got 'fast' \(str\)"),
        ("sgd_momentum", "momentum", 1.0, r"momentum must be a number in \[0, 1\), got 1\.0"),
        ("nesterov", "momentum", -0.5, r"momentum must be a number in \[0, 1\), got -0\.5"),
        ("rmsprop", "decay_rate", 1.0, r"decay_rate must be a number in \[0, 1\), got 1\.0\. 0\.99 is usual"),
        ("rmsprop", "epsilon", 0, "epsilon must be a finite number > 0, got 0"),
        ("adam", "beta1", 1.0, r"beta1 must be a number in \[0, 1\), got 1\.0\. 0\.9 is usual"),
        ("adam", "beta2", 1.5, r"beta2 must be a number in \[0, 1\), got 1\.5\. 0\.999 is usual"),
        ("adamw", "weight_decay", -0.01, r"weight_decay must be a finite number >= 0, got -0\.01\. Use 0 for none"),
    ],
)
def test_options_outside_their_limits_are_refused(name: str, option: str, value: Any, text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        OPTIMIZERS[name].rule(*draw(), {option: value})
    with pytest.raises(ArgumentError, match=text):
        FlatOptimizer(name, {option: value}, like=np.zeros(3))


def test_an_unknown_rule_is_refused_with_the_nearest() -> None:
    with pytest.raises(ArgumentError, match=r"optimizer must be one of 'sgd', .*got 'adamm'\. Did you mean 'adam"):
        FlatOptimizer("adamm", None, like=np.zeros(3))


@OF_EACH
def test_arrays_that_do_not_fit_are_refused(name: str) -> None:
    w, dw = draw()
    rule = OPTIMIZERS[name].rule
    for bad, text in (
        (dw.T, r"dw must have shape \(A, B\) with A = 4, B = 3 as in w of shape \(4, 3\), got \(3, 4\)"),
        (dw[0], r"dw must have shape .*, got \(3,\)"),
        (dw.astype(np.float32), "dw must be of dtype float64, like w, got float32"),
        (dw.tolist(), "dw must be a NumPy array of floats, got a list"),
    ):
        with pytest.raises(ArgumentError, match=f"{name}: {text}"):
            rule(w, bad, None)
    with pytest.raises(ArgumentError, match=f"{name}: w must be a NumPy array of floats, got dtype int64"):
        rule(np.zeros((4, 3), np.int64), dw, None)


@pytest.mark.usefixtures("computed_by")
def test_arrays_that_do_not_fit_the_state_are_refused_untouched() -> None:
    """The compiled loops do not check sizes: they would read and write beyond the end of a shorter array."""
    w = np.zeros(10, np.float32)
    optimizer = FlatOptimizer("adam", None, like=w)
    ones = np.ones(20, np.float32)
    for gradient in (ones[:2], ones[:11], ones[:10].reshape(5, 2), np.ones(10), ones[::2]):
        with pytest.raises(
            ArgumentError, match=r"dw must be a contiguous array of shape \(10,\) and dtype float32, got"
        ):
            optimizer.inplace_update(w, gradient)
    with pytest.raises(ArgumentError, match=r"w must be a contiguous array"):
        optimizer.inplace_update(np.zeros(20, np.float32)[::2], np.ones(10, np.float32))
    assert not w.any()
    assert optimizer.state["t"] == 0


@pytest.mark.parametrize("name", [name for name, row in OPTIMIZERS.items() if row.state])
def test_the_config_of_another_array_is_refused(name: str) -> None:
    rule = OPTIMIZERS[name].rule
    _, config = rule(*draw((2, 3)), None)
    key = OPTIMIZERS[name].state[0]
    text = rf"{name}: config\['{key}'\] must be an array of shape \(4, 3\), like w, got an array of shape \(2, 3\)\. "
    with pytest.raises(ArgumentError, match=text + "It comes from the step before: give each array of weights its own"):
        rule(*draw((4, 3)), config)
    with pytest.raises(ArgumentError, match=rf"config\['{key}'\] must be an array of shape \(4, 3\), like w, got None"):
        rule(*draw((4, 3)), {**config, key: None})
    zero = dict.fromkeys(OPTIMIZERS[name].state, 0)
    np.testing.assert_array_equal(rule(*draw(), zero)[0], rule(*draw(), None)[0])  # a number stands for an array of it


@pytest.mark.parametrize("t", ["3", -1, None, np.ones(2)])
def test_a_count_of_steps_that_is_none_is_refused(t: Any) -> None:
    with pytest.raises(ArgumentError, match=r"adam: config\['t'\] must be a number >= 0, got "):
        OPTIMIZERS["adam"].rule(*draw(), {"t": t})
