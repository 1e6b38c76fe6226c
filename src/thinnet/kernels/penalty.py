"""The kernels of the L2 penalty in `thinnet.steps.penalty`: one pass each, no temporaries."""

from typing import Any

import numpy as np

from thinnet.kernels.compile import kernel, reordering_kernel
from thinnet.typing import FloatArray


@reordering_kernel()
def sum_of_squares(w: FloatArray) -> float:
    """The sum of w², accumulated in float64."""
    squares = 0.0
    for i in range(w.size):
        squares += np.float64(w[i]) * np.float64(w[i])
    return squares


@kernel()
def inplace_add_scaled(w: FloatArray, factor: Any, dw: FloatArray) -> None:
    """dw += factor · w, line by line."""
    for i in range(len(w)):
        line, dline = w[i], dw[i]
        for j in range(line.size):
            dline[j] += factor * line[j]
