"""The gradients of each layer and loss match fourth-order differences of its forward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from layer_draws import AT_SHAPES, CASES, backward, draw, draw_targets, forward
from thinnet.layers import LAYERS, LOSSES
from thinnet.typing import AnyArray, FloatArray

MOST_ELEMENTS = 60  # per array; in larger arrays, this many random elements are checked


def elements(array: AnyArray) -> list[tuple[int, ...]]:
    """All indices of a small array; MOST_ELEMENTS random ones of a large array."""
    everywhere = list(np.ndindex(array.shape))
    if len(everywhere) <= MOST_ELEMENTS:
        return everywhere
    rng = np.random.default_rng(1)
    return [everywhere[i] for i in rng.choice(len(everywhere), MOST_ELEMENTS, replace=False)]


def slope(f: Callable[[], Any], array: FloatArray, index: tuple[int, ...], h: float) -> Any:
    """The derivative of f with respect to one element, by fourth-order differences; the element is restored."""
    old = array[index]
    values = []
    for steps in (1, -1, 2, -2):
        array[index] = old + steps * h
        values.append(np.array(f()))
    array[index] = old
    near, far = values[0] - values[1], values[2] - values[3]
    return (8 * near - far) / (12 * h)


def assert_slopes(f: Callable[[], Any], array: FloatArray, gradient: FloatArray, df: Any, h: float) -> None:
    """Assert that `gradient` is that of Σ f · df with respect to `array`, to 1e-7 of the largest element."""
    places = elements(array)
    numerical = np.array([np.sum(slope(f, array, index, h) * df) for index in places])
    analytic = np.array([gradient[index] for index in places])
    largest = max(np.abs(numerical).max(initial=0), np.abs(gradient).max(initial=0))
    if largest > 1e-12:  # if there is only one row to normalize, both gradients are zero
        assert np.abs(analytic - numerical).max() / largest < 1e-7


@AT_SHAPES
@pytest.mark.parametrize(("name", "options"), CASES)
def test_gradients_are_those_of_the_forward_pass(
    name: str, options: dict[str, Any], shape: tuple[int, int, int, float]
) -> None:
    layer = LAYERS[name]
    inputs, buffers, dout = draw(layer, shape)
    gradients = backward(layer, dout, forward(layer, inputs, buffers, options)[1])
    for key, array in inputs.items():
        h = 5e-4 * shape[3] if key == next(iter(inputs)) else 1e-4
        assert_slopes(lambda: forward(layer, inputs, buffers, options)[0], array, gradients[key], dout, h)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 3), (7, 7), (3, 65), (64, 2), (65, 10)])
@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_of_a_loss_is_its_slope(name: str, shape: tuple[int, int]) -> None:
    function = LOSSES[name].function
    h = 1e-3
    rng = np.random.default_rng(0)
    scores, y = 2 * rng.standard_normal(shape), draw_targets(name, *shape, rng)
    if name == "svm":  # away from the kink at margin 0
        margins = scores - scores[np.arange(len(y)), y][:, None] + 1
        margins[np.arange(len(y)), y] = 1
        for index in zip(*np.nonzero(np.abs(margins) < 4 * h), strict=True):
            scores[index] += 16 * h
    _, gradient = function(scores, y)
    assert_slopes(lambda: function(scores, y)[0] * len(scores), scores, gradient * len(scores), 1.0, h)
