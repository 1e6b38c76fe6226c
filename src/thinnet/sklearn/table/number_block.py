"""Columns of numbers as columns of the matrix, all at once: a few loops over many numbers instead of many loops over a
few, as one column at a time would take."""

from collections.abc import Sequence

import numpy as np

from thinnet.sklearn.table.columns import Numbers
from thinnet.sklearn.table.learned import LearnedNumbers
from thinnet.typing import AnyArray, FloatArray

AT_ONCE = 1 << 17  # numbers of the matrix that are computed together, so that they stay in the cache


class NumberBlock:
    """How columns of numbers are written side by side, each as its `LearnedNumbers` says.

    A number in the matrix is (x − low) / width, for a bin clipped to 0 and 1. For x itself, and for the indicator of
    missing numbers, low is 0, width is 1, and nothing is clipped.
    """

    def __init__(self, learned: Sequence[LearnedNumbers]) -> None:
        self._fill = np.array([each.fill for each in learned])
        self._is_empty = np.array([each.is_empty for each in learned], bool)
        self._indicated = np.flatnonzero([each.has_indicator for each in learned])
        sources: list[int] = []  # the column of values, or after those of indicators, that each number comes from
        low, width, is_bin = [], [], []
        for i, each in enumerate(learned):
            knots = np.empty(0) if each.knots is None else each.knots
            indicator = [len(learned) + int(np.searchsorted(self._indicated, i))] * each.has_indicator
            sources += [i] * (1 + each.num_bins) + indicator
            low += [0.0, *knots[:-1], *[0.0] * each.has_indicator]
            width += [1.0, *np.diff(knots), *[1.0] * each.has_indicator]
            is_bin += [False, *[True] * each.num_bins, *[False] * each.has_indicator]
        self._sources, self._low, self._width = np.array(sources), np.array(low), np.array(width)
        self._least, self._most = np.where(is_bin, 0.0, -np.inf), np.where(is_bin, 1.0, np.inf)

    def write(self, columns: Sequence[Numbers], out: AnyArray, places: AnyArray | slice) -> None:
        """Write the rows into these columns of `out`, (N, M) of floats."""
        at_once = max(1, AT_ONCE // len(self._sources))
        for start in range(0, len(out), at_once):
            rows = slice(start, start + at_once)
            out[rows][:, places] = self._encoded([column.values[rows] for column in columns])

    def _encoded(self, columns: Sequence[AnyArray]) -> FloatArray:
        values = np.empty((len(columns[0]), len(columns)))
        for i, column in enumerate(columns):
            values[:, i] = column
        missing = np.isnan(values)
        np.copyto(values, self._fill, where=missing)
        values[:, self._is_empty] = 0
        if len(self._indicated):
            values = np.concatenate([values, missing[:, self._indicated]], axis=1)
        out: FloatArray = values.take(self._sources, axis=1)
        with np.errstate(over="ignore"):  # infinite results are clipped
            out -= self._low
            out /= self._width
        np.maximum(out, self._least, out=out)
        return np.minimum(out, self._most, out=out)
