"""Training by passes over the rows, which scikit-learn calls iterations: what each comes to, and when to stop."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from thinnet.data.batches import BatchOrder
from thinnet.data.mixup import MixedRows
from thinnet.data.rows import Rows
from thinnet.nets import FullyConnectedNet
from thinnet.schedules import Schedule
from thinnet.sklearn import members, rows
from thinnet.sklearn.learning_rates import Adaptive, InverseScaling, schedule_for, stops_by_loss
from thinnet.sklearn.members import MembersUpdate
from thinnet.sklearn.rows import Reader
from thinnet.sklearn.sample import Sample
from thinnet.teams import ONE_THREAD, Team
from thinnet.training.averaging import WeightAverage
from thinnet.training.loop import Factors, Loop
from thinnet.training.state import TrainingState
from thinnet.training.stopping import since_improvement
from thinnet.training.weights import KeptWeights
from thinnet.typing import IntArray

Validate = Callable[[], tuple[float, float]]  # how good the nets are for the rows held out: as told, as compared


def train(estimator: Any, sample: Sample, order: BatchOrder, held_out: Sample | None, *, incremental: bool) -> bool:
    """Train an estimator's nets by its settings, and keep in it what the passes come to.

    Args:
        estimator: has nets, optimizers and settings.
        sample: the training rows, with targets on the scale of the nets.
        order: of these rows.
        held_out: rows that only the validation score sees; None without early stopping.
        incremental: whether this is one pass of `partial_fit`.

    Returns:
        Whether the user interrupted it; the nets are then as they were at that moment.
    """
    how = estimator.settings_
    num_passes = 1 if incremental else how.max_iter
    schedule = _schedule(estimator, order.num_rows, incremental)
    source = _source(estimator, sample, order)
    update = MembersUpdate(estimator._nets, source, estimator._optimizers, order.largest, how.weight_decay)
    passes = Passes(estimator._nets, update, order, schedule, num_passes, estimator._passes, estimator.ema_decay)
    recorder = Recorder(estimator, passes, order.num_rows, incremental, _validation(estimator, held_out))
    interrupted = False
    try:
        passes.run(recorder)
    except KeyboardInterrupt:
        interrupted = True
    passes.finish()
    if recorder.by_loss and not held_out and not interrupted and passes.state.stop_reason is None:
        warnings.warn(
            f"max_iter={num_passes} iterations were made, and the training loss still falls by more than tol="
            f"{estimator.tol:g}. Raise max_iter, or use a schedule that ends: learning_rate='cosine'.",
            ConvergenceWarning,
            stacklevel=6,
        )
    return interrupted


def _source(estimator: Any, sample: Sample, order: BatchOrder) -> SampleRows | MixedRows:
    """What the rows of a minibatch are read from."""
    source = SampleRows(rows.reader(sample.X, estimator._inputs.standardization, order.largest), sample)
    if not estimator.mixup:
        return source
    num_classes = len(estimator.classes_) if sample.targets.dtype.kind in "iu" else None
    return MixedRows(source, estimator.mixup, order.seed, order.largest, num_classes, source.dtype)


def _schedule(estimator: Any, num_rows: int, incremental: bool) -> Schedule:
    """The schedule; that of partial_fit, which does not know how many passes there will be, needs none of them."""
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
    weights, matrix = held_out.weights, estimator._inputs.matrix(held_out.X)
    inputs = replace(estimator._inputs, encoder=None, is_table=False)  # encoded once
    targets = estimator._scaled(held_out.targets, weights, fresh=False)

    def validate() -> tuple[float, float]:
        scores = members.scores(estimator._nets, inputs, matrix, np.float32)
        told, compared = estimator._validation_score(scores, targets, weights)
        return told, compared

    return validate


class SampleRows:
    """The standardized rows of a sample, by their numbers."""

    def __init__(self, read: Reader, sample: Sample) -> None:
        self._read, self._sample = read, sample
        self.dtype, self.num_features = np.dtype(np.float32), sample.X.shape[1]
        self.team: Team = ONE_THREAD

    def read(self, rows: IntArray, step: int = 0) -> Rows:
        """Rows with their targets and weights."""
        weights = self._sample.weights
        return Rows(self._read(rows), self._sample.targets[rows], None if weights is None else weights[rows])


class Passes:
    """Whole passes, in each of which every row comes once.

    The masks go on with the nets' own count of steps, and the order of the rows with the number of the pass, so that
    training that is taken up again does not repeat itself.

    Args:
        nets: what is trained.
        update: changes them by one minibatch.
        order: which rows each minibatch has.
        schedule: laid out over `num_passes`.
        num_passes: how many there are at most.
        first_pass: how many passes the nets have seen before.
        ema_decay: of the average of the nets' weights, which they end with; 0 for none.
    """

    def __init__(
        self,
        nets: list[FullyConnectedNet],
        update: MembersUpdate,
        order: BatchOrder,
        schedule: Schedule,
        num_passes: int,
        first_pass: int,
        ema_decay: float,
    ) -> None:
        steps, before = order.steps_per_epoch, first_pass * order.steps_per_epoch
        self.state = TrainingState(nets, steps, num_passes * steps, KeptWeights(nets, watched=False))
        self.schedule = schedule
        self._update, self._num_rows, self._total = update, order.num_rows, 0.0
        self._averages = [WeightAverage(net, ema_decay) for net in nets if ema_decay]
        self._before = before
        schedules = {"learning_rate": schedule}
        self._loop = Loop(self.state, self._step, lambda step: order.rows(before + step), schedules)
        self._scores: list[float] = []
        self._patient_from = 0  # the number of the pass since which patience is counted

    def _step(self, rows: IntArray, factors: Factors, step: int) -> float:
        loss = self._update(rows, factors, self._before + step)
        for average in self._averages:
            average.update()
        self._total += len(rows) * loss
        return loss

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Let the nets have the averages of their weights meanwhile, where there are any."""
        with ExitStack() as stack:
            for average in self._averages:
                stack.enter_context(average.shown())
            yield

    def finish(self) -> None:
        """Give the nets the averages of their weights, or the best ones, where such were kept."""
        for average in self._averages:
            average.finish()
        self.state.weights.restore_best()

    def run(self, record: Callable[[float], None]) -> None:
        """Make the passes, calling `record` with the mean loss of the rows after each."""

        def after_step(loss: float) -> None:
            if self.state.at_epoch_end:
                record(self._total / self._num_rows)
                self._total = 0.0

        self._loop.run(self._loop.step, after_step)

    def score(self, score: float, *, tol: float, patience: float | None, keep: bool) -> None:
        """Take the score of a pass in: stop by scikit-learn's rule, and keep the weights if it is the best.

        Args:
            score: higher is better.
            tol: the least improvement that counts.
            patience: passes without one, after which training stops, or an adaptive rate is lowered; None for never.
            keep: whether to end with the weights that scored best.
        """
        self._scores.append(score)
        if keep and not np.isnan(score):
            self.state.weights.offer(score)
        since = min(since_improvement(self._scores, tol), len(self._scores) - self._patient_from)
        if patience is None or since < patience:
            return
        if isinstance(self.schedule, Adaptive) and self.schedule.lower():
            self._patient_from = len(self._scores)
        else:
            self.state.stop(f"no improvement for {patience} passes")


class Recorder:
    """Keeps in an estimator what each pass came to, and stops training where it is time."""

    def __init__(
        self, estimator: Any, passes: Passes, num_rows: int, incremental: bool, validate: Validate | None
    ) -> None:
        self._estimator, self._passes, self._num_rows, self._validate = estimator, passes, num_rows, validate
        self.by_loss = stops_by_loss(passes.schedule) and not incremental
        if not incremental:
            estimator.n_iter_ = 0

    def __call__(self, loss: float) -> None:
        """Take in a pass of this loss."""
        to = self._estimator
        to.t_ += self._num_rows
        to._passes += 1
        report = count_iteration(to, loss)
        patience = to.n_iter_no_change if self.by_loss or self._validate is not None else None
        with self._passes.averaged():
            score, compared = (-loss, -loss) if self._validate is None else self._validate()
            self._passes.score(compared, tol=to.tol, patience=patience, keep=self._validate is not None)
        if self._validate is None:
            to.best_loss_ = loss if to.best_loss_ is None else min(to.best_loss_, loss)
        else:
            to.validation_scores_ = [*(to.validation_scores_ or []), score]
            to.best_validation_score_ = max(to.validation_scores_)
            report += f", validation score: {score:f}"
        if to.verbose:
            print(report)


def count_iteration(estimator: Any, loss: float) -> str:
    """Count an iteration that came to this loss; what there is to say of it."""
    estimator.loss_ = loss
    estimator.n_iter_ += 1
    estimator.loss_curve_.append(loss)
    return f"Iteration {estimator.n_iter_}, loss = {loss:.8f}"
