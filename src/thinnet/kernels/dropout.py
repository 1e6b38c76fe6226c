"""The kernel of `thinnet.layers.dropout_forward` and `dropout_backward`: one pass, no mask in memory."""

from typing import Any

import numpy as np

from thinnet.checks import check_arrays
from thinnet.kernels.compile import kernel
from thinnet.kernels.philox import group_bits
from thinnet.masks import GROUP, drop_threshold
from thinnet.teams import THREAD_POOL, over_rows
from thinnet.typing import FloatArray


def dropout(
    x: FloatArray,
    rate: float,
    *,
    seed: int,
    step: int = 0,
    layer: int = 0,
    first_row: int = 0,
    out: FloatArray | None = None,
) -> FloatArray:
    r"""x · keep / (1 − rate), with the mask of `thinnet.masks.keep_mask`, written to `out`, which may be `x` itself.

    Large arrays are shared out among threads, which changes nothing in the result.

    Forward and backward are the same function: backward is called with dout and the same numbers, and recomputes the
    mask, which costs less than reading it from memory would.

    >>> out = dropout(np.ones((1, 6), np.float32), 0.5, seed=3)
    >>> out
    array([[2., 0., 2., 0., 2., 2.]], dtype=float32)
    """
    threshold = drop_threshold(rate)
    out = np.empty_like(x) if out is None else out
    check_arrays("dropout", x=(x, "N D"), out=(out, "N D"))
    keys = np.uint32(seed & 0xFFFFFFFF), np.uint32(seed >> 32)
    factor = x.dtype.type(1 / (1 - rate))

    def piece(start: int, stop: int) -> None:
        _dropout(x[start:stop], out[start:stop], factor, threshold, keys, step, layer, first_row + start)

    over_rows(piece, len(x), x.size, THREAD_POOL)
    return out


@kernel()
def _dropout(
    x: FloatArray, out: FloatArray, factor: Any, threshold: Any, keys: Any, step: int, layer: int, first_row: int
) -> None:
    zero, bits = x.dtype.type(0), np.empty(GROUP, np.uint32)
    columns = x.shape[1]
    for row in range(x.shape[0]):
        for group in range((columns + GROUP - 1) // GROUP):
            group_bits(bits, group, first_row + row, step, layer, keys[0], keys[1])
            base = group * GROUP
            for j in range(min(GROUP, columns - base)):
                out[row, base + j] = x[row, base + j] * factor if bits[j] >= threshold else zero
