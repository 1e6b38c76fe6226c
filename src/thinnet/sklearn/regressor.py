"""ThinNetRegressor: scikit-learn's MLPRegressor with dropout."""

import os
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from thinnet.arguments import known_arguments, knows_arguments
from thinnet.checks import check_choice, check_path
from thinnet.data.moments import standardized
from thinnet.errors import ArgumentError
from thinnet.sklearn import rows
from thinnet.sklearn.base import ThinNetEstimator, takes_parts
from thinnet.sklearn.documentation import documented
from thinnet.standardization import Standardization
from thinnet.typing import AnyArray, FloatArray

LOSSES = {"squared_error": "mse", "poisson": "poisson"}  # scikit-learn's names, and those of our nets


@documented
@knows_arguments
@dataclass(repr=False, eq=False)
class ThinNetRegressor(RegressorMixin, MultiOutputMixin, ThinNetEstimator):
    r"""A regressor: scikit-learn's `MLPRegressor` with dropout, normalization and schedules.

    Targets are standardized inside, so that their units do not matter; the losses told are in units of their
    variance. y may have several columns.

    Args:
        {parameters}
        loss: ``"squared_error"``, or ``"poisson"`` for counts and other targets >= 0, of which the net then predicts
            the logarithm; half the Poisson deviance is minimized.

    Attributes:
        {attributes}
        validation_scores_: the R² of the rows held out after each pass; None without early stopping. Where all of
            their targets are equal, the spread of the training targets takes the place of theirs.
        {more}
        out_activation_: ``"identity"``.

    Raises:
        ArgumentError: (a `ValueError`) from `fit`, if a parameter is outside its limits.

    Source: Srivastava et al., "Dropout", JMLR 15 (2014).

    >>> from sklearn.datasets import make_friedman1
    >>> X, y = make_friedman1(400, random_state=0)
    >>> net = ThinNetRegressor(random_state=0).fit(X[:300], y[:300])
    >>> net.score(X[300:], y[300:]) > 0.8
    True
    >>> mean, spread = net.predict(X[:5], return_std=True)
    >>> mean.shape, spread.shape
    ((5,), (5,))
    """

    _: KW_ONLY
    loss: Literal["squared_error", "poisson"] = "squared_error"

    @available_if(takes_parts)
    @known_arguments
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Make one pass over these rows, from where training stands, at a constant learning rate.

        Every row comes exactly once: N rows in ⌈N / batch_size⌉ minibatches of nearly equal sizes.

        The first call fixes bins, categories and the standardization of X and y from its own rows: let it be a typical
        sample.

        Args:
            X: (N, D) rows, as for `fit`.
            y: (N,) or (N, C) targets.
            sample_weight: (N,) numbers >= 0, relative to each other within this call.

        Returns:
            The estimator itself.

        Raises:
            ArgumentError: (a `ValueError`) if early stopping is asked for.
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any, *, return_std: bool = False, mc_samples: int | None = None) -> Any:
        """The predicted targets, in their own units.

        Args:
            X: (N, D) rows, as for `fit`.
            return_std: whether to give the standard deviation among the draws too. It is that of the net's mean, and
                leaves out the noise of the targets themselves.
            mc_samples: how often to predict with units dropped as in training (Monte Carlo dropout), for the mean of
                these predictions; 50 by default with `return_std`, else None: once, with all units.

        Returns:
            (N,) or (N, C) predictions, as y was; with `return_std` a pair of them and their spread.

        Raises:
            ArgumentError: (a `ValueError`) if draws are asked for and ``dropout`` is 0.

        Source: Gal and Ghahramani, "Dropout as a Bayesian approximation", arXiv 1506.02142 (2015).
        """
        if mc_samples is None and not return_std:
            return self._in_units(self._values(self._scores(X)))
        mean, spread = self._drawn(X, mc_samples, self._values)
        spread /= self._y_shift.scale
        predicted = self._in_units(mean)
        return (predicted, spread.ravel() if self._flat else spread) if return_std else predicted

    def export_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the whole regressor, from raw rows to values, as an ONNX graph for other programs to run.

        The input is ``X``, (N, D) of float64: a difference of large numbers needs it; of a table, one input (N, 1) for
        each column, called as it is, of float64, int64 or strings. The output is ``value``, what
        `predict` gives, (N,) or (N, C) in the targets' own units; it is computed in float64, and agrees with that for
        rows of float64 to rounding.

        Args:
            path: the file, replaced whole or not at all.

        Raises:
            ArgumentError: (a `ValueError`) if the file would be too large.
            MissingExtraError: if the package onnx is not installed.
            NotFittedError: of scikit-learn, before `fit`.
            OSError: if the file cannot be written.
        """
        check_is_fitted(self)
        from thinnet.sklearn.onnx_export import export_values

        export_values(self._nets, self._inputs, self._y_shift, self._flat, check_path("path", path))

    def _values(self, scores: FloatArray) -> FloatArray:
        """What scores say of the targets, on the scale that the nets predict."""
        return np.exp(scores) if self._loss == "poisson" else scores

    def _in_units(self, values: FloatArray) -> FloatArray:
        predicted = values / self._y_shift.scale + self._y_shift.mean
        return predicted.ravel() if self._flat else predicted

    def _encoded(self, y: AnyArray, *, fresh: bool, incremental: bool, classes: Any) -> AnyArray:
        loss = LOSSES[check_choice("loss", self.loss, tuple(LOSSES))]
        if fresh:
            self._flat, self._loss = y.ndim == 1, loss
        elif loss != self._loss:
            raise ArgumentError(
                f"loss must stay as it was when training continues, got {self.loss!r}. Clone the estimator, or set "
                f"warm_start=False."
            )
        elif (y.ndim == 1) != self._flat or (y.ndim == 2 and y.shape[1] != self.n_outputs_):
            raise ArgumentError(f"y must have {self.n_outputs_} columns as before, got shape {y.shape}.")
        return y.reshape(len(y), -1).astype(np.float64)

    def _scaled(self, targets: AnyArray, weights: FloatArray | None, *, fresh: bool) -> AnyArray:
        if self._loss == "poisson" and targets.min() < 0:
            raise ArgumentError(f"y must be >= 0 with loss='poisson', got {targets.min():g}. Use loss='squared_error'.")
        if fresh:
            self._y_shift = self._learned_units(targets, weights)
        return standardized(targets, self._y_shift, self._dtype, "y")

    def _learned_units(self, targets: AnyArray, weights: FloatArray | None) -> Standardization:
        """What targets are measured by: their mean and deviation; with a Poisson loss, whose zero stays, the mean."""
        learned = rows.moments(targets, weights, "y")
        if self._loss == "poisson":
            mean = np.where(learned.mean > 0, learned.mean, 1.0)
            return Standardization(np.zeros_like(mean), 1 / mean)
        return Standardization(learned.mean, np.where(learned.scale == 0, 1.0, learned.scale))

    def _validation_score(self, scores: FloatArray, targets: AnyArray, weights: FloatArray | None) -> float:
        scores = self._values(scores)
        each = r2_score(targets, scores, sample_weight=weights, multioutput="raw_values")
        # Targets are in units of the training rows' spread, and so are the errors where they have none of their own.
        constant = np.ptp(targets, axis=0) == 0
        errors = np.average(np.square(scores - targets), axis=0, weights=weights)
        return float(np.where(constant, 1 - errors, each).mean())
