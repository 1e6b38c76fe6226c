"""Blocks of a product by the processor's vectors."""

from thinnet.kernels.compile import inline, inner
from thinnet.kernels.lanes import ROWS, VECTORS
from thinnet.kernels.packing import pack_vectors
from thinnet.kernels.target import VECTOR
from thinnet.kernels.vectors import multiply_rows
from thinnet.typing import AnyArray, FloatArray

DEPTH = 256  # numbers that are taken with one block before the next
FEWER, FEWEST = 2 * ROWS // 3, ROWS // 3  # rows of blocks at an edge


@inner()
def pack_step(x: AnyArray, left: bool, panel: int, step: int, target: int) -> None:
    """Write to `target` what a panel has in a step of the depth, which is as long as a vector."""
    (depth, width), (down, right) = x.shape, x.strides
    deep, lanes = right != x.itemsize, VECTOR // x.itemsize
    side = ROWS if left else VECTORS * lanes
    i, j = step * lanes, panel * side
    source, apart = x.ctypes.data + i * down + j * right, right if deep else down
    held = min(side, width - j), min(lanes, depth - i)
    lines, numbers = held if deep else (held[1], held[0])
    if held[0] == side and held[1] == lanes:
        _pack_as(left, deep, False, x, source, apart, target, lines, numbers)
    else:
        _pack_as(left, deep, True, x, source, apart, target, lines, numbers)


@inline()
def _pack_as(
    left: bool, deep: bool, edge: bool, x: AnyArray, source: int, apart: int, target: int, lines: int, numbers: int
) -> None:
    if left and deep:
        pack_vectors(True, True, edge, x, source, apart, target, lines, numbers)
    elif left:
        pack_vectors(True, False, edge, x, source, apart, target, lines, numbers)
    elif deep:
        pack_vectors(False, True, edge, x, source, apart, target, lines, numbers)
    else:
        pack_vectors(False, False, edge, x, source, apart, target, lines, numbers)


@inner()
def multiply_block(
    like: FloatArray,
    factors: tuple[int, int],
    depth: int,
    more: bool,
    target: tuple[int, int],
    size: tuple[int, int],
    ahead: tuple[int, int],
) -> None:
    """Write a block of the product, or where there is `more` add to it.

    Args:
        like: an array of such numbers.
        factors: where their panels are.
        depth: how many numbers are added up.
        more: whether to add.
        target: where the block is to be, and the bytes between its rows.
        size: how many rows and columns there are from there on, which may be more than a block has.
        ahead: where lines of the cache are that will be needed next, one for each number of the depth, and how far
            apart they are.
    """
    (rows, columns), lanes = size, VECTOR // like.itemsize
    if columns > lanes:
        _multiply(VECTORS, like, factors, depth, more, target, rows, min(VECTORS * lanes, columns), ahead)
    else:
        _multiply(1, like, factors, depth, more, target, rows, columns, ahead)


@inline()
def _multiply(
    vectors: int,
    like: FloatArray,
    factors: tuple[int, int],
    depth: int,
    more: bool,
    target: tuple[int, int],
    rows: int,
    columns: int,
    ahead: tuple[int, int],
) -> None:
    (a, b), (to, apart), (place, stride) = factors, target, ahead
    if rows > FEWER:
        held = min(ROWS, rows)
        multiply_rows(ROWS, vectors, like, a, b, depth, more, to, apart, held, columns, place, stride)
    elif rows > FEWEST:
        multiply_rows(FEWER, vectors, like, a, b, depth, more, to, apart, rows, columns, place, stride)
    else:
        multiply_rows(FEWEST, vectors, like, a, b, depth, more, to, apart, rows, columns, place, stride)
