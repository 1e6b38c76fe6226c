"""Thinning: the part of a net's arrays that a step uses when all rows drop the same units."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from thinnet.parameters import Order, layer_number
from thinnet.teams import ONE_THREAD, Team, share_out
from thinnet.typing import BoolArray, FloatArray, IntArray


class KeptUnits:
    """Which units are kept, level by level: level 0 is the inputs, then the hidden layers, then the classes.

    Args:
        dims: the number of units at each level; all are kept at first.

    Attributes:
        starts: where each level begins in the arrays below; the last level is one unit that is always kept.
        keep: bools, level by level.
        indices: the numbers of the kept units of a level, from `starts` on; entries after them are undefined.
        counts: the number of kept units at each level.

    >>> kept = KeptUnits((2, 3))
    >>> kept.select(1, np.array([True, False, True]))
    >>> kept.of(1)
    array([0, 2])
    """

    def __init__(self, dims: Sequence[int]) -> None:
        self.starts = np.concatenate([[0], np.cumsum(dims)])
        self.indices = np.concatenate([*map(np.arange, dims), [0]])
        self.counts = np.array([*dims, 1])
        self.keep = np.ones(len(self.indices), np.bool_)

    def select(self, level: int, keep: BoolArray) -> None:
        """Keep exactly these units of a level."""
        kept = np.flatnonzero(keep)
        start = self.starts[level]
        self.keep[start : start + len(keep)] = keep
        self.indices[start : start + len(kept)] = kept
        self.counts[level] = len(kept)

    def of(self, level: int) -> IntArray:
        """The numbers of a level's kept units."""
        start = self.starts[level]
        return self.indices[start : start + self.counts[level]]


class Thinning:
    """The part of a flat buffer that belongs to kept units: gather it, and scatter it back.

    An element of the matrix ``W3`` is kept if its row belongs to a kept unit of level 2 and its column to one of level
    3; an element of a vector such as ``b3``, if its unit of level 3 is kept.

    Args:
        kept: the kept units; selecting others changes the part.
        shapes: the shapes of the arrays in the buffer, by names that end with the layer number.
        order: the memory layout of matrices; see `thinnet.parameters.Parameters`.
        kernel: `thinnet.kernels.thinning.copy_kept`, which copies faster; None to use NumPy.

    Attributes:
        table: a row for each array: where it starts, how long its *lines* are (the rows of a matrix in order C, the
            columns in order F, a vector as a whole), the level of the lines, and the level along a line.
        plan: the arrays from which kernels find the part.
        longest_line: the length of the longest line.

    >>> kept = KeptUnits((2, 3))
    >>> thinning = Thinning(kept, {"W1": (2, 3), "b1": (3,)})
    >>> kept.select(1, np.array([True, False, True]))
    >>> thinning.shapes()
    {'W1': (2, 2), 'b1': (2,)}
    >>> thin = np.zeros(6)
    >>> thinning.gather(np.arange(9.0), thin)
    >>> thin
    array([0., 2., 3., 5., 6., 8.])
    """

    def __init__(
        self, kept: KeptUnits, shapes: Mapping[str, tuple[int, ...]], order: Order = "C", kernel: Any = None
    ) -> None:
        self.kept, self._kernel = kept, kernel
        self._levels = {name: layer_number(name) for name in shapes}
        self._vectors = {name for name, shape in shapes.items() if len(shape) == 1}
        self.table = np.array(list(self._lines(shapes, order)), np.int64).reshape(-1, 4)
        self._levels_of_lines = self.table[:, 2:].tolist()
        self.plan = self.table, kept.starts, kept.counts, kept.indices
        self.longest_line = int(self.table[:, 1].max(initial=0))

    def _lines(self, shapes: Mapping[str, tuple[int, ...]], order: Order) -> Iterator[tuple[int, int, int, int]]:
        start, always = 0, len(self.kept.counts) - 1
        for name, shape in shapes.items():
            level = self._levels[name]
            if name in self._vectors:
                yield start, shape[0], always, level
            elif order == "C":
                yield start, shape[1], level - 1, level
            else:
                yield start, shape[0], level, level - 1
            start += math.prod(shape)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the arrays in the part."""
        counts = self.kept.counts.tolist()
        return {
            name: (counts[level],) if name in self._vectors else (counts[level - 1], counts[level])
            for name, level in self._levels.items()
        }

    def size(self) -> int:
        """The number of elements in the part."""
        counts = self.kept.counts.tolist()  # Python integers are faster for so few
        return sum(counts[lines] * counts[across] for lines, across in self._levels_of_lines)

    def gather(self, whole: FloatArray, thin: FloatArray, team: Team = ONE_THREAD) -> None:
        """Copy the part from a whole flat buffer to the beginning of `thin`."""
        if self._kernel is not None:
            share_out(team, self.size(), self._kernel, whole, thin, False, self.plan)
        else:
            positions = self.positions()
            thin[: len(positions)] = whole[positions]

    def scatter(self, thin: FloatArray, whole: FloatArray) -> None:
        """Copy the part from the beginning of `thin` back to its place in a whole flat buffer."""
        if self._kernel is not None:
            share_out(ONE_THREAD, self.size(), self._kernel, whole, thin, True, self.plan)
        else:
            positions = self.positions()
            whole[positions] = thin[: len(positions)]

    def positions(self) -> IntArray:
        """The indices of the part in the whole buffer; kernels traverse them without building this list."""
        parts = [
            (start + length * self.kept.of(lines)[:, None] + self.kept.of(across)).ravel()
            for start, length, lines, across in self.table
        ]
        return np.concatenate([*parts, np.zeros(0, np.intp)])
