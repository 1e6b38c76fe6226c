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
from numba.extending import overload

from thinnet.kernels import tile_blocks, tiles, vector_blocks
from thinnet.kernels.compile import inline, inner, kernel
from thinnet.kernels.lanes import ROWS, VECTORS
from thinnet.kernels.share import bounds, in_parts
from thinnet.kernels.target import VECTOR
from thinnet.typing import AnyArray, FloatArray

BFLOAT16 = np.dtype(np.uint16)  # of panels: how its bits are held
GROUP = 8  # panels written together, so that memory is read in longer runs
LINE = 64  # bytes of the cache that are fetched together
DEPTH, STEPS = 0, 1  # of `Sizes`: the numbers in a step; how many steps are taken with one block before the next
SIDES, STEP_SIZES = 2, 4  # of a right panel, and of a left one behind it: its width, and the bytes of a step

Sizes = tuple[int, int, int, int, int, int]


@functools.cache
def sizes(panel: Any, number: Any) -> Sizes:
    """The sizes of panels of a dtype, for factors of another one or the same."""
    if panel == BFLOAT16:
        side, step = tile_blocks.SIDE, tile_blocks.STEP
        return tile_blocks.DEPTH, tile_blocks.STEPS, side, side, step, step
    lanes = VECTOR // number.itemsize
    columns = VECTORS * lanes
    return lanes, vector_blocks.DEPTH // lanes, columns, ROWS, VECTOR * columns, VECTOR * ROWS


def whole_size(sizes: Sizes, depth: int, shorter: int) -> int:
    """The bytes of the panels of a factor, of either side."""
    sides = zip(sizes[SIDES : SIDES + 2], sizes[STEP_SIZES:], strict=True)
    return max(-(-depth // sizes[DEPTH]) * -(-shorter // side) * step for side, step in sides)


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
    pack(sizes, x, left, panels, (0, steps), target, room)


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
                _pack_step(x, left == 1, panel, step, target + (panel - start) * length + (step - first) * size, room)
    else:
        for panel in range(start, stop):
            for step in range(first, last):
                _pack_step(x, left == 1, panel, step, target + (panel - start) * length + (step - first) * size, room)


@inner()
def _multiply(sizes: Sizes, x: AnyArray, left: int, out: FloatArray, room: Any, part: int, parts: int) -> None:
    panels, steps = room[1][part].ctypes.data, steps_of(sizes, len(x))
    begin, end = bounds(panels_of(sizes, left, x.shape[1]), part, parts)
    take(room)
    for first in range(0, steps, sizes[STEPS]):
        last = min(first + sizes[STEPS], steps)
        for start in range(begin, end, GROUP):
            stop = min(start + GROUP, end)
            pack(sizes, x, left, (start, stop), (first, last), panels, room)
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


@inner()
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
    made = 0
    for right in range(*(whole if left else panels)):
        for panel in range(*(panels if left else whole)):
            own, other = (panel, right) if left else (right, panel)
            at = room[1][part].ctypes.data + (own - start) * (last - first) * sizes[STEP_SIZES + left]
            beside = room[0].ctypes.data + (other * length + first) * sizes[STEP_SIZES + 1 - left]
            factors = (at, beside) if left else (beside, at)
            needed = (
                (ahead[0] + made * LINE, ahead[1])
                if ahead[0] and made * LINE < GROUP * sizes[SIDES + left] * out.itemsize
                else (at, 0)
            )
            multiply_block(
                factors, sizes, steps, depth, out, panel * sizes[SIDES + 1], right * sizes[SIDES], room, part, needed
            )
            made += 1


def _pack_step(x: AnyArray, left: bool, panel: int, step: int, target: int, room: Any) -> None:
    """`pack_step` of the kind of blocks that the panels are for."""


def take(room: Any) -> None:
    """Take what the blocks need of the processor."""


def give_back(room: Any) -> None:
    """Give it back."""


def multiply_block(
    factors: tuple[int, int],
    sizes: Sizes,
    steps: tuple[int, int],
    depth: int,
    out: FloatArray,
    i: int,
    j: int,
    room: Any,
    part: int,
    ahead: tuple[int, int],
) -> None:
    """Write a block of the product, or add some further steps to it, from row i and column j on.

    `ahead` is where lines of the cache are that will be needed next, and how far apart they are.
    """


def _for_tiles(room: Any) -> bool:
    return bool(room[0].dtype == types.uint16)


@overload(_pack_step, strict=False)
def _pack_step_of(x: Any, left: Any, panel: Any, step: Any, target: Any, room: Any) -> Any:
    pack_step = tile_blocks.pack_step if _for_tiles(room) else vector_blocks.pack_step
    return lambda x, left, panel, step, target, room: pack_step(x, left, panel, step, target)


@overload(take, strict=False)
def _take_of(room: Any) -> Any:
    return (lambda room: tiles.configure(room[3].ctypes.data)) if _for_tiles(room) else lambda room: None


@overload(give_back, strict=False)
def _give_back_of(room: Any) -> Any:
    return (lambda room: tiles.release()) if _for_tiles(room) else lambda room: None


@overload(multiply_block, strict=False)
def _multiply_block_of(
    factors: Any, sizes: Any, steps: Any, depth: Any, out: Any, i: Any, j: Any, room: Any, part: Any, ahead: Any
) -> Any:
    def by_tiles(
        factors: Any, sizes: Any, steps: Any, depth: Any, out: Any, i: Any, j: Any, room: Any, part: Any, ahead: Any
    ) -> None:
        first, last = steps
        tile_blocks.multiply_block(factors, last - first, first > 0, out, i, j, room[2][part])

    def by_vectors(
        factors: Any, sizes: Any, steps: Any, depth: Any, out: Any, i: Any, j: Any, room: Any, part: Any, ahead: Any
    ) -> None:
        first, last = steps
        numbers = min(last * sizes[0], depth) - first * sizes[0]
        vector_blocks.multiply_block(factors, numbers, first > 0, out, i, j, ahead)

    return by_tiles if _for_tiles(room) else by_vectors


def factor_of(number: Any) -> Any:
    """The type of a factor: Numba turns arrays of every layout to it."""
    return types.Array(from_dtype(number), 2, "A", readonly=True, aligned=False)


def room_of(panel: Any, number: Any) -> Any:
    """The type of what threads write to on the way."""
    return types.Tuple(
        (
            types.Array(from_dtype(panel), 1, "C"),  # for the shorter factor's panels
            types.Array(from_dtype(panel), 2, "C"),  # for each part's panels
            types.Array(from_dtype(number), 3, "C"),  # for each part's block at an edge
            types.Array(types.uint8, 1, "C"),  # the shapes of tiles
        )
    )


SHARE, SIZES = types.UniTuple(types.intp, 5), types.UniTuple(types.intp, 6)


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
