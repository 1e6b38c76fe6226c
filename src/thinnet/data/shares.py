"""Shares: which rows of a data set each process has, and sums over all rows that do not depend on the shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from thinnet.data.moments import Spans, inverse_deviation, overall, spans
from thinnet.errors import ArgumentError, DataError
from thinnet.typing import AnyArray, FloatArray, IntArray

# A share is a run of whole blocks; sums and hashes go block by block, so the number of processes does not change them.
BLOCKS = 1024

Gather = Callable[[Any], Sequence[Any]]  # takes this process's value and returns those of all processes, in rank order


def alone(thing: Any) -> list[Any]:
    """The `Gather` of a single process."""
    return [thing]


def checked_gather(gather: Gather, share: Share | None) -> Gather:
    """`gather`, after checking that it fits the share; `alone` if there is no share."""
    if not callable(gather):
        raise ArgumentError(
            f"gather must be a function, got {gather!r}. Write gather=communicator.allgather, or leave it out."
        )
    if share is None:
        return alone
    if (size := len(gather(None))) != share.size:
        raise ArgumentError(
            f"gather must return a result from each of the {share.size} processes that share the data set, got {size}. "
            f"Write gather=communicator.allgather, with the communicator whose rank and size made the shares."
        )
    return gather


@dataclass(frozen=True)
class Share:
    """The share of one process."""

    rank: int  # its number, counted from 0
    size: int  # the number of processes
    totals: Mapping[str, int]  # the number of rows of each split on all processes together
    num_classes: int  # of the whole data set

    def rows(self, split: str) -> slice:
        """The process's rows of a split, as numbers among all rows of the split."""
        return share_of(self.totals[split], self.rank, self.size)


def share_of(num_rows: int, rank: int, size: int) -> slice:
    """The rows of one of `size` processes: shares are as equal as whole blocks allow."""
    edges = block_edges(num_rows)
    first, last = ((len(edges) - 1) * number // size for number in (rank, rank + 1))
    return slice(int(edges[first]), int(edges[last]))


def block_edges(num_rows: int) -> IntArray:
    """The start of each block, and the end of the last; there are at most `BLOCKS`, none empty."""
    blocks = min(BLOCKS, num_rows)
    return np.arange(blocks + 1) * num_rows // max(blocks, 1)


def shift_and_scale(
    method: str, X: AnyArray, rows: slice, num_rows: int, gather: Gather
) -> tuple[FloatArray, FloatArray]:
    """What `Dataset.standardized` subtracts from rows, and what it then multiplies by; arguments as for `moments`."""
    shift, deviation, ends = moments(X, rows, num_rows, gather)
    if method == "mean":
        return shift, np.ones(())
    if method == "global":
        shift, deviation = overall(shift, deviation)
        ends = Spans(ends.low.min(), ends.high.max(), ends.unit)
    inverse = inverse_deviation("X_train", deviation, ends, DataError)
    return shift, np.where(inverse == 0, 1, inverse)


def moments(X: AnyArray, rows: slice, num_rows: int, gather: Gather) -> tuple[FloatArray, FloatArray, Spans]:
    """Mean, standard deviation and span of each column over all processes' rows in float64, in two passes.

    `X` has this process's rows, (N, D); `rows` are their numbers among the `num_rows` of all processes. DataError if a
    column's span overflows float64.
    """
    columns = _spans(X, gather)
    mean = _total(X, rows, num_rows, gather, lambda block: columns.scaled(block).sum(axis=0)) / num_rows
    variance = _total(X, rows, num_rows, gather, lambda block: np.square(columns.scaled(block) - mean).sum(axis=0))
    return columns.low + mean / columns.unit, np.sqrt(variance / num_rows) / columns.unit, columns


def _spans(X: AnyArray, gather: Gather) -> Spans:
    """The span of each column over all processes' rows; for uint8 it is taken as 0 to 255."""
    if X.dtype == np.uint8:
        return spans("X_train", np.zeros(X.shape[1]), np.full(X.shape[1], 255), DataError)
    here = [(X.min(axis=0), X.max(axis=0))] if len(X) else []
    lows, highs = zip(*(ends for part in gather(here) for ends in part), strict=True)
    return spans("X_train", np.min(lows, axis=0), np.max(highs, axis=0), DataError)


def _total(
    X: AnyArray, rows: slice, num_rows: int, gather: Gather, of_block: Callable[[AnyArray], FloatArray]
) -> FloatArray:
    """The sum over all blocks, added in order."""
    total = np.zeros(X.shape[1])
    for part in gather([of_block(block) for block in _blocks(X, rows, num_rows)]):
        for number in part:
            total += number
    return total


def digest(array: AnyArray, rows: slice, num_rows: int, gather: Gather) -> str:
    """A SHA-256 of an array of all processes' rows, with its dtype and shape: the hash of its blocks' hashes."""
    from hashlib import sha256  # slow to import

    whole = sha256(f"{array.dtype.str} {(num_rows, *array.shape[1:])} ".encode())
    hashes = [sha256(np.ascontiguousarray(block).data).digest() for block in _blocks(array, rows, num_rows)]
    for part in gather(hashes):
        for chunk in part:
            whole.update(chunk)
    return whole.hexdigest()


def digest_alone(array: AnyArray) -> str:
    """A SHA-256 of an array that every process has completely."""
    from hashlib import sha256

    whole = sha256(f"{array.dtype.str} {array.shape} ".encode())
    whole.update(np.ascontiguousarray(array).data)
    return whole.hexdigest()


def _blocks(array: AnyArray, rows: slice, num_rows: int) -> list[AnyArray]:
    edges = block_edges(num_rows)
    edges = edges[(edges >= rows.start) & (edges <= rows.stop)] - rows.start
    return [array[start:stop] for start, stop in pairwise(edges)]
