"""Dropout: its effect on each unit in each mode and scaling, and that it preserves the mean."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thinnet import ArgumentError
from thinnet.layers import dropout_backward, dropout_forward
from thinnet.layers.dropout import SCALINGS, Scaling
from thinnet.masks import keep_mask
from thinnet.typing import BoolArray, FloatArray

IN_EACH_SCALING = pytest.mark.parametrize("scaling", SCALINGS)


def reference(x: FloatArray, rate: float, keep: BoolArray | None, scaling: Scaling, training: bool) -> FloatArray:
    """The definition, unit by unit; it is linear in x, so backward does the same with dout."""
    out = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        if not training:
            out[index] = x[index] * (1 - rate) if scaling == "classic" else x[index]
        elif keep is None or keep[index]:
            out[index] = x[index] / (1 - rate) if scaling == "inverted" else x[index]
    return out


@settings(max_examples=150)
@given(
    N=st.integers(1, 9),
    D=st.integers(1, 70),
    rate=st.sampled_from([0.0, 0.001, 0.25, 0.5, 0.9, 0.999]),
    seed=st.integers(0, 2**64 - 1),
    step=st.integers(0, 2**32 - 1),
    layer=st.integers(0, 2**32 - 1),
    first_row=st.integers(0, 2**32 - 1),
    scaling=st.sampled_from(SCALINGS),
    training=st.booleans(),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_forward_and_backward_do_what_the_definition_says(
    N: int,
    D: int,
    rate: float,
    seed: int,
    step: int,
    layer: int,
    first_row: int,
    scaling: Scaling,
    training: bool,
    dtype: Any,
) -> None:
    rng = np.random.default_rng(N * 100 + D)
    x, dout = rng.standard_normal((2, N, D)).astype(dtype)
    place: dict[str, Any] = {"seed": seed, "step": step, "layer": layer, "first_row": first_row}
    out, cache = dropout_forward(x, rate, training=training, scaling=scaling, **place)
    keep = keep_mask(rate, (N, D), **place)
    rtol = 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(out, reference(x, rate, keep, scaling, training), rtol=rtol)
    np.testing.assert_allclose(dropout_backward(dout, cache), reference(dout, rate, keep, scaling, training), rtol=rtol)


@IN_EACH_SCALING
def test_a_given_mask_is_used_in_place_of_a_drawn_one(scaling: Scaling) -> None:
    rng = np.random.default_rng(0)
    x, dout = rng.standard_normal((2, 5, 7))
    keep = rng.random((5, 7)) < 0.5
    before = keep.copy()
    out, cache = dropout_forward(x, 0.8, keep=keep, scaling=scaling)
    np.testing.assert_allclose(out, reference(x, 0.8, keep, scaling, True), rtol=1e-15)
    np.testing.assert_allclose(dropout_backward(dout, cache), reference(dout, 0.8, keep, scaling, True), rtol=1e-15)
    np.testing.assert_array_equal(keep, before)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.75])
@IN_EACH_SCALING
def test_the_mean_in_test_is_that_of_training_except_where_unscaled(scaling: Scaling, rate: float) -> None:
    """With 10⁶ ones. The probability of a mean off by more than 6 standard errors is 2e-9."""
    x = np.ones((1000, 1000))
    train = dropout_forward(x, rate, scaling=scaling, seed=5)[0].mean()
    test = dropout_forward(x, rate, scaling=scaling, training=False)[0].mean()
    relative_error = 6 * math.sqrt(rate / (1 - rate)) / 1000
    expected = 1 / (1 - rate) if scaling == "unscaled" else 1.0
    assert test / train == pytest.approx(expected, rel=relative_error)
    assert test == pytest.approx(1 - rate if scaling == "classic" else 1.0, rel=1e-12)


def test_a_dropped_infinity_or_nan_is_dropped() -> None:
    x = np.full((1, 2), np.nan)
    x[0, 1] = np.inf
    out, cache = dropout_forward(x, 0.5, keep=np.zeros((1, 2), bool))
    np.testing.assert_array_equal(out, np.zeros((1, 2)))
    np.testing.assert_array_equal(dropout_backward(x, cache), np.zeros((1, 2)))


def test_rate_zero_and_test_mode_are_exact_and_draw_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a mask was drawn")

    monkeypatch.setattr("thinnet.layers.dropout.keep_mask", refuse)
    x = np.random.default_rng(0).standard_normal((9, 9))
    for scaling, training in itertools.product(SCALINGS, (True, False)):
        out, cache = dropout_forward(x, 0.0, scaling=scaling, training=training)
        np.testing.assert_array_equal(out, x)
        np.testing.assert_array_equal(dropout_backward(x, cache), x)
    np.testing.assert_array_equal(dropout_forward(x, 0.7, training=False)[0], x)


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (1.0, r"rate must be a number in \[0, 1\), got 1\.0\. rate is the fraction of units dropped"),
        (1, r"rate must be a number in \[0, 1\), got 1\."),
        (-0.1, r"rate must be a number in \[0, 1\), got -0\.1"),
        (math.nan, r"rate must be a number in \[0, 1\), got nan"),
        ("half", r"rate must be a number in \[0, 1\), got 'half' \(str\)"),
        (True, r"rate must be a number in \[0, 1\), got True \(bool\)"),
        (None, r"rate must be a number in \[0, 1\), got None"),
        (np.ones(2), r"rate must be a number in \[0, 1\), got array"),
    ],
)
@pytest.mark.parametrize("training", [True, False])
def test_a_rate_outside_its_limits_is_refused_in_both_modes(rate: Any, text: str, training: bool) -> None:
    with pytest.raises(ArgumentError, match=text):
        dropout_forward(np.ones((2, 2)), rate, training=training)


def test_a_place_of_the_mask_outside_its_limits_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"step must be an integer from 0 to .*, got -1"):
        dropout_forward(np.ones((2, 2)), 0.5, step=-1)


def test_an_unknown_scaling_is_refused_with_the_nearest() -> None:
    text = "scaling must be one of 'inverted', 'classic', 'unscaled', got 'invert'. Did you mean 'inverted'?"
    with pytest.raises(ArgumentError) as caught:
        dropout_forward(np.ones((2, 2)), 0.5, scaling="invert")  # type: ignore[arg-type]
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("keep", "came"),
    [
        (np.ones((2, 3)), r"float64 of shape \(2, 3\)"),
        (np.ones((3, 2), bool), r"bool of shape \(3, 2\)"),
        ([[True] * 3] * 2, "a list"),
    ],
)
def test_a_mask_of_another_kind_is_refused(keep: Any, came: str) -> None:
    text = rf"dropout_forward: keep must be an array of bool of shape \(2, 3\), like x, got {came}\. Use True"
    with pytest.raises(ArgumentError, match=text):
        dropout_forward(np.ones((2, 3)), 0.5, keep=keep)
