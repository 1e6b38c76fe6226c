"""RowReader: minibatches of a split, standardized into a buffer that is used again and again."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from thinnet import kernels
from thinnet.data.batches import BatchOrder
from thinnet.data.dataset import Dataset
from thinnet.standardization import Standardization
from thinnet.typing import AnyArray, FloatArray, IntArray


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
        dtype: of the rows that come out.
        order: the minibatches of training that are read, which are augmented where the data set says so; other rows
            than these never are.

    Raises:
        DataError: if the data set has no such split.

    >>> data = Dataset(np.array([[0, 10], [4, 30]], np.uint8), np.array([0, 1])).standardized("mean")
    >>> RowReader(data, "train", max_rows=1).read(np.array([1]))[0]
    array([[ 2., 10.]], dtype=float32)
    """

    def __init__(
        self, data: Dataset, split: str, max_rows: int, dtype: Any = np.float32, order: BatchOrder | None = None
    ) -> None:
        self.data, self.split = data, split
        self._order = order if split == "train" and data.augmentation else None
        self._labels = data.labels(split)
        self._source: AnyArray = getattr(data, f"X_{split}")
        width = data.num_features
        how = data.standardization or Standardization(np.zeros(width), np.ones(width))
        self._shift, self._scale = how.mean, how.scale
        self._rows: FloatArray = np.empty((max_rows, data.num_features), dtype)
        self._y = np.empty((max_rows, *self._labels.shape[1:]), self._labels.dtype)

    def read(self, rows: IntArray, step: int = 0) -> Rows:
        """The rows of these numbers, as they are in a step, and their labels; overwritten by the next call."""
        X, y = self._rows[: len(rows)], self._y[: len(rows)]
        np.take(self._labels, rows, axis=0, out=y, mode="clip")  # "raise" would copy; the order of batches is in range
        if kernels.available():
            self._read_by_kernel(rows, step, X)
        elif self._order is None:
            X[...], _ = self.data.batch(self.split, rows, X.dtype)
        else:
            draws = {"seed": self._order.seed, "step": step, "epoch": self._order.epoch(step)}
            X[...], _ = self.data.augmented_batch(rows, X.dtype, **draws)
        weighted = self.data.weights is not None and self.split == "train"
        return Rows(X, y, self.data.weights[rows] if weighted else None)  # type: ignore[index]

    def _read_by_kernel(self, rows: IntArray, step: int, X: FloatArray) -> None:
        order, how = self._order, self.data.augmentation
        if order is None or how is None:
            from thinnet.kernels.batch import standardized_rows

            standardized_rows(self._source, rows, self._shift, self._scale, X)
            return
        from thinnet.kernels.augmentation import augmented_rows

        keys = np.uint32(order.seed & 0xFFFFFFFF), np.uint32(order.seed >> 32)
        first, flips = self.data.own_rows("train").start, how.flips(step, order.epoch(step))
        moves = how.translate, how.padding_mode == "reflect", how.cutout
        augmented_rows(self._source, rows, first, keys, step, flips, moves, how.image, self._shift, self._scale, X)
