"""Sums over the rows of a minibatch, a number for each column, which threads take together.

Each block of rows is added up by itself, and then the blocks are. What the blocks are depends on how many rows there
are, and not on the number of threads, which therefore changes no bit. Threads share the rows and not the columns: where
several read on in the same row, the processor fetches for one of them what another one is writing.
"""

from typing import Any

from thinnet.kernels.compile import inline, inner
from thinnet.typing import FloatArray

MOST = 32  # blocks
ROWS = 8  # of a block, or more

Sums = FloatArray  # (MOST, lines, columns or more): the lines of each block


@inline()
def blocks_of(rows: int) -> int:
    """How many blocks so many rows are."""
    return min(max(rows // ROWS, 1), MOST)


@inline()
def cleared(sums: Sums, block: int, line: int, columns: int) -> FloatArray:
    """A line of a block, with zeros in it."""
    numbers = sums[block, line, :columns]
    numbers[:] = numbers.dtype.type(0)
    return numbers


@inner()
def add_up(sums: Sums, rows: int, line: int, count: Any, out: FloatArray) -> None:
    """out = Σ / count over all blocks of so many rows."""
    total = sums[0, line, : out.size]
    for block in range(1, blocks_of(rows)):
        numbers = sums[block, line, : out.size]
        for j in range(out.size):
            total[j] += numbers[j]
    for j in range(out.size):
        out[j] = total[j] / count
