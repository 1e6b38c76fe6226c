"""RowReader: minibatches of a split, standardized into a reusable buffer."""

from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np

from thinnet import kernels
from thinnet.data.batches import BatchOrder
from thinnet.data.dataset import Dataset
from thinnet.data.row_numbers import checked_index
from thinnet.errors import ArgumentError
from thinnet.standardization import Standardization
from thinnet.teams import ONE_THREAD, Team, parts_for, scratch, share_out
from thinnet.typing import AnyArray, FloatArray, IntArray


class Rows(NamedTuple):
    """Rows as a net takes them, with their labels and weights; None for weights of one."""

    X: Any
    y: AnyArray
    weights: AnyArray | None = None


class RowReader:
    """Reads rows of one split into its own buffer: a fast `Dataset.batch`.

    Args:
        data: the data set.
        split: ``"train"``, ``"val"`` or ``"test"``.
        max_rows: the most rows to read at once.
        dtype: the dtype of the rows read.
        order: the order of the minibatches, when reading them for training, with augmentation if the data set has it;
            None to read rows without augmentation.
        team: the threads that may share the work.

    Raises:
        DataError: if the data set has no such split.

    >>> data = Dataset(np.array([[0, 10], [4, 30]], np.uint8), np.array([0, 1])).standardized("mean")
    >>> RowReader(data, "train", max_rows=1).read(np.array([1]))[0]
    array([[ 2., 10.]], dtype=float32)
    """

    def __init__(
        self,
        data: Dataset,
        split: str,
        max_rows: int,
        dtype: Any = np.float32,
        order: BatchOrder | None = None,
        team: Team = ONE_THREAD,
    ) -> None:
        self.data, self.split, self.team = data, split, team
        self._order = order if split == "train" and data.augmentation else None
        self._labels = data.labels(split)
        self._source: AnyArray = getattr(data, f"X_{split}")
        self.num_features = width = data.num_features
        how = data.standardization or Standardization(np.zeros(width), np.ones(width))
        self._standardization = how.mean, how.scale
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._X: FloatArray = np.empty((max_rows, width), self.dtype)

    def read(self, rows: IntArray, step: int = 0) -> Rows:
        """The rows with these numbers, as they are in this step, overwritten by the next call; and their labels.

        ArgumentError if there are no such rows, or more than `max_rows` are requested.
        """
        if len(rows) > len(self._X):
            raise ArgumentError(f"rows must be at most {len(self._X)} (max_rows), got {len(rows)}. Ask for fewer.")
        X = self._X[: len(rows)]
        try:
            y = self._labels.take(rows, 0)  # checks the row numbers, which the kernel does not
        except (IndexError, TypeError):
            checked_index(rows, len(self._labels))  # raises a clearer error
            raise
        if kernels.available():
            self._read_by_kernel(rows, step, X)
        else:
            X[...] = self._read_readably(rows, step)
        weighted = self.data.weights is not None and self.split == "train"
        weights = self.data.weights[rows] if weighted else None  # type: ignore[index]
        return Rows(X, y, weights)

    def _read_readably(self, rows: IntArray, step: int) -> FloatArray:
        if self._order is None:
            return self.data.batch(self.split, rows, self.dtype)[0]
        draws = {"seed": self._order.seed, "step": step, "epoch": self._order.epoch(step)}
        return self.data.augmented_batch(rows, self.dtype, **draws)[0]

    def _read_by_kernel(self, rows: IntArray, step: int, out: FloatArray) -> None:
        order, how, width = self._order, self.data.augmentation, self.num_features
        parts = parts_for(self.team, len(rows) * width)
        if order is None or how is None:
            self.team.run(_compiled().standardized_rows, parts, self._source, rows, *self._standardization, out)
            return
        from thinnet.kernels.augmentation import augmented_rows

        keys = np.uint32(order.seed & 0xFFFFFFFF), np.uint32(order.seed >> 32)
        moves = how.translate, how.padding_mode == "reflect", how.cutout
        draws = self.data.own_rows("train").start, keys, step, how.flips(step, order.epoch(step)), moves, how.image
        room = scratch(parts, self._source.dtype, width), scratch(parts, self.dtype, width)
        standardizations = self._standardization, self._mirrored
        self.team.run(augmented_rows, parts, self._source, rows, draws, *standardizations, out, room)

    @cached_property
    def _mirrored(self) -> tuple[FloatArray, FloatArray]:
        """The standardization of a mirror image."""
        shape = -1, self.data.augmentation.image[-1]  # type: ignore[union-attr]  # only where there is one
        shift, scale = (np.ascontiguousarray(x.reshape(shape)[:, ::-1]).ravel() for x in self._standardization)
        return shift, scale


def inplace_mix(X: FloatArray, partners: IntArray, share: Any, out: FloatArray, team: Team = ONE_THREAD) -> None:
    """out = share · X + (1 − share) · X[partners]."""
    other_share = type(share)(1 - share)  # a float64 in NumPy 1, which would make the kernel use float64
    if not kernels.available():
        out[...] = share * X + other_share * X[partners]
    else:
        share_out(team, X.size, _compiled().mixed_rows, X, partners, share, other_share, out)


@cache  # in each step, an import statement would take longer than reading a small minibatch
def _compiled() -> Any:
    """The kernels that read rows; they need Numba."""
    from thinnet.kernels import batch

    return batch
