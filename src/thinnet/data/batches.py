"""The order of minibatches: which training rows each step sees, as a pure function of (seed, step)."""

from __future__ import annotations  # NumPy loads its random numbers when they are named

from typing import Literal

import numpy as np

from thinnet.checks import check_choice, check_number
from thinnet.typing import IntArray

Sampling = Literal["epoch", "replacement"]
SAMPLINGS = ("epoch", "replacement")
ORDER_STREAM = 0  # keeps the order of the batches apart from whatever else is drawn from the same seed


class BatchOrder:
    """Which rows the minibatch of each step consists of.

    A pass over the rows, an epoch, is ⌈N / batch_size⌉ minibatches, in which every row comes exactly once. Their sizes
    differ by one row at most, the larger ones first: 199 rows by 100 are 100 and 99, and 101 rows are 51 and 50.

    Args:
        num_rows: N, how many training rows there are.
        batch_size: the most rows in a minibatch; all rows where there are fewer.
        seed: fixes the order.
        sampling: ``"epoch"`` shuffles all rows anew for each epoch and deals them out; ``"replacement"`` draws each row
            of each batch afresh, as the courses do, and an epoch is ⌊N / batch_size⌋ batches of exactly batch_size
            rows, whichever these are.
        fewest: the fewest rows of which a minibatch makes sense, 2 with batch normalization. It matters where
            batch_size is 2 and N odd: one minibatch of 3 rows then takes the place of one of 2 and one of 1.

    Attributes:
        largest, smallest: the most and the fewest rows that any minibatch has.

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
        """The row numbers of the minibatch of `step`: an array of int64, of `smallest` to `largest` elements.

        ArgumentError if `step` is no whole number from 0 on.
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
        """The pass over the rows to which the minibatch of `step` belongs, counted from 0."""
        _check_step(step)
        return step // self.steps_per_epoch

    def _generator(self, number: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(ORDER_STREAM, number)))


def _check_step(step: int) -> None:
    if type(step) is not int or step < 0:  # in a third of the time that all of the check takes, in every step
        check_number("step", step)
