"""ThinNetRegressor: scikit-learn's MLPRegressor with dropout."""

from __future__ import annotations

import os
from typing import Any, Self

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from thinnet.checks import check_path
from thinnet.errors import ArgumentError
from thinnet.sklearn import rows
from thinnet.sklearn.base import ThinNetEstimator
from thinnet.standardization import Standardization
from thinnet.typing import AnyArray, FloatArray


class ThinNetRegressor(RegressorMixin, MultiOutputMixin, ThinNetEstimator):
    r"""A regressor: scikit-learn's `MLPRegressor` with dropout, normalization and schedules.

    Targets are standardized inside, so that their units do not matter; the losses told are in units of their
    variance. y may have several columns.

    Args:
        hidden_layer_sizes: units of each hidden layer, such as ``(100, 50)``; a number means one layer.
        dropout: the fraction of hidden units dropped in training, 0 <= dropout < 1.
        dropout_mask: ``"element"`` drops units for each row alone, ``"batch"`` the same ones for a whole minibatch,
            which needs another normalization than ``"layernorm"``.
        normalization: None, ``"batchnorm"`` or ``"layernorm"``, before each activation.
        activation: ``"relu"``, ``"tanh"``, ``"sigmoid"``, ``"gelu"``, ``"silu"`` or ``"identity"``.
        standardize: whether to bring each column of X to mean 0 and standard deviation 1, as the training rows have
            it, within ± 10; columns that are constant in training are left out.
        optimizer: a name in `thinnet.optim.OPTIMIZERS`: ``"adam"``, ``"adamw"``, ``"sgd"``, ``"sgd_momentum"``,
            ``"nesterov"`` or ``"rmsprop"``.
        optimizer_options: its hyperparameters but for the learning rate, such as ``{"beta1": 0.9}``.
        schedule: what becomes of the learning rate: ``"cosine"``, ``"one_cycle"``, ``"constant"``, ``"epoch_decay"``,
            or an object of `thinnet.schedules`.
        alpha: strength of the L2 penalty, divided by the rows of a minibatch as in scikit-learn.
        batch_size: the most rows in a minibatch; ``"auto"`` means about 64.
        learning_rate_init: the learning rate that the schedule multiplies.
        max_iter: passes, in each of which every row comes once; ``"auto"`` means what makes about 3,000 minibatches,
            from 12 to 200 passes.
        early_stopping: whether to hold rows out, stop when their score has not risen for `n_iter_no_change` passes,
            and end with the weights that scored best.
        validation_fraction: the part of the rows held out for early stopping, at least two.
        n_iter_no_change: passes without improvement before training stops: of the validation score with
            `early_stopping`; of the loss with a constant schedule. Other schedules go their whole way.
        tol: the least improvement that counts as one.
        warm_start: whether another call of `fit` goes on from where the last one ended.
        random_state: fixes initial weights, masks, the order of the rows and the rows held out: a whole number, a
            ``RandomState``, or None for other ones every time.
        verbose: whether to print a line for each pass.

    Attributes:
        net_: the `FullyConnectedNet`. It takes raw rows, and its scores are standardized targets.
        coefs_: the weights of each layer, (inputs, outputs).
        intercepts_: the biases of each layer.
        loss_: the training loss of the last pass.
        loss_curve_: that of every pass.
        best_loss_: the lowest of them; None with early stopping.
        validation_scores_: the R² of the rows held out after each pass; None without early stopping. Where all of
            their targets are equal, the spread of the training targets takes the place of theirs.
        best_validation_score_: the highest of them.
        n_iter_: passes made, over all calls that went on from each other.
        t_: rows seen, over all passes.
        n_features_in_: the number of columns.
        feature_names_in_: their names, where X was a data frame.
        n_layers_: the number of layers, with inputs and outputs.
        n_outputs_: the number of scores.
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

    _loss = "mse"

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Make one pass over these rows, from where training stands, at a constant learning rate.

        Every row comes exactly once: N rows in ⌈N / batch_size⌉ minibatches of nearly equal sizes.

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
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any, *, return_std: bool = False, mc_samples: int | None = None) -> Any:
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
        mean, spread = self._drawn(X, mc_samples, lambda scores: scores)
        spread /= self._y_shift.scale
        predicted = self._in_units(mean)
        return (predicted, spread.ravel() if self._flat else spread) if return_std else predicted

    def export_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the whole regressor, from raw rows to values, as an ONNX graph for other programs to run.

        The input is ``X``, (N, D) of float64: a difference of large numbers needs it. The output is ``value``, what
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

        export_values(self._net, self._shift, self._y_shift, self._flat, check_path("path", path))

    def _in_units(self, scores: FloatArray) -> FloatArray:
        predicted = scores / self._y_shift.scale + self._y_shift.mean
        return predicted.ravel() if self._flat else predicted

    def _encoded(self, y: AnyArray, *, fresh: bool, incremental: bool, classes: Any) -> AnyArray:
        if fresh:
            self._flat = y.ndim == 1
        elif (y.ndim == 1) != self._flat or (y.ndim == 2 and y.shape[1] != self.n_outputs_):
            raise ArgumentError(f"y must have {self.n_outputs_} columns as before, got shape {y.shape}.")
        return y.reshape(len(y), -1).astype(np.float64)

    def _scaled(self, targets: AnyArray, weights: FloatArray | None, *, fresh: bool) -> AnyArray:
        if fresh:
            learned = rows.moments(targets, weights, "y")
            self._y_shift = Standardization(learned.mean, np.where(learned.scale == 0, 1.0, learned.scale))
        return rows.standardized(targets, self._y_shift, np.float32, "y")

    def _validation_score(self, scores: FloatArray, targets: AnyArray, weights: FloatArray | None) -> float:
        each = r2_score(targets, scores, sample_weight=weights, multioutput="raw_values")
        # Targets are in units of the training rows' spread, and so are the errors where they have none of their own.
        constant = np.ptp(targets, axis=0) == 0
        errors = np.average(np.square(scores - targets), axis=0, weights=weights)
        return float(np.where(constant, 1 - errors, each).mean())
