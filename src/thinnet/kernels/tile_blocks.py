"""Blocks of a product of float32 numbers rounded to bfloat16, by AMX: 2 by 2 tiles."""

import numpy as np

from thinnet.kernels import tiles
from thinnet.kernels.compile import inline, inner
from thinnet.kernels.packing import pack_tile
from thinnet.typing import AnyArray, FloatArray

LINES, DEPTH = 16, 32  # of a tile: its lines, and the numbers in a line of the left factor's
SIDE = 2 * LINES  # of a block
TILE, STEP = 1024, 2048  # bytes: of a tile, and of the two that each factor gives to a block in a step
STEPS = 32  # taken with one block before the next
SHAPES = np.zeros(64, np.uint8)  # of the tiles, as the processor wants to be told
SHAPES[0] = 1
SHAPES[16:32].view(np.uint16)[:] = 64  # bytes of a line
SHAPES[48:56] = LINES


@inner()
def pack_step(x: AnyArray, left: bool, panel: int, step: int, target: int) -> None:
    """Write to `target` what a panel has in a step of the depth."""
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
