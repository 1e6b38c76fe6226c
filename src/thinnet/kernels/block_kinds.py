"""The two kinds of blocks, behind one interface.

Each kind provides two kernels, which are called through their addresses::

    pack_step(x, depth, width, down, right, left, panel, step, target)

packs one step of a panel of the left or right factor and writes it to an address: x points to the factor, depth and
width are its shape, down and right its strides in bytes. ::

    multiply_block(target, a, b, steps, numbers, more, down, rows, columns, edge, ahead, apart)

writes a block of the product, or adds to it if `more`: a and b point to the panels; `steps` steps, that is, `numbers`
numbers of the depth, are used; rows and columns are how many the product has from the block's corner on, perhaps more
than a block has; `edge` is a buffer for one block; `ahead` points to cache lines needed next, `apart` bytes apart.
"""

import functools
from typing import Any

from numba import from_dtype, types

from thinnet.kernels import tile_blocks, vector_blocks
from thinnet.kernels.addresses import address_of, call
from thinnet.kernels.compile import inline
from thinnet.kernels.lanes import ROWS, VECTORS
from thinnet.kernels.target import VECTOR

DEPTH, STEPS = 0, 1  # indices into `Blocks`: the depth of a step; how many steps a block takes before the next block
SIDES, STEP_SIZES = 2, 4  # each for a right panel, then for a left one: its width; the bytes of a step
PACK_STEP, MULTIPLY_BLOCK = 6, 7  # addresses
TAKE, GIVE_BACK = 8, 9  # addresses of kernels that acquire and release what the blocks need of the processor; or 0

EDGE = tile_blocks.SIDE  # the side of the buffer that tiles need for a block at an edge

Blocks = tuple[int, int, int, int, int, int, int, int, int, int]


@functools.cache
def blocks_for(number: Any, rounded: bool) -> Blocks:
    """The blocks for factors of a dtype; `rounded`: rounded to bfloat16 and multiplied by AMX."""
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
    """The bytes of a factor's panels, enough for either side."""
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
    """The Numba type of a factor; arrays of any layout are converted to it."""
    return types.Array(from_dtype(number), 2, "A", readonly=True, aligned=False)


def room_of(number: Any) -> Any:
    """The Numba type of the threads' scratch space."""
    return types.Tuple(
        (
            types.Array(types.uint8, 1, "C"),  # for the shorter factor's panels
            types.Array(types.uint8, 2, "C"),  # for each part's panels
            types.Array(from_dtype(number), 3, "C"),  # for each part's block at an edge
        )
    )


SHARE, BLOCKS = types.UniTuple(types.intp, 5), types.UniTuple(types.intp, 10)  # types of arguments of all kernels
