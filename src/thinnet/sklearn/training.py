"""Passes over the rows of an estimator, which scikit-learn calls iterations: what each comes to, and when to stop."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from thinnet.data.batches import BatchOrder
from thinnet.data.rows import Rows
from thinnet.schedules import Schedule
from thinnet.sklearn.rows import Reader
from thinnet.sklearn.sample import Sample
from thinnet.training.loop import Loop
from thinnet.training.net_update import NetUpdate
from thinnet.training.state import TrainingState
from thinnet.training.stopping import since_improvement
from thinnet.training.weights import KeptWeights
from thinnet.typing import IntArray


class SampleRows:
    """The standardized rows of a sample, by their numbers."""

    def __init__(self, read: Reader, sample: Sample) -> None:
        self._read, self._sample = read, sample

    def read(self, rows: IntArray) -> Rows:
        """Rows with their targets and weights."""
        weights = self._sample.weights
        return Rows(self._read(rows), self._sample.targets[rows], None if weights is None else weights[rows])


class Passes:
    """Whole passes, in each of which every row comes once.

    The masks go on with the net's own count of steps, and the order of the rows with the number of the pass, so that
    training that is taken up again does not repeat itself.

    Args:
        update: changes the net by one minibatch.
        order: which rows each minibatch has.
        schedule: laid out over `num_passes`.
        num_passes: how many there are at most.
        first_pass: how many passes the net has seen before.
    """

    def __init__(
        self, update: NetUpdate, order: BatchOrder, schedule: Schedule, num_passes: int, first_pass: int
    ) -> None:
        steps, before = order.steps_per_epoch, first_pass * order.steps_per_epoch
        weights = KeptWeights(update.net, watched=False)
        self.state = TrainingState(update.net, steps, num_passes * steps, weights)
        self._update, self._num_rows, self._total = update, order.num_rows, 0.0
        self._loop = Loop(self.state, self._step, lambda step: order.rows(before + step), schedule)
        self._scores: list[float] = []

    def _step(self, rows: IntArray, factor: float) -> float:
        loss = self._update(rows, factor)
        self._total += len(rows) * loss
        return loss

    def run(self, record: Callable[[float], None]) -> None:
        """Make the passes, calling `record` with the mean loss of the rows after each; end with the best weights."""

        def after_step(loss: float) -> None:
            if self.state.at_epoch_end:
                record(self._total / self._num_rows)
                self._total = 0.0

        self._loop.run(self._loop.step, after_step)

    def score(self, score: float, *, tol: float, patience: int | None, keep: bool) -> None:
        """Take the score of a pass in: stop by scikit-learn's rule, and keep the weights if it is the best.

        Args:
            score: higher is better.
            tol: the least improvement that counts.
            patience: passes without one, after which training stops; None for never.
            keep: whether to end with the weights that scored best.
        """
        self._scores.append(score)
        if keep and not np.isnan(score):
            self.state.weights.offer(score)
        if patience is not None and since_improvement(self._scores, tol) >= patience:
            self.state.stop(f"no improvement for {patience} passes")
