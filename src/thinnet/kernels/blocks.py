"""Products of matrices in blocks: by the processor's vectors, or of numbers rounded to bfloat16 by AMX.

Both factors are first written into panels, which are as wide as a block, in the order in which blocks are made of them:
the shorter factor as a whole, by all threads; of the longer one each thread writes some panels just before it needs
them, so that they are still in the cache. A factor is looked at with the dimension first that is added up over; a step
is so much of that dimension as is written at a time.
"""

import functools
from typing import Any

import numpy as np
from numba import from_dtype, types

from thinnet.kernels.block_kinds import (
    DEPTH,
    SHARE,
    SIDES,
    SIZES,
    STEP_SIZES,
    STEPS,
    Sizes,
    factor_of,
    give_back,
    multiply_block,
    pack_step,
    room_of,
    take,
)
from thinnet.kernels.compile import inline, inner, kernel
from thinnet.kernels.share import bounds, in_parts
from thinnet.typing import AnyArray, FloatArray

GROUP = 8  # panels written together, so that memory is read in longer runs
LINE = 64  # bytes of the cache that are fetched together


def panels_size(sizes: Sizes) -> int:
    """The bytes of the panels that a part writes at a time."""
    return GROUP * sizes[STEPS] * max(sizes[STEP_SIZES:])


@inline()
def steps_of(sizes: Sizes, depth: int) -> int:
    return (depth + sizes[DEPTH] - 1) // sizes[DEPTH]


@inline()
def panels_of(sizes: Sizes, left: int, width: int) -> int:
    return (width + sizes[SIDES + left] - 1) // sizes[SIDES + left]


@inner()
def pack_whole(sizes: Sizes, x: AnyArray, left: int, room: Any, part: int, parts: int) -> None:
    panels, steps = bounds(panels_of(sizes, left, x.shape[1]), part, parts), steps_of(sizes, len(x))
    target = room[0].ctypes.data + panels[0] * steps * sizes[STEP_SIZES + left]
    pack(sizes, x, np.intp(left), panels, (np.intp(0), steps), target, room)


@inner()
def pack(
    sizes: Sizes, x: AnyArray, left: int, panels: tuple[int, int], steps: tuple[int, int], target: int, room: Any
) -> None:
    """Write some steps of some panels, one panel after the other, in about the order in which they lie in memory."""
    (start, stop), (first, last), size = panels, steps, sizes[STEP_SIZES + left]
    length = (last - first) * size
    if x.strides[1] == x.itemsize:
        for step in range(first, last):
            for panel in range(start, stop):
                pack_step(x, left == 1, panel, step, target + (panel - start) * length + (step - first) * size, room)
    else:
        for panel in range(start, stop):
            for step in range(first, last):
                pack_step(x, left == 1, panel, step, target + (panel - start) * length + (step - first) * size, room)


@inner()
def _multiply(sizes: Sizes, x: AnyArray, left: int, out: FloatArray, room: Any, part: int, parts: int) -> None:
    panels, steps = np.intp(room[1][part].ctypes.data), steps_of(sizes, len(x))
    begin, end = bounds(panels_of(sizes, left, x.shape[1]), part, parts)
    take(room)
    for first in range(0, steps, sizes[STEPS]):
        last = min(first + sizes[STEPS], steps)
        for start in range(begin, end, GROUP):
            stop = min(start + GROUP, end)
            pack(sizes, x, np.intp(left), (start, stop), (first, last), panels, room)
            later = (start + GROUP, first) if stop < end else (begin, last)
            ahead = _ahead(sizes, x, left, later)
            _multiply_group(sizes, (start, stop), left, (first, last), len(x), out, room, part, ahead)
    give_back(room)


@inline()
def _ahead(sizes: Sizes, x: AnyArray, left: int, later: tuple[int, int]) -> tuple[int, int]:
    """Where numbers are that will be packed from a later panel and step on, and how far apart; zeros if nowhere."""
    (panel, step), (down, right) = later, x.strides
    i, j = step * sizes[DEPTH], panel * sizes[SIDES + left]
    if i >= len(x) or j >= x.shape[1] or right != x.itemsize:
        return 0, 0
    return x.ctypes.data + i * down + j * right, down


@inline()
def _multiply_group(
    sizes: Sizes,
    panels: tuple[int, int],
    left: int,
    steps: tuple[int, int],
    depth: int,
    out: FloatArray,
    room: Any,
    part: int,
    ahead: tuple[int, int],
) -> None:
    """Write the parts that some panels have of a product, or add so many steps to them.

    A right panel stays in the first cache, while left ones are multiplied by it.
    """
    (start, _), (first, last), length = panels, steps, steps_of(sizes, depth)
    whole = 0, panels_of(sizes, 1 - left, out.shape[1] if left else len(out))
    made, wide = 0, GROUP * sizes[SIDES + left] * out.itemsize if ahead[0] else 0
    for right in range(*(whole if left else panels)):
        for panel in range(*(panels if left else whole)):
            own, other = (panel, right) if left else (right, panel)
            at = room[1][part].ctypes.data + (own - start) * (last - first) * sizes[STEP_SIZES + left]
            beside = room[0].ctypes.data + (other * length + first) * sizes[STEP_SIZES + 1 - left]
            factors = (at, beside) if left else (beside, at)
            needed = (ahead[0] + made, ahead[1]) if made < wide else (at, 0)
            i, j = panel * sizes[SIDES + 1], right * sizes[SIDES]
            multiply_block(factors, sizes, steps, depth, out, i, j, room, part, needed)
            made += LINE


@functools.cache
def multiply_kernel(panel: Any, number: Any) -> Any:
    """`_multiply_all` for panels of a dtype, and numbers of one."""
    out = types.Array(from_dtype(number), 2, "A", aligned=False)
    factors = [factor_of(number)] * 2
    return kernel(types.void(SHARE, SIZES, *factors, out, room_of(panel, number)))(_multiply_all)


def _multiply_all(share: Any, sizes: Sizes, a: AnyArray, b: AnyArray, out: FloatArray, room: Any) -> None:
    """out = a · b, where the numbers of a row of `out`, and those of a row or a column of a and b, lie together.

    `room` is what threads write to on the way, for the parts of `share`.
    """
    if len(out) > out.shape[1]:
        in_parts(share, pack_whole, (sizes, b, 0, room))
        in_parts(share, _multiply, (sizes, a.T, 1, out, room))
    else:
        in_parts(share, pack_whole, (sizes, a.T, 1, room))
        in_parts(share, _multiply, (sizes, b, 0, out, room))
