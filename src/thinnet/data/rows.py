"""RowReader: minibatches of a split, standardized into a buffer that is used again and again."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from thinnet import kernels
from thinnet.bfloat16 import BITS, to_bits
from thinnet.data.dataset import Dataset
from thinnet.standardization import Standardization
from thinnet.teams import ONE_THREAD, Team, over_rows
from thinnet.typing import AnyArray, IntArray


class Rows(NamedTuple):
    """Some rows, as a net takes them, with their labels and how often each counts; None for once."""

    X: Any
    y: AnyArray
    weights: AnyArray | None = None


class RowReader:
    """Reads rows of one split into a buffer of its own: a fast `Dataset.batch`.

    Args:
        data: where the rows are.
        split: ``"train"``, ``"val"`` or ``"test"``.
        max_rows: the most rows that are read at once.
        dtype: of the rows that come out; uint16 for the bits of bfloat16 numbers.
        team: the threads that may share the work.

    Raises:
        DataError: if the data set has no such split.

    >>> data = Dataset(np.array([[0, 10], [4, 30]], np.uint8), np.array([0, 1])).standardized("mean")
    >>> RowReader(data, "train", max_rows=1).read(np.array([1]))[0]
    array([[ 2., 10.]], dtype=float32)
    """

    def __init__(
        self, data: Dataset, split: str, max_rows: int, dtype: Any = np.float32, team: Team = ONE_THREAD
    ) -> None:
        self.data, self.split, self.team = data, split, team
        self._labels = data.labels(split)
        self._source: AnyArray = getattr(data, f"X_{split}")
        width = data.num_features
        how = data.standardization or Standardization(np.zeros(width), np.ones(width))
        self._shift, self._scale = how.mean, how.scale
        self._rows: AnyArray = np.empty((max_rows, data.num_features), dtype)
        self._y = np.empty((max_rows, *self._labels.shape[1:]), self._labels.dtype)

    def read(self, rows: IntArray) -> Rows:
        """The rows of these numbers and their labels, which are overwritten by the next call."""
        X, y = self._rows[: len(rows)], self._y[: len(rows)]
        np.take(self._labels, rows, axis=0, out=y, mode="clip")  # "raise" would copy; the order of batches is in range
        self._fill(X, rows)
        weighted = self.data.weights is not None and self.split == "train"
        return Rows(X, y, self.data.weights[rows] if weighted else None)  # type: ignore[index]

    def _fill(self, X: AnyArray, rows: IntArray) -> None:
        if not kernels.available():
            floats, _ = self.data.batch(self.split, rows, np.float32 if X.dtype == BITS else X.dtype)
            X[...] = to_bits(floats) if X.dtype == BITS else floats
            return
        from thinnet.kernels.batch import standardized_halves, standardized_rows

        kernel = standardized_halves if X.dtype == BITS else standardized_rows

        def piece(start: int, stop: int) -> None:
            kernel(self._source, rows[start:stop], self._shift, self._scale, X[start:stop])

        over_rows(piece, len(rows), X.size, self.team)
