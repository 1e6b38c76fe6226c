"""Matrix products in blocks: with vector instructions, or with AMX on numbers rounded to bfloat16.

Both factors are first packed into panels as wide as a block, in the order in which the blocks read them. All threads
together pack the whole shorter factor; each thread packs a few panels of the longer one just before it needs them, so
that they are still in the cache. A factor's first dimension, its depth, is the one that is summed over; a step is the
part of the depth that is packed at a time.
"""

import functools
from typing import Any

import numpy as np
from numba import from_dtype, types

from thinnet.kernels.addresses import call
from thinnet.kernels.block_kinds import (
    BLOCKS,
    DEPTH,
    MULTIPLY_BLOCK,
    PACK_STEP,
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
from thinnet.kernels.compile import inline, inner, kernel
from thinnet.kernels.share import bounds, in_parts
from thinnet.kernels.target import VECTOR
from thinnet.typing import AnyArray, FloatArray

GROUP = 8 if VECTOR == 64 else 16  # panels packed together, so that memory is read in longer runs
LINE = 64  # bytes in a cache line


def panels_size(blocks: Blocks) -> int:
    """The bytes of the panels that a part packs at a time."""
    return GROUP * blocks[STEPS] * max(blocks[STEP_SIZES:PACK_STEP])


@inline()
def steps_of(blocks: Blocks, depth: int) -> int:
    return (depth + blocks[DEPTH] - 1) // blocks[DEPTH]


@inline()
def panels_of(blocks: Blocks, left: int, width: int) -> int:
    return (width + blocks[SIDES + left] - 1) // blocks[SIDES + left]


@inner()
def pack_whole(blocks: Blocks, x: AnyArray, left: int, room: Any, part: int, parts: int) -> None:
    panels, steps = bounds(panels_of(blocks, left, x.shape[1]), part, parts), steps_of(blocks, len(x))
    target = room[0].ctypes.data + panels[0] * steps * blocks[STEP_SIZES + left]
    pack(blocks, x, np.intp(left), panels, (np.intp(0), steps), target)


@inner()
def pack(blocks: Blocks, x: AnyArray, left: int, panels: tuple[int, int], steps: tuple[int, int], target: int) -> None:
    """Pack some steps of some panels, one panel after the other, reading memory roughly in order."""
    (start, stop), (first, last) = panels, steps
    if x.strides[1] == x.itemsize:
        for step in range(first, last):
            for panel in range(start, stop):
                _pack_step(blocks, x, left, (panel, panel - start), (step, step - first, last - first), target)
    else:
        for panel in range(start, stop):
            for step in range(first, last):
                _pack_step(blocks, x, left, (panel, panel - start), (step, step - first, last - first), target)


@inline()
def _pack_step(
    blocks: Blocks, x: AnyArray, left: int, panel: tuple[int, int], step: tuple[int, int, int], target: int
) -> None:
    """Pack one step of a panel; `panel` and `step` hold an index, then the index among those that are packed here."""
    (depth, width), (down, right), (number, behind, together) = x.shape, x.strides, step
    place = target + (panel[1] * together + behind) * blocks[STEP_SIZES + left]
    call(blocks[PACK_STEP], (x.ctypes.data, depth, width, down, right, left, panel[0], number, place))


@inline()
def multiply_block(
    blocks: Blocks,
    factors: tuple[int, int],
    steps: tuple[int, int],
    depth: int,
    out: FloatArray,
    place: tuple[int, int],
    edge: int,
    ahead: tuple[int, int],
) -> None:
    """Write the block of the product that starts at `place`, or add further steps to it."""
    (first, last), (down, right), (i, j), (a, b) = steps, out.strides, place, factors
    numbers, (rows, columns) = min(last * blocks[DEPTH], depth) - first * blocks[DEPTH], out.shape
    target, more = out.ctypes.data + i * down + j * right, first > 0
    size = rows - i, columns - j
    call(
        blocks[MULTIPLY_BLOCK],
        (target, a, b, last - first, numbers, more, down, size[0], size[1], edge, ahead[0], ahead[1]),
    )


@inner()
def _multiply(blocks: Blocks, x: AnyArray, left: int, out: FloatArray, room: Any, part: int, parts: int) -> None:
    panels, steps = np.intp(room[1][part].ctypes.data), steps_of(blocks, len(x))
    begin, end = bounds(panels_of(blocks, left, x.shape[1]), part, parts)
    take(blocks)
    for first in range(0, steps, blocks[STEPS]):
        last = min(first + blocks[STEPS], steps)
        for start in range(begin, end, GROUP):
            stop = min(start + GROUP, end)
            pack(blocks, x, np.intp(left), (start, stop), (first, last), panels)
            later = (start + GROUP, first) if stop < end else (begin, last)
            ahead = _ahead(blocks, x, left, later)
            _multiply_group(blocks, (start, stop), left, (first, last), len(x), out, room, part, ahead)
    give_back(blocks)


@inline()
def _ahead(blocks: Blocks, x: AnyArray, left: int, later: tuple[int, int]) -> tuple[int, int]:
    """The address and stride of the numbers to pack for a later panel and step; zeros if there is nothing to fetch."""
    (panel, step), (down, right) = later, x.strides
    i, j = step * blocks[DEPTH], panel * blocks[SIDES + left]
    if i >= len(x) or j >= x.shape[1] or right != x.itemsize:
        return 0, 0
    return x.ctypes.data + i * down + j * right, down


@inline()
def _multiply_group(
    blocks: Blocks,
    panels: tuple[int, int],
    left: int,
    steps: tuple[int, int],
    depth: int,
    out: FloatArray,
    room: Any,
    part: int,
    ahead: tuple[int, int],
) -> None:
    """Write the blocks of a product that belong to some panels, or add some steps to them.

    A right panel stays in the L1 cache while left panels are multiplied by it.
    """
    (start, _), (first, last), length = panels, steps, steps_of(blocks, depth)
    whole = 0, panels_of(blocks, 1 - left, out.shape[1] if left else len(out))
    made, wide = 0, GROUP * blocks[SIDES + left] * out.itemsize if ahead[0] else 0
    for right in range(*(whole if left else panels)):
        for panel in range(*(panels if left else whole)):
            own, other = (panel, right) if left else (right, panel)
            at = room[1][part].ctypes.data + (own - start) * (last - first) * blocks[STEP_SIZES + left]
            beside = room[0].ctypes.data + (other * length + first) * blocks[STEP_SIZES + 1 - left]
            factors = (at, beside) if left else (beside, at)
            needed = (ahead[0] + made, ahead[1]) if made < wide else (at, 0)
            place, edge = (panel * blocks[SIDES + 1], right * blocks[SIDES]), room[2][part].ctypes.data
            multiply_block(blocks, factors, steps, depth, out, place, edge, needed)
            made += LINE


@functools.cache
def multiply_kernel(number: Any) -> Any:
    """`_multiply_all`, compiled for a dtype."""
    out, factor = types.Array(from_dtype(number), 2, "A", aligned=False), factor_of(number)
    return kernel(types.void(SHARE, BLOCKS, factor, factor, out, room_of(number)))(_multiply_all)


def _multiply_all(share: Any, blocks: Blocks, a: AnyArray, b: AnyArray, out: FloatArray, room: Any) -> None:
    """out = a · b, where the rows of `out`, and the rows or columns of a and of b, are contiguous.

    `room` is scratch space for the parts of `share`.
    """
    if len(out) > out.shape[1]:
        in_parts(share, pack_whole, (blocks, b, 0, room))
        in_parts(share, _multiply, (blocks, a.T, 1, out, room))
    else:
        in_parts(share, pack_whole, (blocks, a.T, 1, room))
        in_parts(share, _multiply, (blocks, b, 0, out, room))
