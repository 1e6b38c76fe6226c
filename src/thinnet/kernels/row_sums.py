"""Sums over the rows of a minibatch, one number per column, computed by several threads.

Each block of rows is summed by itself, and then the blocks are added up. The blocks depend on the number of rows, not
on the number of threads, so more threads give the same bits. Threads split the rows, not the columns: if several worked
along the same row, the processor would prefetch for one of them what another is writing.
"""

from typing import Any

from thinnet.kernels.compile import inline, inner
from thinnet.typing import FloatArray

MOST = 32  # blocks, at most
ROWS = 8  # in a block, at least

Sums = FloatArray  # (MOST, lines, columns or more): the lines of each block


@inline()
def blocks_of(rows: int) -> int:
    """The number of blocks for this many rows."""
    return min(max(rows // ROWS, 1), MOST)


@inline()
def cleared(sums: Sums, block: int, line: int, columns: int) -> FloatArray:
    """A line of a block, set to zero."""
    numbers = sums[block, line, :columns]
    numbers[:] = numbers.dtype.type(0)
    return numbers


@inner()
def add_up(sums: Sums, rows: int, line: int, count: Any, out: FloatArray) -> None:
    """out = Σ / count over all blocks of this many rows."""
    total = sums[0, line, : out.size]
    for block in range(1, blocks_of(rows)):
        numbers = sums[block, line, : out.size]
        for j in range(out.size):
            total[j] += numbers[j]
    for j in range(out.size):
        out[j] = total[j] / count
