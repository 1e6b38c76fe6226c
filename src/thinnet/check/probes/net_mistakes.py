"""Known wrong scores and gradients of a net of affine layers and ReLUs."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from thinnet.check.compare import Alternative
from thinnet.layers import softmax_loss
from thinnet.typing import FloatArray, IntArray

Activate = Callable[[FloatArray, int], FloatArray]
Relu = Callable[[FloatArray, FloatArray], FloatArray]  # takes a gradient and the ReLU's input
Layers = Sequence[tuple[Any, ...]]  # weights and biases, arrays


def scores_of(X: FloatArray, layers: Layers, activate: Activate = lambda h, _: np.maximum(h, 0)) -> FloatArray:
    """The scores by the formula, with `activate(h, i)` after the i-th affine layer, except the last."""
    h = X
    for i, (W, b) in enumerate(layers, 1):
        h = h @ W + b.reshape(-1)
        h = activate(h, i) if i < len(layers) else h
    return h


def mistaken_scores(X: FloatArray, layers: Layers) -> list[Alternative]:
    """The scores without one of the biases, and without the ReLUs."""
    lacking = {
        f"the bias of layer {i}": scores_of(X, [*layers[: i - 1], (W, 0 * b), *layers[i:]])
        for i, (W, b) in enumerate(layers, 1)
    }
    lacking |= {"the ReLU after an affine layer": scores_of(X, layers, lambda h, _: h)} if layers else {}
    return [(value, "wrong-output", f"are those of a net without {what}") for what, value in lacking.items()]


def mistaken_gradients(X: FloatArray, y: IntArray, layers: Layers, kind: str, at: int) -> list[tuple[FloatArray, str]]:
    """Wrong gradients of the ``"W"`` or ``"b"`` of a layer, counted from 0, and what is wrong with each."""
    if not layers:
        return []
    inputs, sums = [X], [X]  # for each layer: the output of the ReLU before it, and the ReLU's input
    for W, b in layers:
        sums.append(inputs[-1] @ W + b.reshape(-1))
        inputs.append(np.maximum(sums[-1], 0))
    right = softmax_loss(sums[-1], y)[1]
    shares = right + np.eye(right.shape[1])[y] / len(y)

    def back(d: FloatArray, relu: Relu, rows: list[FloatArray]) -> FloatArray:
        for i in range(len(layers) - 1, at, -1):
            d = relu(d @ layers[i][0].T, sums[i])
        return np.asarray(rows[at].T @ d if kind == "W" else d.sum(axis=0)).reshape(layers[at][kind == "b"].shape)

    ways: list[tuple[FloatArray, Relu, list[FloatArray], str]] = [
        (right, lambda d, _: d, inputs, "is that of a backward pass without the ReLU"),
        (right, lambda d, _: np.maximum(d, 0), inputs, "is masked by the sign of a gradient, not by the ReLU's input"),
        (right, lambda d, z: d * np.maximum(z, 0), inputs, "is multiplied by the ReLU's output instead of masked"),
        (right, lambda d, z: d * (z > 0), sums, "is taken with the ReLU's input instead of its output"),
        (shares, lambda d, z: d * (z > 0), inputs, "lacks the -1 at the right class"),
    ]
    return [(back(d, relu, rows), text) for d, relu, rows, text in ways]
