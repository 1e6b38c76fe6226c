"""The passes over a training set, each one what scikit-learn calls an iteration."""

from __future__ import annotations

import math

from thinnet.data.batches import BatchOrder
from thinnet.nets import FullyConnectedNet
from thinnet.optim import FlatOptimizer
from thinnet.schedules import Schedule
from thinnet.sklearn.rows import Reader
from thinnet.training.updates import BatchUpdate
from thinnet.typing import AnyArray, FloatArray


class Passes:
    """Trains a net by whole passes over rows that a reader gives.

    The masks go on with the net's own count of steps, and the order of the rows with the number of the pass, so that
    training that is taken up again does not repeat itself.

    Args:
        net, optimizer: what is changed.
        read: gives the standardized rows of a minibatch.
        y: the targets of all rows.
        weights: (N,) how often each row counts, or None for once.
        order: which rows each minibatch has.
        learning_rate: what the schedule's factor multiplies.
        schedule: laid out over `num_passes`.
        first_pass: how many passes the net has seen before.
    """

    def __init__(
        self,
        net: FullyConnectedNet,
        optimizer: FlatOptimizer,
        read: Reader,
        y: AnyArray,
        weights: FloatArray | None,
        order: BatchOrder,
        *,
        learning_rate: float,
        schedule: Schedule,
        num_passes: int,
        first_pass: int,
    ) -> None:
        self.order = order
        self.read, self.y = read, y
        self.weights = None if weights is None else weights.astype(net.dtype)
        self.learning_rate, self.schedule, self.num_passes = learning_rate, schedule, num_passes
        self.first_pass = first_pass
        self._update = BatchUpdate(net, optimizer)
        self._step = 0

    def run(self) -> float:
        """One pass; returns the mean of its minibatches' losses.

        Raises:
            NumericalError: if the loss or a gradient is not finite; the net is then as it was before that step.
        """
        steps = self.order.steps_per_epoch
        return math.fsum(self._train_on_next() for _ in range(steps)) / steps

    def _train_on_next(self) -> float:
        steps = self.order.steps_per_epoch
        rows = self.order.rows(self.first_pass * steps + self._step)
        weights = None if self.weights is None else self.weights[rows]
        factor = self.schedule(self._step, steps_per_epoch=steps, total_steps=steps * self.num_passes)
        loss = self._update(self.read(rows), self.y[rows], weights, self.learning_rate * factor)
        self._step += 1
        return loss
