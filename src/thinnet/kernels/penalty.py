"""The kernel of the L2 penalty in `thinnet.steps.penalty`: one pass, no temporaries."""

from __future__ import annotations

from typing import Any

import numpy as np

from thinnet.kernels.compile import reordering_kernel
from thinnet.typing import FloatArray


@reordering_kernel()
def inplace_add_scaled(w: FloatArray, reg: Any, dw: FloatArray) -> float:
    """dw += reg · w; returns the sum of w², added up in float64."""
    squares = 0.0
    for i in range(w.size):
        dw[i] += reg * w[i]
        squares += np.float64(w[i]) * np.float64(w[i])
    return squares
