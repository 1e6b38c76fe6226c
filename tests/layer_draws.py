"""Inputs, options and calls for each entry in the registries of layers and losses."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pytest

from thinnet.layers import LAYERS, LOSSES
from thinnet.layers.registry import Layer
from thinnet.typing import AnyArray, FloatArray

Arrays: TypeAlias = dict[str, FloatArray]

# N, D, M and the spread of the inputs.  If a normalization sees only two values, a wide spread would make its gradient
# vanish (any two values normalize to -1 and 1), so those shapes get a narrow one.
SHAPES = [
    (1, 1, 1, 0.01),
    (2, 2, 1, 0.01),
    (2, 3, 2, 0.01),
    (3, 2, 7, 0.01),
    (3, 3, 3, 1.0),
    (7, 7, 2, 1.0),
    (1, 7, 3, 0.01),
    (7, 1, 65, 1.0),
    (64, 3, 2, 1.0),
    (3, 65, 7, 1.0),
    (65, 64, 3, 1.0),
]
CASES = [pytest.param(name, options, id=f"{name}-{options}") for name in LAYERS for options in LAYERS[name].options]
AT_SHAPES = pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "x".join(map(str, s[:3])))
IN_EACH_DTYPE = pytest.mark.parametrize("dtype", [np.float32, np.float64])
SMALL = (3, 7, 2, 1.0)


def draw(
    layer: Layer, shape: tuple[int, int, int, float], dtype: Any = np.float64, seed: int = 0
) -> tuple[Arrays, Arrays, FloatArray]:
    """Inputs away from the kinks, positive buffers, and a gradient with respect to the output.

    A layer with buffers computes batch statistics, so one row becomes two.
    """
    rng = np.random.default_rng(seed)
    sizes = dict(zip("NDM", shape[:3], strict=True))
    spread = shape[3]
    if layer.buffers and sizes["N"] == 1:
        sizes["N"] = 2

    def dims(letters: str) -> list[int]:
        return [sizes.get(letter, layer.sizes.get(letter, 3)) for letter in letters.split()]

    inputs = {name: np.asarray(rng.standard_normal(dims(letters))) for name, letters in layer.inputs.items()}
    first = next(iter(inputs))
    if layer.ties:  # keep elements farther apart than the difference step
        count = inputs[first].size
        inputs[first] = rng.permutation(np.linspace(-4, 4, count)).reshape(inputs[first].shape)
    inputs[first] *= spread
    for kink in layer.kinks:
        distance = inputs[first] - kink
        inputs[first] = kink + np.where(distance < 0, -1, 1) * (np.abs(distance) + spread / 10)
    buffers = {name: rng.uniform(0.5, 1.5, dims(letters)) for name, letters in layer.buffers.items()}
    dout = np.asarray(rng.standard_normal(dims(layer.output)))
    return (
        {name: a.astype(dtype) for name, a in inputs.items()},
        {name: a.astype(dtype) for name, a in buffers.items()},
        dout.astype(dtype),
    )


def forward(layer: Layer, inputs: Arrays, buffers: Arrays, options: dict[str, Any]) -> tuple[FloatArray, Any]:
    """The layer's output and cache; buffers are copied, so the caller's arrays do not change."""
    out, cache = layer.forward(*inputs.values(), *(b.copy() for b in buffers.values()), **options)
    return out, cache


def backward(layer: Layer, dout: FloatArray, cache: Any) -> Arrays:
    """The gradients by input name."""
    gradients = layer.backward(dout, cache)
    if len(layer.inputs) == 1:
        assert isinstance(gradients, np.ndarray), "a layer of one input gives one array"
        gradients = (gradients,)
    assert isinstance(gradients, tuple)
    return dict(zip(layer.inputs, gradients, strict=True))


def laid_out(array: FloatArray) -> dict[str, FloatArray]:
    """The same values in other memory layouts."""
    reversed_ = tuple(slice(None, None, -1) for _ in array.shape)
    every_other = tuple(slice(None, None, 2) for _ in array.shape)
    wide = np.full([2 * n for n in array.shape], -99, array.dtype)
    wide[every_other] = array
    return {
        "Fortran order": np.asfortranarray(array),
        "negative strides": array[reversed_].copy()[reversed_],
        "gaps": wide[every_other],
    }


LAYOUTS = list(laid_out(np.ones((2, 2))))


def draw_targets(name: str, N: int, C: int, rng: np.random.Generator, spread: float = 1.0) -> AnyArray:
    """Targets for (N, C) scores and the loss with this name."""
    if LOSSES[name].targets == "labels":
        return rng.integers(C, size=N)
    if LOSSES[name].targets == "counts":
        return rng.poisson(1 + spread, (N, C)).astype(float)
    return rng.random((N, C)) if LOSSES[name].targets == "fractions" else spread * rng.standard_normal((N, C))
