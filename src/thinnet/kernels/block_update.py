"""An optimizer's step along a matrix's gradient, which is a product: each thread computes a few rows of it at a time.

The gradient never leaves the cache: `thinnet.kernels.blocks` computes some rows, and the next rows overwrite them.
"""

import functools
from typing import Any

import numpy as np
from numba import from_dtype, types

from thinnet.kernels.block_kinds import (
    BLOCKS,
    DEPTH,
    SHARE,
    SIDES,
    STEP_SIZES,
    STEPS,
    Blocks,
    factor_of,
    give_back,
    room_of,
    take,
)
from thinnet.kernels.blocks import GROUP, LINE, multiply_block, pack, pack_whole, panels_of, steps_of
from thinnet.kernels.compile import inline, inner, kernel
from thinnet.kernels.optimizers import LINE as WEIGHTS
from thinnet.kernels.optimizers import update_line
from thinnet.kernels.share import bounds, in_parts
from thinnet.typing import AnyArray, FloatArray

CACHED = 1 << 18  # bytes of a gradient that stay in a core's cache, along with what they are computed from


def rows_together(blocks: Blocks, row: int) -> int:
    """How many rows of a matrix, of `row` bytes each, are computed together."""
    side = blocks[SIDES + 1]
    return side * max(1, min(GROUP, CACHED // (side * row)))


@inner()
def _update(
    blocks: Blocks,
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
    gradient, side = gradients[part], blocks[SIDES + 1]
    begin, end = bounds(panels_of(blocks, 1, below.shape[1]), part, parts)
    together = len(gradient) // side
    take(blocks)
    for start in range(begin, end, together):
        stop = min(start + together, end)
        weights = start * side * gradient.shape[1], min(stop * side, below.shape[1]) * gradient.shape[1]
        _make(blocks, below, (start, stop), room, gradient, part, buffers, weights)
        _use(gradient.reshape(-1), weights, buffers, rule, numbers, penalty)
    give_back(blocks)


@inline()
def _make(
    blocks: Blocks,
    below: AnyArray,
    panels: tuple[int, int],
    room: Any,
    gradient: FloatArray,
    part: int,
    buffers: tuple[FloatArray, FloatArray, FloatArray],
    weights: tuple[int, int],
) -> None:
    """Compute the gradient of some panels' weights, and prefetch these and their state meanwhile."""
    whole, at, made = room[0].ctypes.data, np.intp(room[1][part].ctypes.data), 0
    depth, start = len(below), panels[0]
    for first in range(0, steps_of(blocks, depth), blocks[STEPS]):
        last = min(first + blocks[STEPS], steps_of(blocks, depth))
        pack(blocks, below, np.intp(1), panels, (first, last), at)
        for other in range(panels_of(blocks, 0, gradient.shape[1])):
            b = whole + (other * steps_of(blocks, depth) + first) * blocks[STEP_SIZES]
            for panel in range(*panels):
                a = at + (panel - start) * (last - first) * blocks[STEP_SIZES + 1]
                place, edge = ((panel - start) * blocks[SIDES + 1], other * blocks[SIDES]), room[2][part].ctypes.data
                ahead = _ahead(buffers, weights, made, (last - first) * blocks[DEPTH], a)
                multiply_block(blocks, (a, b), (first, last), depth, gradient, place, edge, ahead)
                made += 1


@inline()
def _ahead(
    buffers: tuple[FloatArray, FloatArray, FloatArray], weights: tuple[int, int], made: int, lines: int, other: int
) -> tuple[int, int]:
    """What to prefetch with block number `made`: the next lines of one of the buffers in turn, or just `other`."""
    buffer, (begin, end) = buffers[made % 3], weights
    start = begin + made // 3 * lines * (LINE // buffer.itemsize)
    return (buffer.ctypes.data + start * buffer.itemsize, LINE) if start < min(end, buffer.size) else (other, 0)


@inline()
def _use(
    gradient: FloatArray,
    weights: tuple[int, int],
    buffers: tuple[FloatArray, FloatArray, FloatArray],
    rule: int,
    numbers: FloatArray,
    penalty: Any,
) -> None:
    (w, one, other), (first, last) = buffers, weights
    for start in range(first, last, WEIGHTS):
        stop = min(start + WEIGHTS, last)
        line, dline = w[start:stop], gradient[start - first : stop - first]
        if penalty:
            for i in range(line.size):
                dline[i] += penalty * line[i]
        update_line(rule, line, dline, one[start:stop], other[start:stop], numbers)


@functools.cache
def update_kernel(number: Any) -> Any:
    """`_update_all`, compiled for a dtype."""
    kind, factor, room = from_dtype(number), factor_of(number), room_of(number)
    flat, gradients = types.Array(kind, 1, "C"), types.Array(kind, 3, "C")
    buffers, rule = types.UniTuple(flat, 3), types.intp
    return kernel(types.void(SHARE, BLOCKS, factor, factor, buffers, rule, flat, kind, room, gradients))(_update_all)


def _update_all(
    share: Any,
    blocks: Blocks,
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

    `buffers` are the matrix W, row by row, and two arrays of the rule's state, empty if not needed; `room` is as for
    `thinnet.kernels.blocks`, and `gradients` has space for some rows of W for each part.
    """
    in_parts(share, pack_whole, (blocks, above, 0, room))
    in_parts(share, _update, (blocks, below, buffers, rule, numbers, penalty, room, gradients))
