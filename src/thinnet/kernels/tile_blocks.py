"""Product blocks of float32 numbers rounded to bfloat16, computed with AMX: 2 by 2 tiles each."""

from typing import Any

import numpy as np

from thinnet.kernels import tiles
from thinnet.kernels.addresses import address
from thinnet.kernels.compile import inline, inner
from thinnet.kernels.packing import copy_line, pack_tile

NUMBER = 4  # bytes
LINES, DEPTH = 16, 32  # lines in a tile; numbers in a line of the left factor's tiles
SIDE = 2 * LINES  # of a block
TILE, STEP = 1024, 2048  # bytes: of a tile; of the two tiles that each factor adds to a block in a step
STEPS = 32  # that one block takes before the next block
SHAPES = np.zeros(64, np.uint8)  # of the tiles, in the processor's format
SHAPES[0] = 1
SHAPES[16:32].view(np.uint16)[:] = 64  # bytes of a line
SHAPES[48:56] = LINES


def take() -> None:
    """Configure the tiles."""
    tiles.configure(SHAPES.ctypes.data)


def give_back() -> None:
    """Release the tiles."""
    tiles.release()


def pack_step(
    x: Any, depth: int, width: int, down: int, right: int, left: int, panel: int, step: int, target: int
) -> None:
    """`pack_step` of `thinnet.kernels.block_kinds`."""
    deep = right != NUMBER  # whether lines of memory run along the depth
    i = step * DEPTH
    for half in range(2):
        j = panel * SIDE + half * LINES
        source, apart = address(x) + i * down + j * right, right if deep else down
        held = min(LINES, max(width - j, 0)), min(DEPTH, depth - i)
        lines, numbers = held if deep else (held[1], held[0])
        if held[0] == LINES and held[1] == DEPTH:
            _pack_as(left, deep, False, source, apart, target + half * TILE, lines, numbers)
        else:
            _pack_as(left, deep, True, source, apart, target + half * TILE, lines, numbers)


@inline()
def _pack_as(left: int, deep: bool, edge: bool, source: int, apart: int, target: int, lines: int, numbers: int) -> None:
    if left and deep:
        pack_tile(False, False, edge, source, apart, target, lines, numbers)
    elif left:
        pack_tile(True, True, edge, source, apart, target, lines, numbers)
    elif deep:
        pack_tile(False, True, edge, source, apart, target, lines, numbers)
    else:
        pack_tile(True, False, edge, source, apart, target, lines, numbers)


def multiply_block(
    target: Any,
    a: int,
    b: int,
    steps: int,
    numbers: int,
    more: int,
    down: int,
    rows: int,
    columns: int,
    edge: int,
    ahead: int,
    apart: int,
) -> None:
    """`multiply_block` of `thinnet.kernels.block_kinds`."""
    out, held = address(target), (min(SIDE, rows), min(SIDE, columns))
    inside = held[0] == SIDE and held[1] == SIDE
    place, line = (out, down) if inside else (edge, SIDE * NUMBER)
    if more and not inside:
        _copy(out, down, edge, SIDE * NUMBER, held)
    if rows > LINES:
        _two_by_two((a, b), steps, more, place, line)
    else:
        _one_by_two((a, b), steps, more, place, line)
    if not inside:
        _copy(edge, SIDE * NUMBER, out, down, held)


@inner()
def _copy(source: int, apart: int, target: int, target_apart: int, size: tuple[int, int]) -> None:
    for r in range(size[0]):
        for half in range(2):
            shift = half * LINES * NUMBER
            copy_line(source + r * apart + shift, target + r * target_apart + shift, size[1] - half * LINES)


@inner()
def _two_by_two(factors: tuple[int, int], steps: int, more: int, target: int, apart: int) -> None:
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
def _one_by_two(factors: tuple[int, int], steps: int, more: int, target: int, apart: int) -> None:
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
