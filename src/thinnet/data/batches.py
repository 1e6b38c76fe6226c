"""The order of minibatches: which training rows each step sees, as a pure function of (seed, step)."""

from __future__ import annotations  # evaluating annotations would make NumPy import its random module

from typing import Literal

import numpy as np

from thinnet.checks import check_choice, check_number
from thinnet.typing import IntArray

Sampling = Literal["epoch", "replacement"]
SAMPLINGS = ("epoch", "replacement")
ORDER_STREAM = 0  # keeps the batch order independent of other draws from the same seed


class BatchOrder:
    """Which rows are in the minibatch of each step.

    An epoch is ⌈N / batch_size⌉ minibatches that contain every row exactly once. Their sizes differ by at most one row,
    larger ones first: with batch size 100, 199 rows are split into 100 and 99, and 101 rows into 51 and 50.

    Args:
        num_rows: N, the number of training rows.
        batch_size: the most rows in a minibatch; all rows if there are fewer.
        seed: fixes the order.
        sampling: ``"epoch"`` shuffles all rows for each epoch and splits them into minibatches; ``"replacement"`` draws
            each row of each batch independently, with replacement, as the courses do; an epoch is then
            ⌊N / batch_size⌋ batches of exactly batch_size rows.
        fewest: the fewest rows that a minibatch may have, 2 with batch normalization. It matters if batch_size is 2 and
            N is odd: one minibatch of 3 rows then replaces one of 2 and one of 1.
        shuffle: if False, every epoch has the rows in their given order.

    Attributes:
        largest, smallest: the sizes of the largest and the smallest minibatch.

    Raises:
        ArgumentError: if an argument is outside its limits.

    >>> order = BatchOrder(7, batch_size=3, seed=0)
    >>> [len(order.rows(step)) for step in range(order.steps_per_epoch)]
    [3, 2, 2]
    >>> sorted(int(row) for step in range(3) for row in order.rows(step))
    [0, 1, 2, 3, 4, 5, 6]
    """

    def __init__(
        self,
        num_rows: int,
        batch_size: int,
        seed: int,
        sampling: Sampling = "epoch",
        *,
        fewest: int = 1,
        shuffle: bool = True,
    ) -> None:
        self.num_rows, self.shuffle = check_number("num_rows", num_rows, "num_train"), shuffle
        self.batch_size: int = min(check_number("batch_size", batch_size), self.num_rows)
        self.seed = check_number("seed", seed)
        self.sampling = check_choice("sampling", sampling, SAMPLINGS)
        whole, left_over = divmod(num_rows, self.batch_size)
        with_rest = left_over and num_rows // (whole + 1) >= min(fewest, self.batch_size)
        self.steps_per_epoch: int = whole + 1 if with_rest and sampling == "epoch" else whole
        self.largest = self.smallest = self.batch_size
        if sampling == "epoch":
            self.smallest = num_rows // self.steps_per_epoch
            self.largest = -(-num_rows // self.steps_per_epoch)
        self._epoch = -1
        self._batches: list[IntArray] = []

    def rows(self, step: int) -> IntArray:
        """The row numbers of the minibatch of `step`: an int64 array with `smallest` to `largest` elements.

        ArgumentError if `step` is not a whole number of at least 0.
        """
        _check_step(step)
        if self.sampling == "replacement":
            return self._generator(step).integers(self.num_rows, size=self.batch_size)
        epoch, position = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch = epoch
            order = self._generator(epoch).permutation(self.num_rows) if self.shuffle else np.arange(self.num_rows)
            self._batches = np.array_split(order, self.steps_per_epoch)
        return self._batches[position].copy()

    def epoch(self, step: int) -> int:
        """The epoch that the minibatch of `step` belongs to, counted from 0."""
        _check_step(step)
        return step // self.steps_per_epoch

    def _generator(self, number: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(ORDER_STREAM, number)))


def _check_step(step: int) -> None:
    if type(step) is not int or step < 0:  # called in every step, and three times as fast as check_number
        check_number("step", step)
