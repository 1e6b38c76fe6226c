"""ThinNetRegressor: scikit-learn's MLPRegressor with dropout."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.metrics import r2_score

from thinnet.errors import ArgumentError
from thinnet.sklearn import rows
from thinnet.sklearn.base import MC_SAMPLES, ThinNetEstimator
from thinnet.typing import AnyArray, FloatArray


class ThinNetRegressor(RegressorMixin, MultiOutputMixin, ThinNetEstimator):
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Make one pass over these rows, from where training stands, at a constant learning rate.

        The first call fixes the standardization of X and y from its own rows: let it be a typical sample.

        Args:
            X: (N, D) numbers.
            y: (N,) or (N, C) targets.
            sample_weight: (N,) numbers >= 0, relative to each other within this call.

        Returns:
            The estimator itself.

        Raises:
            ArgumentError: (a `ValueError`) if early stopping is asked for.
        """
        if self.early_stopping:
            raise ArgumentError("early_stopping must be False for partial_fit, got True: it holds no rows out.")
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(
        self, X: Any, *, return_std: bool = False, mc_samples: int | None = None
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        """The predicted targets, in their own units.

        Args:
            X: (N, D) numbers.
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
            return self._in_units(self._scores(X))
        means, spreads = [], []
        for scores in self._drawn_scores(X, MC_SAMPLES if mc_samples is None else mc_samples):
            draws = scores.astype(np.float64)
            means.append(draws.mean(axis=0))
            spreads.append(draws.std(axis=0))
        mean = self._in_units(np.concatenate(means))
        if not return_std:
            return mean
        spread = np.concatenate(spreads) / self._y_shift.scale
        return mean, spread.ravel() if self._flat else spread

    def _in_units(self, scores: FloatArray) -> FloatArray:
        predicted = scores / self._y_shift.scale + self._y_shift.mean
        return predicted.ravel() if self._flat else predicted

    def _loss_name(self) -> str:
        return "mse"

    def _encoded(self, y: AnyArray, *, fresh: bool, incremental: bool, classes: Any) -> AnyArray:
        if fresh:
            self._flat = y.ndim == 1
        elif (y.ndim == 1) != self._flat or (y.ndim == 2 and y.shape[1] != self.n_outputs_):
            raise ArgumentError(f"y must have {self.n_outputs_} columns as before, got shape {y.shape}.")
        return y.reshape(len(y), -1).astype(np.float64)

    def _scaled(self, targets: AnyArray, weights: FloatArray | None, *, fresh: bool) -> AnyArray:
        if fresh:
            learned = rows.moments(targets, weights)
            self._y_shift = rows.Shift(learned.mean, np.where(learned.scale == 0, 1.0, learned.scale))
        return rows.standardized(targets, self._y_shift, np.float32)

    def _num_outputs(self, targets: AnyArray) -> int:
        return int(targets.shape[1])

    def _class_factors(self, targets: AnyArray, *, incremental: bool) -> FloatArray | None:
        return None

    def _stratum(self, targets: AnyArray) -> AnyArray | None:
        return None

    def _validation_score(self, scores: FloatArray, targets: AnyArray, weights: FloatArray | None) -> float:
        return float(r2_score(targets, scores, sample_weight=weights))
