"""What every layer refuses, for each argument of each entry in the registry."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from layer_draws import SMALL, draw, forward
from thinnet import ArgumentError
from thinnet.layers import LAYERS, batchnorm_forward
from thinnet.layers.registry import Layer

ARGUMENTS = [
    pytest.param(name, key, id=f"{name}-{key}")
    for name, layer in LAYERS.items()
    for key in (*layer.inputs, *layer.buffers)
]
LATER_ARGUMENTS = [  # arguments that must fit the first
    pytest.param(name, key, id=f"{name}-{key}")
    for name, layer in LAYERS.items()
    for key in [*layer.inputs, *layer.buffers][1:]
]


def call_with(layer: Layer, key: str, value: Any) -> None:
    inputs, buffers, _ = draw(layer, SMALL)
    layer.forward(*{**inputs, **buffers, key: value}.values(), **layer.options[0])


@pytest.mark.parametrize(("name", "key"), ARGUMENTS)
def test_what_is_not_an_array_of_floats_is_refused(name: str, key: str) -> None:
    layer = LAYERS[name]
    where = re.escape(f"{layer.forward.__name__}: {key} must be a NumPy array of floats, got ")
    for value, came in (
        ([[1.0]], "a list"),
        (None, "None"),
        (np.ones((3, 7), np.int64), "dtype int64"),
        (np.ones((3, 7), bool), "dtype bool"),
        (np.ones((3, 7), complex), "dtype complex128"),
        (np.array([["a"]]), "dtype <U1"),
    ):
        with pytest.raises(ArgumentError, match=where + came + r"\. Convert it with np\.asarray\(" + key):
            call_with(layer, key, value)


@pytest.mark.parametrize(("name", "key"), ARGUMENTS)
def test_another_number_of_axes_is_refused(name: str, key: str) -> None:
    layer = LAYERS[name]
    with pytest.raises(
        ArgumentError, match=rf"{layer.forward.__name__}: {key} must have shape .*, got \(3, 7, 2, 1, 1\)"
    ):
        call_with(layer, key, np.ones((3, 7, 2, 1, 1)))


@pytest.mark.parametrize(("name", "key"), LATER_ARGUMENTS)
def test_a_size_that_does_not_fit_is_refused(name: str, key: str) -> None:
    layer = LAYERS[name]
    inputs, buffers, _ = draw(layer, SMALL)
    given = {**inputs, **buffers}
    letters = {name: text.split() for name, text in {**layer.inputs, **layer.buffers}.items()}
    earlier = {letter for name in list(letters)[: list(letters).index(key)] for letter in letters[name]}
    axis = next(i for i, letter in enumerate(letters[key]) if letter in earlier)
    size = given[key].shape[axis]
    bad = tuple(n + (i == axis) for i, n in enumerate(given[key].shape))
    text = rf"{layer.forward.__name__}: {key} must have shape .* with .*{letters[key][axis]} = {size} as in \w+.*, got "
    with pytest.raises(ArgumentError, match=text + re.escape(str(bad))):
        call_with(layer, key, np.ones(bad))


@pytest.mark.parametrize(("name", "key"), LATER_ARGUMENTS)
def test_mixed_dtypes_are_refused(name: str, key: str) -> None:
    layer = LAYERS[name]
    inputs, buffers, _ = draw(layer, SMALL)
    given = {**inputs, **buffers}
    text = rf"{layer.forward.__name__}: {key} must be of dtype float64, like x, got float32\. Convert .*astype"
    with pytest.raises(ArgumentError, match=text):
        call_with(layer, key, given[key].astype(np.float32))


@pytest.mark.parametrize("name", LAYERS)
def test_a_gradient_that_does_not_fit_the_output_is_refused(name: str) -> None:
    layer = LAYERS[name]
    inputs, buffers, dout = draw(layer, SMALL)
    where = f"{layer.backward.__name__}: dout must "
    for options in layer.options:
        _, cache = forward(layer, inputs, buffers, options)
        for bad in (dout[:-1], dout[0], dout[None]):
            with pytest.raises(
                ArgumentError, match=where + "(have|be an array of) shape .*got " + re.escape(f"{bad.shape}")
            ):
                layer.backward(bad, cache)
        for value, came in ((dout.tolist(), "a list"), (np.ones(dout.shape, int), "dtype int64")):
            with pytest.raises(ArgumentError, match=where + f"be a NumPy array of floats, got {came}"):
                layer.backward(value, cache)


def test_a_filter_larger_than_the_images_is_refused() -> None:
    x, w, b = np.ones((1, 1, 2, 5)), np.ones((1, 1, 5, 2)), np.ones(1)
    text = "w must be no larger than the images with their padding, 4 x 7, got 5 x 2. Use more padding"
    with pytest.raises(ArgumentError, match=text):
        LAYERS["conv"].forward(x, w, b, padding=1)


def test_one_row_has_no_statistics_to_train_with() -> None:
    ones, zeros = np.ones(4), np.zeros(4)
    text = r"x must have at least two rows in training with batch normalization, got 1\. Use a larger batch"
    with pytest.raises(ArgumentError, match=text):
        batchnorm_forward(np.ones((1, 4)), ones, zeros, zeros.copy(), ones.copy())
    with pytest.raises(ArgumentError, match="spatial_batchnorm_forward: " + text):
        LAYERS["spatial_batchnorm"].forward(np.ones((1, 4, 1, 1)), ones, zeros, zeros.copy(), ones.copy())


@pytest.mark.parametrize(
    ("name", "option", "value", "text"),
    [
        ("batchnorm", "momentum", 1.0, r"momentum must be a number in \[0, 1\), got 1\.0\. momentum is the weight"),
        ("batchnorm", "momentum", np.nan, r"momentum must be a number in \[0, 1\), got nan"),
        ("batchnorm", "eps", 0, "eps must be a finite number > 0, got 0"),
        ("layernorm", "eps", -1e-5, "eps must be a finite number > 0, got -1e-05"),
        ("conv", "stride", 0, "stride must be an integer >= 1, got 0. stride is the step from one window to the next"),
        ("conv", "padding", -1, "padding must be an integer >= 0, got -1. padding is the number of zeros"),
        ("conv", "padding", 1.0, r"padding must be an integer >= 0, got 1\.0 \(float\)"),
        ("max_pool", "pool_height", 0, "pool_height must be an integer >= 1, got 0"),
        (
            "max_pool",
            "pool_width",
            5,
            "the window must be no larger than the images with their padding, 5 x 4, got 2 x 5",
        ),
        ("max_pool", "stride", True, r"stride must be an integer >= 1, got True \(bool\)"),
        ("spatial_groupnorm", "groups", 4, "groups must divide the number of channels, 6, got 4. Use a divisor"),
        ("spatial_groupnorm", "groups", 0, "groups must be an integer >= 1, got 0"),
        ("layernorm", "eps", "small", r"eps must be a finite number > 0, got 'small' \(str\)"),
    ],
)
def test_options_outside_their_limits_are_refused(name: str, option: str, value: Any, text: str) -> None:
    layer = LAYERS[name]
    inputs, buffers, _ = draw(layer, SMALL)
    with pytest.raises(ArgumentError, match=text):
        layer.forward(*inputs.values(), *buffers.values(), **{option: value})


@pytest.mark.parametrize("name", LAYERS)
def test_another_cache_than_that_of_the_forward_pass_is_refused(name: str) -> None:
    layer = LAYERS[name]
    inputs, buffers, dout = draw(layer, SMALL)
    out, cache = layer.forward(*inputs.values(), *buffers.values(), **layer.options[0])
    forward, backward = layer.forward.__name__, layer.backward.__name__
    text = f"^{backward}: cache must be the second of the two values of {forward}, got "
    fix = re.escape(f" Write out, cache = {forward}(...), and then {backward}(dout, cache).") + "$"
    with pytest.raises(ArgumentError, match=text + r"both\." + fix):
        layer.backward(dout, (out, cache))
    with pytest.raises(ArgumentError, match=text + r"an ndarray\." + fix):
        layer.backward(cache, dout)
    with pytest.raises(ArgumentError, match=text + r"a tuple\." + fix):
        layer.backward(dout, tuple(cache))
    with pytest.raises(ArgumentError, match=text + r"None\." + fix):
        layer.backward(dout, None)


def test_the_cache_of_another_layer_is_refused() -> None:
    x = np.ones((2, 3))
    _, cache = LAYERS["relu"].forward(x)
    with pytest.raises(ArgumentError, match=r"gelu_backward: cache must be .* of gelu_forward, got a ReluCache"):
        LAYERS["gelu"].backward(x, cache)
