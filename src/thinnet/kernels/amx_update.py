"""An optimizer's step along the gradient of a matrix, which is a product: each thread makes a few rows of it at a time.

The gradient never leaves the cache: it is made by `thinnet.kernels.amx`, used, and overwritten by the next rows.
"""

from typing import Any

from numba import types

from thinnet.kernels import tiles
from thinnet.kernels.amx import (
    FACTOR,
    GROUP,
    ROOM,
    SIDE,
    STEP,
    STEPS,
    blocks_of,
    multiply_block,
    pack,
    pack_whole,
    steps_of,
)
from thinnet.kernels.compile import inner, kernel
from thinnet.kernels.optimizers import LINE, update_line
from thinnet.kernels.share import bounds, in_parts
from thinnet.typing import AnyArray, FloatArray

CACHED = 1 << 16  # elements of a gradient that stay in the cache of a core, beside what they are made of


def rows_together(columns: int) -> int:
    """How many rows of a matrix are made together."""
    return SIDE * max(1, min(GROUP, CACHED // (SIDE * columns)))


@inner()
def _update(
    below: AnyArray,
    buffers: tuple[FloatArray, FloatArray, FloatArray],
    rule: int,
    numbers: FloatArray,
    penalty: Any,
    room: Any,
    gradients: FloatArray,
    part: int,
    parts: int,
) -> None:
    gradient = gradients[part]
    tiles.configure(room[3].ctypes.data)
    begin, end = bounds(blocks_of(below.shape[1]), part, parts)
    together = len(gradient) // SIDE
    for start in range(begin, end, together):
        stop = min(start + together, end)
        _make(below, (start, stop), room, gradient, part)
        first, last = start * SIDE * gradient.shape[1], min(stop * SIDE, below.shape[1]) * gradient.shape[1]
        _use(gradient.reshape(-1), first, last, buffers, rule, numbers, penalty)
    tiles.release()


@inner()
def _make(below: AnyArray, panels: tuple[int, int], room: Any, gradient: FloatArray, part: int) -> None:
    whole, at, edge = room[0].ctypes.data, room[1][part].ctypes.data, room[2][part]
    steps, start = steps_of(below), panels[0]
    for first in range(0, steps, STEPS):
        last = min(first + STEPS, steps)
        pack(below, True, panels, (first, last), at)
        for other in range(blocks_of(gradient.shape[1])):
            b = whole + (other * steps + first) * STEP
            for panel in range(*panels):
                a = at + (panel - start) * (last - first) * STEP
                i, j = (panel - start) * SIDE, other * SIDE
                multiply_block((a, b), last - first, first > 0, gradient, i, j, edge)


@inner()
def _use(
    gradient: FloatArray,
    first: int,
    last: int,
    buffers: tuple[FloatArray, FloatArray, FloatArray],
    rule: int,
    numbers: FloatArray,
    penalty: Any,
) -> None:
    w, one, other = buffers
    for start in range(first, last, LINE):
        stop = min(start + LINE, last)
        line, dline = w[start:stop], gradient[start - first : stop - first]
        if penalty:
            for i in range(line.size):
                dline[i] += penalty * line[i]
        update_line(rule, line, dline, one[start:stop], other[start:stop], numbers)


FLAT = types.Array(types.float32, 1, "C")
GRADIENTS = types.Array(types.float32, 3, "C")


@kernel(
    types.void(
        types.UniTuple(types.intp, 5),
        FACTOR,
        FACTOR,
        types.UniTuple(FLAT, 3),
        types.intp,
        FLAT,
        types.float32,
        ROOM,
        GRADIENTS,
    )
)
def update_by_product(
    share: Any,
    below: AnyArray,
    above: AnyArray,
    buffers: tuple[FloatArray, FloatArray, FloatArray],
    rule: int,
    numbers: FloatArray,
    penalty: Any,
    room: Any,
    gradients: FloatArray,
) -> None:
    """One step of a rule along belowᵀ · above + penalty · W.

    `buffers` are the matrix W, row by row, and the rule's state of it, empty where it has less; `room` is as for
    `thinnet.kernels.amx.multiply`, and `gradients` has room for some rows of W for each part.
    """
    in_parts(share, pack_whole, (above, False, room))
    in_parts(share, _update, (below, buffers, rule, numbers, penalty, room, gradients))
