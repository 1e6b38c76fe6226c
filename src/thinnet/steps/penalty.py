"""The L2 penalty 0.5 · reg · Σ W² on the weights, not on biases, γ and β."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from thinnet.parameters import Parameters
from thinnet.typing import FloatArray

AddScaled = Callable[[FloatArray, Any, FloatArray], float]


def inplace_add_scaled(w: FloatArray, factor: Any, dw: FloatArray) -> float:
    """dw += factor · w; returns the sum of w²."""
    dw += factor * w
    return float(np.sum(w * w))


def inplace_add_penalty(
    reg: float,
    params: Parameters,
    gradients: Parameters,
    share: float = 1.0,
    add_scaled: AddScaled = inplace_add_scaled,
) -> float:
    """Add the gradient of the penalty, reg · W, to the weights' gradients; return the penalty.

    Args:
        reg: the penalty's strength.
        params, gradients: alike in names, shapes and order.
        share: the part of the penalty to add, where several processes add a part each.
        add_scaled: does one array; a kernel may take its place.
    """
    if reg == 0:
        return 0.0
    squares, factor = 0.0, params.dtype.type(reg * share)
    for name, W in params.items():
        if name.startswith("W"):
            squares += add_scaled(W.ravel("K"), factor, gradients[name].reshape(-1, order="A"))
    return 0.5 * reg * share * squares
