"""The two kinds of blocks, in words that are common to both.

What a kind does is two kernels, which are called at their addresses::

    pack_step(x, depth, width, down, right, left, panel, step, target)

writes to an address what a panel of the left or the right factor has in a step: x is where the factor is, depth and
width its shape, down and right the bytes from a number to the next ones. ::

    multiply_block(target, a, b, steps, numbers, more, down, rows, columns, edge, ahead, apart)

writes a block of the product, or where there is `more` adds to it: a and b are where the panels are, and how many steps
and numbers of them are taken; rows and columns are how many there are from there on, which may be more than a block
has; `edge` is room for a block; `ahead` is where lines of the cache are that will be needed next, so far apart.
"""

import functools
from typing import Any

from numba import from_dtype, types

from thinnet.kernels import tile_blocks, vector_blocks
from thinnet.kernels.addresses import address_of, call
from thinnet.kernels.compile import inline
from thinnet.kernels.lanes import ROWS, VECTORS
from thinnet.kernels.target import VECTOR

DEPTH, STEPS = 0, 1  # of `Blocks`: the numbers in a step; how many steps are taken with one block before the next
SIDES, STEP_SIZES = 2, 4  # of a right panel, and of a left one behind it: its width, and the bytes of a step
PACK_STEP, MULTIPLY_BLOCK = 6, 7  # addresses
TAKE, GIVE_BACK = 8, 9  # addresses of what takes what the blocks need of the processor, and gives it back; or 0

EDGE = tile_blocks.SIDE  # of the room that tiles need for a block at an edge

Blocks = tuple[int, int, int, int, int, int, int, int, int, int]


@functools.cache
def blocks_for(number: Any, rounded: bool) -> Blocks:
    """The blocks for factors of a dtype; `rounded`: to bfloat16, and multiplied by AMX."""
    kind = tile_blocks if rounded else vector_blocks
    like = types.CPointer(from_dtype(number))
    work = (
        address_of(kind.pack_step, like, *[types.intp] * 8),
        address_of(kind.multiply_block, like, *[types.intp] * 11),
    )
    if rounded:
        side, step = tile_blocks.SIDE, tile_blocks.STEP
        processor = address_of(tile_blocks.take), address_of(tile_blocks.give_back)
        return tile_blocks.DEPTH, tile_blocks.STEPS, side, side, step, step, *work, *processor
    lanes = VECTOR // number.itemsize
    columns = VECTORS * lanes
    return lanes, vector_blocks.DEPTH // lanes, columns, ROWS, VECTOR * columns, VECTOR * ROWS, *work, 0, 0


def whole_size(blocks: Blocks, depth: int, shorter: int) -> int:
    """The bytes of the panels of a factor, of either side."""
    sides = zip(blocks[SIDES:STEP_SIZES], blocks[STEP_SIZES:PACK_STEP], strict=True)
    return max(-(-depth // blocks[DEPTH]) * -(-shorter // side) * step for side, step in sides)


@inline()
def take(blocks: Blocks) -> None:
    if blocks[TAKE]:
        call(blocks[TAKE], ())


@inline()
def give_back(blocks: Blocks) -> None:
    if blocks[GIVE_BACK]:
        call(blocks[GIVE_BACK], ())


def factor_of(number: Any) -> Any:
    """The type of a factor: Numba turns arrays of every layout to it."""
    return types.Array(from_dtype(number), 2, "A", readonly=True, aligned=False)


def room_of(number: Any) -> Any:
    """The type of what threads write to on the way."""
    return types.Tuple(
        (
            types.Array(types.uint8, 1, "C"),  # for the shorter factor's panels
            types.Array(types.uint8, 2, "C"),  # for each part's panels
            types.Array(from_dtype(number), 3, "C"),  # for each part's block at an edge
        )
    )


SHARE, BLOCKS = types.UniTuple(types.intp, 5), types.UniTuple(types.intp, 10)  # the types of what all kernels take
