"""Training in passes over the rows, which scikit-learn calls iterations: the result of each, and when to stop."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from thinnet.data.batches import BatchOrder
from thinnet.data.mixup import MixedRows
from thinnet.schedules import Schedule
from thinnet.sklearn import members
from thinnet.sklearn.learning_rates import Adaptive, InverseScaling, schedule_for, stops_by_loss
from thinnet.sklearn.members import Update
from thinnet.sklearn.sample import Sample
from thinnet.sklearn.training_rows import TrainingRows
from thinnet.training.averaging import WeightAverage
from thinnet.training.loop import Factors, Loop
from thinnet.training.state import TrainingState
from thinnet.training.stopping import since_improvement
from thinnet.training.weights import KeptWeights
from thinnet.typing import IntArray

Validate = Callable[[], tuple[float, float]]  # the nets' score on the rows held out: to report, and to compare


def train(estimator: Any, rows: TrainingRows, order: BatchOrder, held_out: Sample | None, *, incremental: bool) -> bool:
    """Train an estimator's nets by its settings, in one pass for `partial_fit`, and store the results of passes in it.

    Only the validation score uses the rows held out. Returns whether the user interrupted training, which then ends at
    that moment.
    """
    how = estimator.settings_
    num_passes = 1 if incremental else how.max_iter
    schedule = _schedule(estimator, order.num_rows, incremental)
    source = _source(estimator, rows, order)
    update = members.update_of(estimator._nets, source, estimator._optimizers, order.largest, how.weight_decay)
    passes = Passes(estimator, update, order, schedule, num_passes, _validation(estimator, held_out), incremental)
    interrupted = False
    try:
        passes.run()
    except KeyboardInterrupt:
        interrupted = True
    passes.finish()
    if passes.by_loss and not held_out and not interrupted and passes.state.stop_reason is None:
        warnings.warn(
            f"max_iter={num_passes} iterations were made, and the training loss still falls by more than tol="
            f"{estimator.tol:g}. Raise max_iter, or use a schedule that ends: learning_rate='cosine'.",
            ConvergenceWarning,
            stacklevel=6,
        )
    return interrupted


def _source(estimator: Any, rows: TrainingRows, order: BatchOrder) -> TrainingRows | MixedRows:
    """What the rows of a minibatch are read from."""
    if not estimator.mixup:
        return rows
    num_classes = len(estimator.classes_) if rows.targets.dtype.kind in "iu" else None
    return MixedRows(rows, estimator.mixup, order.seed, order.largest, num_classes)


def _schedule(estimator: Any, num_rows: int, incremental: bool) -> Schedule:
    """The schedule; for partial_fit, where the number of passes is unknown, one that does not depend on it."""
    how = estimator.settings_
    name = how.learning_rate
    if incremental and name != "invscaling":
        name = "constant"
    by_rows = InverseScaling(estimator.power_t, num_rows, estimator.t_)
    return schedule_for(name, estimator.solver, how.learning_rate_init, by_rows)


def _validation(estimator: Any, held_out: Sample | None) -> Validate | None:
    """A function that scores the nets on the validation rows."""
    if held_out is None:
        return None
    weights, inputs, given = held_out.weights, estimator._inputs, held_out.X
    if not inputs.takes_much(given.shape[0]):  # then it is built once, not in each pass
        given, inputs = inputs.matrix(given), replace(inputs, encoder=None, is_table=False)
    targets = estimator._scaled(held_out.targets, weights, fresh=False)

    def validate() -> tuple[float, float]:
        scores = members.scores(estimator._nets, inputs, given, np.float32)
        told, compared = estimator._validation_score(scores, targets, weights)
        return told, compared

    return validate


class Passes:
    """Whole passes, each of which uses every row once; the estimator stores the result of each.

    The masks continue with the nets' own step count, and the order of the rows with the number of the pass, so that
    continued training does not repeat itself. The schedule covers `num_passes`.
    """

    def __init__(
        self,
        estimator: Any,
        update: Update,
        order: BatchOrder,
        schedule: Schedule,
        num_passes: int,
        validate: Validate | None,
        incremental: bool,
    ) -> None:
        nets, steps = estimator._nets, order.steps_per_epoch
        self.state = TrainingState(nets, steps, num_passes * steps, KeptWeights(nets, watched=False))
        self.by_loss = stops_by_loss(schedule) and not incremental
        self._estimator, self._update, self._order, self._schedule = estimator, update, order, schedule
        self._validate, self._before, self._total = validate, estimator._passes * steps, 0.0
        self._averages = [WeightAverage(net, estimator.ema_decay) for net in nets if estimator.ema_decay]
        self._scores: list[float] = []
        self._patient_from = 0  # the pass from which patience is counted
        if not incremental:
            estimator.n_iter_ = 0

    def run(self) -> None:
        """Run the passes."""
        schedules = {"learning_rate": self._factor}
        loop = Loop(self.state, self._step, lambda step: self._order.rows(self._before + step), schedules)
        loop.run(loop.step, self._after_step)

    def _factor(self, step: int, *, steps_per_epoch: int, total_steps: int) -> float:
        """The schedule's; a single pass counts one step more, or its last rows would be wasted at a rate of 0."""
        alone = total_steps == steps_per_epoch
        return self._schedule(step, steps_per_epoch=steps_per_epoch, total_steps=total_steps + alone)

    def finish(self) -> None:
        """Give the nets the averages of their weights, or the best ones, if these were kept."""
        for average in self._averages:
            average.finish()
        self.state.weights.restore_best()

    def _step(self, rows: IntArray, factors: Factors, step: int) -> float:
        loss = self._update(rows, factors, self._before + step)
        for average in self._averages:
            average.update()
        self._total += len(rows) * loss
        return loss

    def _after_step(self, loss: float) -> None:
        if self.state.at_epoch_end:
            self._record(self._total / self._order.num_rows)
            self._total = 0.0

    def _record(self, loss: float) -> None:
        """Store the results of a pass with this loss, and stop training if it is time."""
        to = self._estimator
        to.t_ += self._order.num_rows
        to._passes += 1
        report = count_iteration(to, loss)
        with ExitStack() as shown:
            for average in self._averages:
                shown.enter_context(average.shown())
            score, compared = (-loss, -loss) if self._validate is None else self._validate()
            self._take_in(compared)
        if self._validate is None:
            to.best_loss_ = loss if to.best_loss_ is None else min(to.best_loss_, loss)
        else:
            to.validation_scores_ = [*(to.validation_scores_ or []), score]
            to.best_validation_score_ = max(to.validation_scores_)
            report += f", validation score: {score:f}"
        if to.verbose:
            print(report)

    def _take_in(self, score: float) -> None:
        """Stop by scikit-learn's rule, or lower an adaptive rate; keep the weights that score best on held-out rows."""
        validates, patience = self._validate is not None, self._estimator.n_iter_no_change
        self._scores.append(score)
        if validates and not np.isnan(score):
            self.state.weights.offer(score)
        since = min(since_improvement(self._scores, self._estimator.tol), len(self._scores) - self._patient_from)
        if since < patience or not (self.by_loss or validates):
            return
        if isinstance(self._schedule, Adaptive) and self._schedule.lower():
            self._patient_from = len(self._scores)
        else:
            self.state.stop(f"no improvement for {patience} passes")


def count_iteration(estimator: Any, loss: float) -> str:
    """Count an iteration with this loss; return a line to report it."""
    estimator.loss_ = loss
    estimator.n_iter_ += 1
    estimator.loss_curve_.append(loss)
    return f"Iteration {estimator.n_iter_}, loss = {loss:.8f}"
