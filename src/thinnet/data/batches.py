"""The order of minibatches: which training rows each step sees, as a pure function of (seed, step)."""

from __future__ import annotations

from typing import Literal

import numpy as np

from thinnet.checks import check_choice, check_number
from thinnet.typing import IntArray

Sampling = Literal["epoch", "replacement"]
SAMPLINGS = ("epoch", "replacement")
ORDER_STREAM = 0  # keeps the order of the batches apart from whatever else is drawn from the same seed


class BatchOrder:
    """Which rows the minibatch of each step consists of.

    Args:
        num_rows: N, how many training rows there are.
        batch_size: rows in a minibatch; all rows where there are fewer.
        seed: fixes the order.
        sampling: ``"epoch"`` shuffles all rows anew for each epoch and deals them out (the N mod batch_size rows
            left over sit out that epoch); ``"replacement"`` draws each row of each batch afresh, as the courses do.

    Raises:
        ArgumentError: if an argument is outside its limits.

    >>> order = BatchOrder(6, batch_size=3, seed=0)
    >>> sorted(int(row) for step in (0, 1) for row in order.rows(step))
    [0, 1, 2, 3, 4, 5]
    """

    def __init__(self, num_rows: int, batch_size: int, seed: int, sampling: Sampling = "epoch") -> None:
        self.num_rows = num_rows
        self.batch_size: int = min(check_number("batch_size", batch_size), num_rows)
        self.seed = check_number("seed", seed)
        self.sampling = check_choice("sampling", sampling, SAMPLINGS)
        self._epoch = -1
        self._shuffled: IntArray = np.empty(0, np.int64)

    @property
    def steps_per_epoch(self) -> int:
        """How many whole minibatches the rows give."""
        return self.num_rows // self.batch_size

    def rows(self, step: int) -> IntArray:
        """The row numbers of the minibatch of `step`: (batch_size,) array of int64."""
        if self.sampling == "replacement":
            return self._generator(step).integers(self.num_rows, size=self.batch_size)
        epoch, position = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch = epoch
            self._shuffled = self._generator(epoch).permutation(self.num_rows)
        return self._shuffled[position * self.batch_size : (position + 1) * self.batch_size].copy()

    def _generator(self, number: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(ORDER_STREAM, number)))
