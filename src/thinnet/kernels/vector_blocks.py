"""Product blocks computed with vector instructions."""

from typing import Any

from thinnet.kernels.addresses import address, itemsize
from thinnet.kernels.compile import inline
from thinnet.kernels.lanes import ROWS, VECTORS
from thinnet.kernels.packing import pack_vectors
from thinnet.kernels.target import VECTOR
from thinnet.kernels.vectors import multiply_rows

DEPTH = 256 if VECTOR == 64 else 384  # numbers of the depth that one block takes before the next block
FEWER, FEWEST = 2 * ROWS // 3, ROWS // 3  # rows of blocks at an edge


def pack_step(
    x: Any, depth: int, width: int, down: int, right: int, left: int, panel: int, step: int, target: int
) -> None:
    """`pack_step` of `thinnet.kernels.block_kinds`; a step of the depth is as long as a vector."""
    deep, lanes = right != itemsize(x), VECTOR // itemsize(x)
    side = ROWS if left else VECTORS * lanes
    i, j = step * lanes, panel * side
    source, apart = address(x) + i * down + j * right, right if deep else down
    held = min(side, width - j), min(lanes, depth - i)
    lines, numbers = held if deep else (held[1], held[0])
    if held[0] == side and held[1] == lanes:
        _pack_as(left, deep, False, x, source, apart, target, lines, numbers)
    else:
        _pack_as(left, deep, True, x, source, apart, target, lines, numbers)


@inline()
def _pack_as(
    left: int, deep: bool, edge: bool, x: Any, source: int, apart: int, target: int, lines: int, numbers: int
) -> None:
    if left and deep:
        pack_vectors(True, True, edge, x, source, apart, target, lines, numbers)
    elif left:
        pack_vectors(True, False, edge, x, source, apart, target, lines, numbers)
    elif deep:
        pack_vectors(False, True, edge, x, source, apart, target, lines, numbers)
    else:
        pack_vectors(False, False, edge, x, source, apart, target, lines, numbers)


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
    lanes, factors, place, needed = VECTOR // itemsize(target), (a, b), (more != 0, down), (ahead, apart)
    if columns > lanes:
        _multiply(VECTORS, target, factors, numbers, place, rows, min(VECTORS * lanes, columns), needed)
    else:
        _multiply(1, target, factors, numbers, place, rows, columns, needed)


@inline()
def _multiply(
    vectors: int,
    target: Any,
    factors: tuple[int, int],
    depth: int,
    place: tuple[bool, int],
    rows: int,
    columns: int,
    needed: tuple[int, int],
) -> None:
    (a, b), (more, down), (ahead, apart) = factors, place, needed
    if rows > FEWER:
        held = min(ROWS, rows)
        multiply_rows(ROWS, vectors, target, a, b, depth, more, address(target), down, held, columns, ahead, apart)
    elif rows > FEWEST:
        multiply_rows(FEWER, vectors, target, a, b, depth, more, address(target), down, rows, columns, ahead, apart)
    else:
        multiply_rows(FEWEST, vectors, target, a, b, depth, more, address(target), down, rows, columns, ahead, apart)
