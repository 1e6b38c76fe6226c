"""The kernel of `thinnet.steps.averaging`: one pass over two flat buffers."""

from __future__ import annotations

from typing import Any

import numpy as np

from thinnet.kernels.compile import kernel
from thinnet.kernels.optimizers import settled
from thinnet.typing import FloatArray


@kernel()
def inplace_average(average: FloatArray, w: FloatArray, share: Any) -> None:
    """average += share · (w − average)."""
    least = np.sqrt(np.finfo(w.dtype).tiny)
    for i in range(w.size):
        average[i] = settled(average[i] + share * (w[i] - average[i]), least)
