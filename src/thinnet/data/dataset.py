"""Dataset: the arrays of a data set, its splits, and the standardization of its rows."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from thinnet.arguments import Known, knows_arguments
from thinnet.arrays import cast
from thinnet.checks import check_choice, check_number, shortened
from thinnet.data import checking
from thinnet.data.augmentation import Augmentation, checked_augmentation
from thinnet.data.fields import ARRAYS, SPLITS, checked_fields
from thinnet.data.moments import standardized
from thinnet.data.row_numbers import checked_index, checked_row_numbers
from thinnet.data.shares import Gather, Share, alone, checked_gather, digest, digest_alone, shift_and_scale
from thinnet.errors import ArgumentError, DataError
from thinnet.standardization import Standardization
from thinnet.targets import as_values
from thinnet.typing import AnyArray, FloatArray, IntArray

STANDARDIZATIONS = ("none", "mean", "feature", "global")
ROWS_AT_ONCE = 4096  # rows converted to floats at a time when a whole split is read


@knows_arguments
@dataclass(frozen=True, eq=False)
class Dataset(Known):
    r"""Training, validation and test arrays, stored compactly and converted to floats one minibatch at a time.

    The net gets a row as ``(row - shift) * scale``; `standardized` computes the two from the training rows.

    Args:
        X_train: (N, D) or (N, ...) array of real numbers of any dtype, stored as the narrowest of uint8, float32 and
            float64 that holds its dtype; axes after the first are flattened.
        y_train: (N,) labels: whole numbers from 0, of any dtype, or text, which is stored as numbers in the order of
            `class_names`, or else in alphabetical order; nets trained on it predict the text.
            For regression (N,) or (N, C) numbers; (N,) become (N, 1).
        X_val, y_val, X_test, y_test: the same for the other splits; leave out those that you do not have.
        name: the name of the data set in reports.
        class_names: one name per class, in the order of the labels; by default the texts if labels are text.
        image_shape: the shape of a row before it was flattened, such as ``(3, 32, 32)``; by default X_train's.
        shift, scale: numbers, or (D,) arrays; rows are always shifted and scaled in float64, then cast.
        weights: (N,) numbers >= 0, the weight of each training row in the loss; None for all ones.
        share: which rows of a larger data set these are, if several processes share it; see `shared`.
        augmentation: how training rows are augmented in minibatches; see `augmented`.

    Attributes:
        text_labels: whether labels were given as text; if so, `y_train` and the others hold their numbers.

    Raises:
        DataError: if arrays do not fit together, contain NaN or infinity, or are not real numbers.

    >>> data = Dataset(np.array([[0, 10], [4, 30]], np.uint8), np.array([0, 1]))
    >>> X, y = data.standardized("mean").batch("train", [1])
    >>> X
    array([[ 2., 10.]], dtype=float32)
    """

    _instead: ClassVar[dict[str, str]] = checking.INSTEAD

    X_train: AnyArray
    y_train: AnyArray
    X_val: AnyArray | None = None
    y_val: AnyArray | None = None
    X_test: AnyArray | None = None
    y_test: AnyArray | None = None
    name: str = "data"
    class_names: tuple[str, ...] = ()
    image_shape: tuple[int, ...] | None = None
    shift: FloatArray = field(default_factory=lambda: np.zeros((), np.float32))
    scale: FloatArray = field(default_factory=lambda: np.ones((), np.float32))
    weights: AnyArray | None = None
    share: Share | None = None
    augmentation: Augmentation | None = None
    text_labels: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        vars(self).update(checked_fields(self))  # the dataclass is frozen, so attributes cannot be set

    def __repr__(self) -> str:
        sizes = ", ".join(f"{split} {self.num_rows(split)}" for split in SPLITS)
        labels = f"; labels {shortened(self.class_names)}" if self.text_labels else ""
        return f"<Dataset {self.name}: {sizes}; {self.num_features} features of {self.X_train.dtype}{labels}>"

    @property
    def num_features(self) -> int:
        """D, the number of columns."""
        return int(self.X_train.shape[1])

    @property
    def num_classes(self) -> int:
        """The number of classes: that of the names if there are any, else one more than the largest label of any split.

        For regression, the number of targets.
        """
        if self.y_train.ndim == 2:
            return int(self.y_train.shape[1])
        if self.share is not None:
            return self.share.num_classes
        labels = [y for y in (self.y_train, self.y_val, self.y_test) if y is not None]
        return len(self.class_names) or max(int(y.max(initial=-1)) for y in labels) + 1

    def num_rows(self, split: str) -> int:
        """The number of rows of a split; 0 if it is absent."""
        X = getattr(self, f"X_{check_choice('split', split, SPLITS)}")
        return 0 if X is None else int(X.shape[0])

    def total_rows(self, split: str) -> int:
        """The number of rows of a split on all processes together; `num_rows` if the data set is not shared."""
        return self.num_rows(split) if self.share is None else self.share.totals[check_choice("split", split, SPLITS)]

    def held(self, split: str, rows: IntArray | list[int]) -> tuple[IntArray, IntArray]:
        """Which of these rows of a split, numbered across all processes, are on this one: positions in `rows`, and
        local row numbers."""
        numbers, own = checked_row_numbers(rows, self.total_rows(split)), self.own_rows(split)
        positions = np.flatnonzero((numbers >= own.start) & (numbers < own.stop))
        return positions, numbers[positions] - own.start

    def labels(self, split: str) -> AnyArray:
        """The labels or targets of a split.

        Raises:
            DataError: if the data set has no such split.
        """
        if not self.num_rows(split):
            raise DataError(
                f"split must be one that {self.name} has, got {split!r}, which is empty. Give X_{split} and y_{split}."
            )
        y: AnyArray = getattr(self, f"y_{split}")
        return y

    def batch(
        self, split: str, rows: IntArray | slice | list[int] | None = None, dtype: Any = np.float32
    ) -> tuple[FloatArray, AnyArray]:
        """The standardized rows and the labels at the indices `rows` (all of them by default), as new arrays.

        Args:
            split: ``"train"``, ``"val"`` or ``"test"``.
            rows: row numbers, negative ones counted from the end; a slice; or a boolean mask.
            dtype: the dtype of the returned rows.

        Returns:
            X (N, D) of `dtype`, and y (N,) or (N, C) as it is stored.

        Raises:
            ArgumentError: if there are no such rows, or the dtype is not a float type.
            DataError: if the data set has no such split, or a number in its rows is too large for `dtype`.
        """
        y = self.labels(split)
        index = checked_index(rows, len(y))
        X: AnyArray = getattr(self, f"X_{split}")[index]
        return self._shifted(f"X_{split}", X, checking.checked_floats(dtype)), y[index]

    def augmented_batch(
        self, rows: IntArray, dtype: Any = np.float32, *, seed: int, step: int, epoch: int
    ) -> tuple[FloatArray, AnyArray]:
        """Like `batch` for training rows, but augmented as in the minibatch of this seed, step and epoch."""
        X, y = self.batch("train", rows, dtype)
        if not self.augmentation:
            return X, y
        first = self.own_rows("train").start
        numbers = checked_row_numbers(rows, self.num_rows("train"))
        origins = self.augmentation.origins(numbers + first, seed=seed, step=step, epoch=epoch)
        return np.where(origins < 0, X.dtype.type(0), np.take_along_axis(X, origins, axis=1)), y

    def _shifted(self, name: str, X: AnyArray, dtype: Any) -> FloatArray:
        """The rows of X shifted and scaled, as a new array."""
        if (standardization := self.standardization) is not None:
            return standardized(X, standardization, dtype, name, DataError)
        rows = cast(name, X, dtype, DataError)
        return rows.copy() if rows is X else rows

    def check_range(self, dtype: Any) -> None:
        """Check that all rows, once standardized, fit in `dtype`; each column's minimum and maximum are enough to know.

        Raises:
            DataError: if they do not; it names the column.
        """
        for split in SPLITS:
            X = getattr(self, f"X_{split}")
            if X is not None and len(X) and X.dtype.kind == "f":
                self._shifted(f"X_{split}", np.stack([X.min(axis=0), X.max(axis=0)]), dtype)

    def with_values(self) -> Dataset:
        """The same data set with its (N,) labels as (N, 1) values, for losses on values."""
        targets = {f"y_{split}": as_values(self.labels(split)) for split in SPLITS if self.num_rows(split)}
        return self._with(**targets)

    def standardized(self, method: str = "feature", *, gather: Gather = alone) -> Dataset:
        r"""The same data set with `shift` and `scale` computed from its training rows.

        Args:
            method: ``"mean"`` subtracts the mean of each feature, as the courses do; ``"feature"`` also divides
                by the feature's standard deviation (features that are constant up to the last digit are only
                shifted); ``"global"`` uses one mean and one standard deviation for all features; ``"none"`` leaves
                rows unchanged.
            gather: for a data set shared between processes, all of which must call this: a function that gives each a
                list of all processes' values in rank order, such as the ``allgather`` of an mpi4py communicator.

        Raises:
            ArgumentError: if the method is unknown, or `gather` does not belong to the processes that share the data.
            DataError: if there are no training rows, or a column's range or standard deviation is beyond float64;
                large and tiny values alone are fine.
        """
        check_choice("method", method, STANDARDIZATIONS)
        gather = checked_gather(gather, self.share)
        if method == "none":
            return self._with(shift=np.zeros(()), scale=np.ones(()))
        if not (total := self.total_rows("train")):
            raise DataError("X_train must have at least one row to standardize with, got none.")
        shift, scale = shift_and_scale(method, self.X_train, self.own_rows("train"), total, gather)
        return self._with(shift=shift, scale=scale)

    def augmented(
        self,
        *,
        flip: str = "none",
        translate: int = 0,
        padding_mode: str = "zeros",
        cutout: int = 0,
        image_shape: tuple[int, ...] | None = None,
    ) -> Dataset:
        """The same data set, with training images augmented differently in each training step.

        Rows are augmented only in training minibatches, not in evaluation and not in other splits. For details and
        sources see `thinnet.data.augmentation`.

        Args:
            flip, translate, padding_mode, cutout: as for `thinnet.data.augmentation.Augmentation`.
            image_shape: (channels, height, width), or (height, width); by default the data set's own.

        Raises:
            ArgumentError: if an argument is outside its limits, or the image shape is unknown.

        >>> data = Dataset(np.arange(6, dtype=np.uint8).reshape(1, 2, 3), np.array([0])).augmented(flip="alternating")
        >>> [data.augmented_batch([0], seed=1, step=0, epoch=epoch)[0].astype(int).tolist() for epoch in (0, 1)]
        [[[0, 1, 2, 3, 4, 5]], [[2, 1, 0, 5, 4, 3]]]
        """
        image_shape = self.image_shape if image_shape is None else image_shape
        augmentation = Augmentation(flip, translate, padding_mode, cutout, image_shape)
        return self._with(augmentation=checked_augmentation(augmentation, self.num_features))

    @property
    def standardization(self) -> Standardization | None:
        """The standardization of raw rows, for nets that should do it themselves; None if rows stay unchanged.

        See `thinnet.FullyConnectedNet.save`.
        """
        shift, scale = (np.broadcast_to(value, self.num_features).astype(float) for value in (self.shift, self.scale))
        return Standardization(shift, scale) if shift.any() or (scale != 1).any() else None

    def fingerprint(self, *, gather: Gather = alone) -> dict[str, str]:
        """A SHA-256 of each array, with dtype and shape, and the augmentation; equal for equal data, shared or not.

        Args:
            gather: as for `standardized`.
        """
        gather = checked_gather(gather, self.share)
        hashes = {name: digest_alone(np.asarray(getattr(self, name))) for name in ("shift", "scale")}
        for name, split in {"weights": "train", **ARRAYS}.items():
            array = getattr(self, name)
            if array is not None:
                hashes[name] = digest(array, self.own_rows(split), self.total_rows(split), gather)
        return hashes | ({"augmentation": repr(self.augmentation)} if self.augmentation else {})

    def shared(self, rank: int, size: int) -> Dataset:
        """The share of one of `size` processes: a copy of about 1 / `size` of the rows of each split.

        Args:
            rank: the number of the process, counted from 0.
            size: the number of processes.

        Raises:
            ArgumentError: if `rank` is not below `size`, or this is already a share.

        >>> data = Dataset(np.arange(10, dtype=np.uint8).reshape(10, 1), np.arange(10))
        >>> [data.shared(rank, 3).y_train.tolist() for rank in range(3)]
        [[0, 1, 2], [3, 4, 5], [6, 7, 8, 9]]
        """
        self._check_not_shared("shared")
        if not check_number("rank", rank, "num_units") < check_number("size", size, "batch_size"):
            raise ArgumentError(f"rank must be from 0 to {size - 1}, below size, got {rank}. Count processes from 0.")
        share = Share(rank, size, {split: self.num_rows(split) for split in SPLITS}, self.num_classes)
        arrays = {name: (getattr(self, name), split) for name, split in {"weights": "train", **ARRAYS}.items()}
        own = {name: array[share.rows(split)].copy() for name, (array, split) in arrays.items() if array is not None}
        return self._with(share=share, **own)

    def part_of(self, share: Share) -> Dataset:
        """The same rows, marked as the share of one process."""
        return self._with(share=share)

    def own_rows(self, split: str) -> slice:
        """The rows of a split on this process, as numbers across all processes."""
        here = slice(0, self.num_rows(split))
        return here if self.share is None else self.share.rows(split)

    def _check_not_shared(self, what: str) -> None:
        if self.share is not None:
            raise ArgumentError(f"{what} must be called on a whole data set, got a share of one. Share it afterwards.")

    def first(self, num_train: int) -> Dataset:
        """The same data set with only its first `num_train` training rows and the same standardization.

        Raises:
            ArgumentError: if there are fewer.
        """
        return self._with_rows("first", num_train)

    def drawn(self, num_train: int, seed: int) -> Dataset:
        """The same data set with `num_train` training rows drawn without replacement, and the same standardization.

        Raises:
            ArgumentError: if there are fewer, or the seed is outside its limits.

        >>> data = Dataset(np.arange(10, dtype=np.uint8).reshape(10, 1), np.arange(10))
        >>> sorted(data.drawn(10, seed=1).y_train.tolist()) == list(range(10))
        True
        >>> data.drawn(3, seed=1).y_train.tolist() == data.drawn(3, seed=2).y_train.tolist()
        False
        """
        order = np.random.default_rng(check_number("seed", seed)).permutation(self.num_rows("train"))
        return self._with_rows("drawn", num_train, order)

    def _with_rows(self, what: str, num_train: int, order: IntArray | None = None) -> Dataset:
        """The same data set with the first training rows, in a given order, and their weights."""
        self._check_not_shared(what)
        check_number("num_train", num_train)
        if num_train > self.num_rows("train"):
            raise ArgumentError(
                f"num_train must be at most {self.num_rows('train')}, the number of training rows, got {num_train}. "
                f"Ask for fewer."
            )
        rows = slice(num_train) if order is None else order[:num_train]
        weights = None if self.weights is None else self.weights[rows]
        return self._with(X_train=self.X_train[rows], y_train=self.y_train[rows], weights=weights)

    def _with(self, **changes: Any) -> Dataset:
        """A copy with some fields changed, without checks: they come from arrays that were checked."""
        other = copy.copy(self)
        vars(other).update(changes)
        return other

    @classmethod
    def from_splits(cls, *splits: tuple[AnyArray, AnyArray], **about: Any) -> Dataset:
        """A data set from one to three pairs of rows and labels, for training, validation and testing.

        A pair is an (N, D) or (N, ...) array and an (N,) or (N, C) one, as `Dataset` takes them; an empty validation or
        test pair is ignored. `about` are other arguments of `Dataset`. DataError if pairs are invalid or do not match.

        >>> Dataset.from_splits((np.eye(3), [0, 1, 2]), (np.ones((1, 3)), [2]), name="corners")
        <Dataset corners: train 3, val 1, test 0; 3 features of float64>
        """
        checking.check_pairs(splits)
        held_out: Any = [part if len(pair[0]) else None for pair in splits[1:] for part in pair]
        return cls(*splits[0], *held_out, **about)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], name: str = "data", class_names: tuple[str, ...] = ()) -> Dataset:
        """A data set from the courses' dict with keys ``X_train``, ``y_train``, ``X_val`` and so on.

        Raises:
            DataError: if it is not such a dict, a key looks misspelled, or the arrays do not fit together.
        """
        checking.check_keys(data, list(ARRAYS))
        given = {key: data[key] for key in ARRAYS if key in data}
        return cls(**given, name=name, class_names=class_names)
