"""Gradients of a net of affine layers and ReLUs that are known to be wrong."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from thinnet.layers import softmax_loss
from thinnet.typing import FloatArray, IntArray

Layers = Sequence[tuple[Any, ...]]  # weights and biases, arrays


def mistaken_gradients(X: FloatArray, y: IntArray, layers: Layers, kind: str, at: int) -> list[tuple[FloatArray, str]]:
    """Wrong gradients of the ``"W"`` or ``"b"`` of a layer, counted from 0, and what is wrong with each."""
    inputs, sums = [X], [X]  # of each layer: the output of the ReLU before it, and the input of that
    for W, b in layers:
        sums.append(inputs[-1] @ W + b.reshape(-1))
        inputs.append(np.maximum(sums[-1], 0))
    right = softmax_loss(sums[-1], y)[1]
    shares = right + np.eye(right.shape[1])[y] / len(y)

    def back(d: FloatArray, relu: Callable[[FloatArray, FloatArray], FloatArray], rows: list[FloatArray]) -> FloatArray:
        for i in range(len(layers) - 1, at, -1):
            d = relu(d @ layers[i][0].T, sums[i])
        return np.asarray(rows[at].T @ d if kind == "W" else d.sum(axis=0)).reshape(layers[at][kind == "b"].shape)

    def masked(d: FloatArray, z: FloatArray) -> FloatArray:
        return d * (z > 0)

    sign = "is masked by the sign of a gradient instead of that of the ReLU's input"
    return [
        (back(right, lambda d, z: d, inputs), "is that of a way back without the ReLU"),
        (back(right, lambda d, z: np.maximum(d, 0), inputs), sign),
        (
            back(right, lambda d, z: d * np.maximum(z, 0), inputs),
            "is multiplied by the ReLU's output instead of masked",
        ),
        (back(right, masked, sums), "is taken with the ReLU's input instead of its output"),
        (back(shares, masked, inputs), "lacks the -1 at the right class"),
    ]
