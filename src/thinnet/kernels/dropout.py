"""The kernel of `thinnet.layers.dropout_forward` and `dropout_backward`: one pass, no mask in memory."""

from typing import Any

import numpy as np

from thinnet.checks import check_arrays
from thinnet.kernels.compile import inner, kernel
from thinnet.kernels.philox import group_bits
from thinnet.kernels.share import bounds, in_parts
from thinnet.masks import GROUP, drop_threshold
from thinnet.teams import THREAD_POOL, parts_for, scratch
from thinnet.typing import AnyArray, FloatArray


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

    Large arrays are split among threads, which does not change the result.

    Forward and backward are the same function: for backward, call it on dout with the same other arguments. It
    recomputes the mask, which costs less than reading it from memory.

    >>> out = dropout(np.ones((1, 6), np.float32), 0.5, seed=3)
    >>> out
    array([[2., 0., 2., 0., 2., 2.]], dtype=float32)
    """
    threshold = drop_threshold(rate)
    out = np.empty_like(x) if out is None else out
    check_arrays("dropout", x=(x, "N D"), out=(out, "N D"))
    keys = np.uint32(seed & 0xFFFFFFFF), np.uint32(seed >> 32)
    factor = x.dtype.type(1 / (1 - rate))
    draw = keys, step, layer, first_row
    parts = parts_for(THREAD_POOL, x.size)
    THREAD_POOL.run(_dropout, parts, x, out, factor, threshold, draw, scratch(parts, np.uint32, GROUP))
    return out


@kernel()
def _dropout(share: Any, *arguments: Any) -> None:
    in_parts(share, _dropout_part, arguments)


@inner()
def _dropout_part(
    x: FloatArray, out: FloatArray, factor: Any, threshold: Any, draw: Any, room: AnyArray, part: int, parts: int
) -> None:
    (key0, key1), step, layer, first_row = draw
    zero, bits = x.dtype.type(0), room[part, 0]
    columns = x.shape[1]
    for row in range(*bounds(x.shape[0], part, parts)):
        for group in range((columns + GROUP - 1) // GROUP):
            group_bits(bits, group, first_row + row, step, layer, key0, key1)
            base = group * GROUP
            for j in range(min(GROUP, columns - base)):
                out[row, base + j] = x[row, base + j] * factor if bits[j] >= threshold else zero
