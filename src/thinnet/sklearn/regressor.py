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
from thinnet.arrays import cast, warn_of_order
from thinnet.checks import check_choice, check_path
from thinnet.data.moments import power_of_two
from thinnet.errors import ArgumentError
from thinnet.sklearn import rows
from thinnet.sklearn.base import ThinNetEstimator, takes_parts
from thinnet.sklearn.documentation import documented
from thinnet.sklearn.inputs import checked_beside
from thinnet.standardization import Standardization
from thinnet.typing import AnyArray, FloatArray

CONSTANT = 1e-6  # relative to the targets' spread or size: about the precision of float32
LOSSES = {"squared_error": "mse", "poisson": "poisson"}  # scikit-learn's names, and those of our nets


@documented
@knows_arguments
@dataclass(repr=False, eq=False)
class ThinNetRegressor(RegressorMixin, MultiOutputMixin, ThinNetEstimator):
    r"""A regressor: scikit-learn's `MLPRegressor` with dropout, normalization and schedules.

    Targets are standardized internally, so their units do not matter; the losses shown are in units of their
    variance. y may have several columns.

    Args:
        {parameters}
        loss: ``"squared_error"``, or ``"poisson"`` for counts and other targets >= 0; the net then predicts their
            logarithm, and half the Poisson deviance is minimized.

    Attributes:
        {attributes}
        validation_scores_: the R² on the rows held out, after each pass; None without early stopping. If all of
            their targets are equal, it is 1 or 0, and passes are compared by the squared error.
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
        """Continue training with one pass over these rows, at a constant learning rate.

        Every row is used exactly once: N rows in ⌈N / batch_size⌉ minibatches of nearly equal size.

        The first call fixes the bins, the categories and the standardization of X and y from its own rows: give it a
        typical sample.

        Args:
            X: (N, D) rows, as for `fit`.
            y: (N,) or (N, C) targets.
            sample_weight: (N,) numbers >= 0, relative to each other within this call.

        Returns:
            The estimator itself.

        Raises:
            ArgumentError: (a `ValueError`) if early stopping is requested.
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any, *, return_std: bool = False, mc_samples: int | None = None) -> Any:
        """The predicted targets, in their own units.

        Args:
            X: (N, D) rows, as for `fit`.
            return_std: whether to also return the standard deviation over the draws. It is that of the net's mean, and
                does not include the noise of the targets themselves.
            mc_samples: how many predictions to average, with units dropped as in training (Monte Carlo dropout); 50 by
                default with `return_std`, else None: a single prediction with all units.

        Returns:
            (N,) or (N, C) predictions, like y; with `return_std`, a pair of the predictions and their spread.

        Raises:
            ArgumentError: (a `ValueError`) if draws are requested and ``dropout`` is 0, or the spread of a single one.

        Source: Gal and Ghahramani, "Dropout as a Bayesian approximation", arXiv 1506.02142 (2015).
        """
        if mc_samples is None and not return_std:
            return self._in_units(self._values(self._scores(X)))
        mean, spread = self._drawn(X, mc_samples, self._values, return_std=return_std)
        spread *= self._y_units.scale
        predicted = self._in_units(mean)
        return (predicted, spread.ravel() if self._flat else spread) if return_std else predicted

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R², the fraction of the targets' variance that `predict` explains: 1 is best, 0 is no better than their mean.

        Args:
            X: (N, D) rows, as for `fit`.
            y: (N,) or (N, C) targets.
            sample_weight: (N,) numbers >= 0.

        Raises:
            ArgumentError: (a `ValueError`) if X does not match the training data, or y or the weights do not match X.
        """
        predicted = self.predict(X)
        warn_of_order(X, {"y": y, "sample_weight": sample_weight}, stacklevel=3)
        targets, weights = checked_beside(self, y, sample_weight, len(predicted))
        targets = targets.astype(np.float64)
        unit = power_of_two(np.abs(targets).max())  # so that squares neither overflow nor underflow
        return float(r2_score(targets * unit, predicted * unit, sample_weight=weights))

    def export_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the whole regressor, from raw rows to values, as an ONNX graph for other programs to run.

        The input is ``X``, (N, D) in float64, which differences of large numbers need; for a table, there is one (N, 1)
        input for each column, with its name, of float64, int64 or strings. The output is ``value``: what `predict`
        returns, (N,) or (N, C) in the targets' own units. It is computed in float64, and for float64 rows it agrees
        with `predict` up to rounding.

        Args:
            path: the file, replaced completely or not at all.

        Raises:
            ArgumentError: (a `ValueError`) if the file would be too large.
            MissingExtraError: if the package onnx is not installed.
            NotFittedError: from scikit-learn, before `fit`.
            OSError: if the file cannot be written.
        """
        check_is_fitted(self)
        from thinnet.sklearn.onnx_export import export_values

        export_values(self._nets, self._inputs, self._y_units, self._flat, check_path("path", path))

    def _values(self, scores: FloatArray) -> FloatArray:
        """The predictions that scores stand for, on the nets' scale."""
        return np.exp(scores) if self._loss == "poisson" else scores

    def _in_units(self, values: FloatArray) -> FloatArray:
        predicted = values * self._y_units.scale + self._y_units.mean
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
            before = "(N,)" if self._flat else f"(N, {self.n_outputs_})"
            raise ArgumentError(f"y must have shape {before} as before, got shape {y.shape}.")
        return y.reshape(len(y), -1).astype(np.float64)

    def _scaled(
        self, targets: AnyArray, weights: FloatArray | None, *, fresh: bool, incremental: bool = False
    ) -> AnyArray:
        if self._loss == "poisson" and targets.min() < 0:
            raise ArgumentError(f"y must be >= 0 with loss='poisson', got {targets.min():g}. Use loss='squared_error'.")
        if fresh:
            self._y_units = self._learned_units(targets, weights, final=not (incremental or self.warm_start))
        units = self._y_units
        in_units = (targets - units.mean) / np.where(units.scale == 0, 1, units.scale)
        if fresh:  # what is constant up to rounding is exactly 0, or with a Poisson loss 1
            in_units = np.where(np.ptp(in_units, axis=0) < CONSTANT, np.rint(in_units), in_units)
        return cast("y", in_units, self._dtype)

    def _learned_units(self, targets: AnyArray, weights: FloatArray | None, *, final: bool) -> Standardization:
        """The scale and the mean that turn a net's values into targets: the targets' standard deviation and mean.

        With a Poisson loss, zero must stay zero, so the scale is the mean, and nothing is added; if the mean is 0 and
        no more targets will come, all predictions are 0. For constant targets, the scale is their own size.
        """
        learned = rows.moments(targets, weights, "y")
        if self._loss == "poisson":
            return Standardization(np.zeros_like(learned.mean), np.where(learned.mean > 0, learned.mean, 1 - final))
        size = np.where(learned.mean == 0, 1, np.abs(learned.mean))
        return Standardization(
            learned.mean, np.where(learned.scale == 0, size, 1 / np.where(learned.scale == 0, 1, learned.scale))
        )

    def _validation_score(
        self, scores: FloatArray, targets: AnyArray, weights: FloatArray | None
    ) -> tuple[float, float]:
        values = np.where(self._y_units.scale == 0, 0, self._values(scores))
        errors = np.average(np.square(values - targets), axis=0, weights=weights)
        constant = np.ptp(targets, axis=0) == 0
        each = r2_score(targets, values, sample_weight=weights, multioutput="raw_values")
        told = np.where(constant, errors == 0, each)  # 1 or 0 does not show whether a net gets closer to them
        return float(told.mean()), float(np.where(constant & (errors > 0), -errors, told).mean())
