"""The L2 penalty 0.5 · reg · Σ W² on the weights, not on biases, γ and β."""

from collections.abc import Callable
from typing import Any

import numpy as np

from thinnet.parameters import Parameters
from thinnet.typing import FloatArray


def sum_of_squares(w: FloatArray) -> float:
    """Σ w²."""
    return float(np.sum(w * w))


def inplace_add_scaled(w: FloatArray, factor: Any, dw: FloatArray) -> None:
    """dw += factor · w."""
    dw += factor * w


def penalty(reg: float, params: Parameters, squares: Callable[[FloatArray], float] = sum_of_squares) -> float:
    """The penalty; `squares` handles one flat array, and may be a kernel."""
    if reg == 0:
        return 0.0
    return 0.5 * reg * sum(squares(W.ravel("K")) for name, W in params.items() if name.startswith("W"))
