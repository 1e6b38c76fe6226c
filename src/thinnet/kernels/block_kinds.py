"""The two kinds of blocks, in words that are common to both: which one it is, the dtype of the panels says."""

import functools
from typing import Any

import numpy as np
from numba import from_dtype, types
from numba.extending import overload

from thinnet.kernels import tile_blocks, tiles, vector_blocks
from thinnet.kernels.lanes import ROWS, VECTORS
from thinnet.kernels.target import VECTOR
from thinnet.typing import AnyArray, FloatArray

BFLOAT16 = np.dtype(np.uint16)  # of panels: how its bits are held
DEPTH, STEPS = 0, 1  # of `Sizes`: the numbers in a step; how many steps are taken with one block before the next
SIDES, STEP_SIZES = 2, 4  # of a right panel, and of a left one behind it: its width, and the bytes of a step

EDGE, SHAPES = tile_blocks.SIDE, tile_blocks.SHAPES  # what tiles need room for, and their shapes

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


def pack_step(x: AnyArray, left: bool, panel: int, step: int, target: int, room: Any) -> None:
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


@overload(pack_step, strict=False, inline="always")
def _pack_step_of(x: Any, left: Any, panel: Any, step: Any, target: Any, room: Any) -> Any:
    pack = tile_blocks.pack_step if _for_tiles(room) else vector_blocks.pack_step
    return lambda x, left, panel, step, target, room: pack(x, left, panel, step, target)


@overload(take, strict=False, inline="always")
def _take_of(room: Any) -> Any:
    return (lambda room: tiles.configure(room[3].ctypes.data)) if _for_tiles(room) else lambda room: None


@overload(give_back, strict=False, inline="always")
def _give_back_of(room: Any) -> Any:
    return (lambda room: tiles.release()) if _for_tiles(room) else lambda room: None


@overload(multiply_block, strict=False, inline="always")
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
        (first, last), (down, right) = steps, out.strides
        numbers = min(last * sizes[0], depth) - first * sizes[0]
        target, size = (out.ctypes.data + i * down + j * right, down), (out.shape[0] - i, out.shape[1] - j)
        vector_blocks.multiply_block(room[2], factors, numbers, first > 0, target, size, ahead)

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


SHARE, SIZES = types.UniTuple(types.intp, 5), types.UniTuple(types.intp, 6)  # the types of what all kernels take
