"""Training by L-BFGS: all rows in each step, with SciPy's minimizer on the flat buffer of a net."""

import warnings
from typing import Any

import numpy as np
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from thinnet.nets import FullyConnectedNet
from thinnet.numerics import is_finite_step
from thinnet.sklearn.training import count_iteration
from thinnet.sklearn.training_rows import TrainingRows
from thinnet.steps import choose
from thinnet.steps.base import Batch
from thinnet.training.diagnosis import not_finite
from thinnet.training.net_update import RowSource
from thinnet.typing import FloatArray

INTERRUPTED = "it was interrupted"
ROWS_AT_ONCE = 1024  # rows whose losses are computed together, so that memory does not grow with the rows


class Objective:
    """The loss of all rows, and its gradient, as a function of a net's weights; a call changes these weights."""

    def __init__(self, net: FullyConnectedNet, source: RowSource, num_rows: int) -> None:
        self.net, self.source, self.num_rows = net, source, num_rows
        rows_at_once = min(ROWS_AT_ONCE, num_rows)
        self._step = choose.training_step(net.spec, rows_at_once, fused=net.fused, products=net.products)

    def __call__(self, w: FloatArray) -> tuple[float, FloatArray]:
        """The loss at the weights `w`, and a new array with its gradient."""
        self.net.params.flat[:] = w
        loss, gradient = 0.0, np.zeros_like(w)
        for start in range(0, self.num_rows, ROWS_AT_ONCE):
            rows = np.arange(start, min(start + ROWS_AT_ONCE, self.num_rows))
            X, y, weights = self.source.read(rows)
            batch = Batch(X, y, weights, 0, rows, self.num_rows)
            with np.errstate(all="ignore"):  # the check below finds problems and explains them better
                computed = self._step.compute(self.net.state, batch)
            if not is_finite_step(computed.loss, computed.arrays):
                raise not_finite(self.net, batch, loss=computed.loss, learning_rate=1.0)
            loss += computed.loss
            gradient += computed.arrays.flat
        return loss, gradient


def train(estimator: Any, rows: TrainingRows) -> bool:
    """Train an estimator's nets, one after the other, and store the results of the iterations in it.

    Returns whether the user interrupted it; each net then has its best weights.
    """
    if estimator.early_stopping:
        warnings.warn("early_stopping has no effect with solver='lbfgs'.", UserWarning, stacklevel=6)
    reasons, losses, counts = [], [], []
    estimator.loss_ = np.nan  # until there is one
    for net in estimator._nets:
        estimator.n_iter_ = 0
        reason = _minimize(estimator, Objective(net, rows, rows.num_rows))
        reasons.append(reason)
        losses.append(estimator.loss_)
        counts.append(estimator.n_iter_)
        if reason == INTERRUPTED:
            estimator._nets = estimator._nets[: len(counts)]  # the others are untrained
            break
    estimator.n_iter_, estimator.loss_ = max(counts), float(np.mean(losses))
    estimator.t_ += estimator.n_iter_ * rows.num_rows
    estimator._passes += estimator.n_iter_
    estimator.best_loss_ = estimator.loss_
    interrupted = INTERRUPTED in reasons
    if not interrupted and (reason := next(filter(None, reasons), None)):
        warnings.warn(
            f"L-BFGS ended before it had converged: {reason}. Raise max_iter or max_fun.",
            ConvergenceWarning,
            stacklevel=6,
        )
    return interrupted


def _minimize(estimator: Any, objective: Objective) -> str | None:
    """Give a net the best weights; return why it stopped before it converged, or None if it converged."""
    net = objective.net
    kept = net.params.flat.copy()

    def after_iteration(intermediate_result: Any) -> None:
        kept[:] = intermediate_result.x
        report = count_iteration(estimator, float(intermediate_result.fun))
        if estimator.verbose:
            print(report)

    limits = {"maxiter": estimator.settings_.max_iter, "maxfun": estimator.max_fun, "gtol": estimator.tol}
    try:
        result = minimize(objective, kept.copy(), jac=True, method="L-BFGS-B", callback=after_iteration, options=limits)
        kept[:], estimator.loss_ = result.x, float(result.fun)
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        net.params.flat[:] = kept
    return None if result.success else str(result.message)
