"""Products of matrices of float32 numbers rounded to bfloat16, by the instructions of AMX.

A product is made in blocks of 2 by 2 tiles. Both factors are first rounded and written into tiles, in the order in
which these are multiplied: the shorter one as a whole, by all threads; of the longer one each thread writes some
panels, which are as wide as a block, just before it needs them, so that they are still in the cache. What is beyond the
edges of the factors are zeros.
"""

from typing import Any

import numpy as np
from numba import types

from thinnet.kernels import tiles
from thinnet.kernels.compile import inline, inner, kernel
from thinnet.kernels.share import bounds, in_parts
from thinnet.kernels.tile_packing import pack_tile
from thinnet.typing import AnyArray, FloatArray

LINES, DEPTH = 16, 32  # of a tile: its lines, and the numbers in a line of the left factor's
SIDE = 2 * LINES  # of a block
TILE, STEP = 1024, 2048  # bytes: of a tile, and of the two that each factor gives to a block in a step
STEPS = 32  # taken with one block before the next: so much of the shorter factor stays in the cache
GROUP = 8  # panels written together, so that memory is read in longer runs
PANELS = GROUP * STEPS * STEP  # bytes
SHAPES = np.zeros(64, np.uint8)  # of the tiles, as the processor wants to be told
SHAPES[0] = 1
SHAPES[16:32].view(np.uint16)[:] = 64  # bytes of a line
SHAPES[48:56] = LINES

FACTOR = types.Array(types.float32, 2, "A", readonly=True, aligned=False)  # to which Numba turns all others
PRODUCT = types.Array(types.float32, 2, "A", aligned=False)
ROOM = types.Tuple(
    (
        types.Array(types.uint8, 1, "C"),  # for the shorter factor's tiles
        types.Array(types.uint8, 2, "C"),  # for each part's panels
        types.Array(types.float32, 3, "C"),  # for each part's block at an edge
        types.Array(types.uint8, 1, "C"),  # `SHAPES`
    )
)


def room_size(depth: int, shorter: int) -> int:
    """The bytes of the tiles of a factor."""
    return -(-depth // DEPTH) * -(-shorter // SIDE) * STEP


@inline()
def steps_of(x: AnyArray) -> int:
    return (len(x) + DEPTH - 1) // DEPTH


@inline()
def blocks_of(width: int) -> int:
    return (width + SIDE - 1) // SIDE


@inner()
def pack_whole(x: AnyArray, left: bool, room: Any, part: int, parts: int) -> None:
    panels = bounds(blocks_of(x.shape[1]), part, parts)
    pack(x, left, panels, (0, steps_of(x)), room[0].ctypes.data + panels[0] * steps_of(x) * STEP)


@inner()
def pack(x: AnyArray, left: bool, panels: tuple[int, int], steps: tuple[int, int], target: int) -> None:
    """Write tiles of some panels, one panel after the other, in about the order in which they lie in memory."""
    (start, stop), (first, last) = panels, steps
    length = (last - first) * STEP
    if x.strides[1] == x.itemsize:
        for step in range(first, last):
            for panel in range(start, stop):
                _pack_step(x, left, panel, step, target + (panel - start) * length + (step - first) * STEP)
    else:
        for panel in range(start, stop):
            for step in range(first, last):
                _pack_step(x, left, panel, step, target + (panel - start) * length + (step - first) * STEP)


@inner()
def _pack_step(x: AnyArray, left: bool, panel: int, step: int, target: int) -> None:
    (depth, width), (down, right) = x.shape, x.strides
    deep = right != x.itemsize  # whether lines of memory go along the depth
    i = step * DEPTH
    for half in range(2):
        j = panel * SIDE + half * LINES
        source, apart = x.ctypes.data + i * down + j * right, right if deep else down
        held = min(LINES, max(width - j, 0)), min(DEPTH, depth - i)
        lines, numbers = held if deep else (held[1], held[0])
        if held[0] == LINES and held[1] == DEPTH:
            _pack_as(left, deep, False, source, apart, target + half * TILE, lines, numbers)
        else:
            _pack_as(left, deep, True, source, apart, target + half * TILE, lines, numbers)


@inline()
def _pack_as(
    left: bool, deep: bool, edge: bool, source: int, apart: int, target: int, lines: int, numbers: int
) -> None:
    if left and deep:
        pack_tile(False, False, edge, source, apart, target, lines, numbers)
    elif left:
        pack_tile(True, True, edge, source, apart, target, lines, numbers)
    elif deep:
        pack_tile(False, True, edge, source, apart, target, lines, numbers)
    else:
        pack_tile(True, False, edge, source, apart, target, lines, numbers)


@inner()
def _multiply(x: AnyArray, left: bool, out: FloatArray, room: Any, part: int, parts: int) -> None:
    whole, panels, edge = room[0].ctypes.data, room[1][part].ctypes.data, room[2][part]
    tiles.configure(room[3].ctypes.data)
    steps, (begin, end) = steps_of(x), bounds(blocks_of(x.shape[1]), part, parts)
    for first in range(0, steps, STEPS):
        last = min(first + STEPS, steps)
        for start in range(begin, end, GROUP):
            stop = min(start + GROUP, end)
            pack(x, left, (start, stop), (first, last), panels)
            for panel in range(start, stop):
                one = panels + (panel - start) * (last - first) * STEP
                for other in range(blocks_of(min(out.shape))):
                    at = whole + (other * steps + first) * STEP
                    if left:
                        multiply_block((one, at), last - first, first > 0, out, panel * SIDE, other * SIDE, edge)
                    else:
                        multiply_block((at, one), last - first, first > 0, out, other * SIDE, panel * SIDE, edge)
    tiles.release()


@inner()
def multiply_block(
    factors: tuple[int, int], steps: int, more: bool, out: FloatArray, i: int, j: int, edge: FloatArray
) -> None:
    """Write a block of the product, or where there is `more` add to it, from row i and column j on."""
    rows, columns = min(SIDE, len(out) - i), min(SIDE, out.shape[1] - j)
    inside = rows == SIDE and columns == SIDE
    target, apart = edge.ctypes.data, SIDE * out.itemsize
    if inside:
        target, apart = out.ctypes.data + i * out.strides[0] + j * out.itemsize, out.strides[0]
    elif more:
        for r in range(rows):
            for c in range(columns):
                edge[r, c] = out[i + r, j + c]
    if rows > LINES:
        _two_by_two(factors, steps, more, target, apart)
    else:
        _one_by_two(factors, steps, more, target, apart)
    if not inside:
        for r in range(rows):
            for c in range(columns):
                out[i + r, j + c] = edge[r, c]


@inner()
def _two_by_two(factors: tuple[int, int], steps: int, more: bool, target: int, apart: int) -> None:
    (a, b), below = factors, target + LINES * apart
    if more:
        tiles.load(0, target, apart)
        tiles.load(1, target + 64, apart)
        tiles.load(2, below, apart)
        tiles.load(3, below + 64, apart)
    else:
        tiles.zero(0)
        tiles.zero(1)
        tiles.zero(2)
        tiles.zero(3)
    for step in range(steps):
        at = step * STEP
        tiles.load(4, a + at, 64)
        tiles.load(6, b + at, 64)
        tiles.load(7, b + at + TILE, 64)
        tiles.load(5, a + at + TILE, 64)
        tiles.multiply(0, 4, 6)
        tiles.multiply(1, 4, 7)
        tiles.multiply(2, 5, 6)
        tiles.multiply(3, 5, 7)
    tiles.store(0, target, apart)
    tiles.store(1, target + 64, apart)
    tiles.store(2, below, apart)
    tiles.store(3, below + 64, apart)


@inner()
def _one_by_two(factors: tuple[int, int], steps: int, more: bool, target: int, apart: int) -> None:
    a, b = factors
    if more:
        tiles.load(0, target, apart)
        tiles.load(1, target + 64, apart)
    else:
        tiles.zero(0)
        tiles.zero(1)
    for step in range(steps):
        at = step * STEP
        tiles.load(4, a + at, 64)
        tiles.load(6, b + at, 64)
        tiles.load(7, b + at + TILE, 64)
        tiles.multiply(0, 4, 6)
        tiles.multiply(1, 4, 7)
    tiles.store(0, target, apart)
    tiles.store(1, target + 64, apart)


@kernel(types.void(types.UniTuple(types.intp, 5), FACTOR, FACTOR, PRODUCT, ROOM))
def multiply(share: Any, a: AnyArray, b: AnyArray, out: FloatArray, room: Any) -> None:
    """out = a · b, where the numbers of a row of `out`, and those of a row or a column of a and b, lie together.

    `room` is what threads write to on the way, for the parts of `share`.
    """
    if len(out) > out.shape[1]:  # a factor is looked at with the dimension first that is added up over
        in_parts(share, pack_whole, (b, False, room))
        in_parts(share, _multiply, (a.T, True, out, room))
    else:
        in_parts(share, pack_whole, (a.T, True, room))
        in_parts(share, _multiply, (b, False, out, room))
