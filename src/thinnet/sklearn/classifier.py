"""ThinNetClassifier: scikit-learn's MLPClassifier with dropout."""

from __future__ import annotations

import os
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels
from sklearn.utils.validation import check_is_fitted, column_or_1d

from thinnet.arguments import knows_arguments
from thinnet.checks import check_path
from thinnet.errors import ArgumentError
from thinnet.sklearn import class_weights
from thinnet.sklearn.base import ThinNetEstimator
from thinnet.typing import AnyArray, FloatArray


@knows_arguments
@dataclass(repr=False, eq=False)
class ThinNetClassifier(ClassifierMixin, ThinNetEstimator):
    r"""A classifier: scikit-learn's `MLPClassifier` with dropout, normalization and schedules.

    Labels may be numbers or strings, two or more; with columns of zeros and ones for y, each row may have several.
    Dense and sparse matrices, data frames, sample weights and class weights are taken as elsewhere in scikit-learn.

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
        class_weight: None, a dict from label to weight (1 where it names none), or ``"balanced"`` for weights that
            give classes equal shares; where a row may have several labels, also a list of these, one a column of y.
        early_stopping: whether to hold rows out, stop when their score has not risen for `n_iter_no_change` passes,
            and end with the weights that scored best.
        validation_fraction: the part of the rows held out for early stopping, at least two, in proportion to the
            classes; at least one row of each class stays in training.
        n_iter_no_change: passes without improvement before training stops: of the validation score with
            `early_stopping`; of the loss with a constant schedule. Other schedules go their whole way.
        tol: the least improvement that counts as one.
        warm_start: whether another call of `fit` goes on from where the last one ended.
        random_state: fixes initial weights, masks, the order of the rows and the rows held out: a whole number, a
            ``RandomState``, or None for other ones every time.
        verbose: whether to print a line for each pass.

    Attributes:
        classes_: the labels, in the order of the columns of `predict_proba`.
        net_: the `FullyConnectedNet`, which takes raw rows; it can be saved and exported by itself.
        coefs_: the weights of each layer, (inputs, outputs).
        intercepts_: the biases of each layer.
        loss_: the training loss of the last pass.
        loss_curve_: that of every pass.
        best_loss_: the lowest of them; None with early stopping.
        validation_scores_: the accuracy of the rows held out after each pass; None without early stopping.
        best_validation_score_: the highest of them.
        n_iter_: passes made, over all calls that went on from each other.
        t_: rows seen, over all passes.
        n_features_in_: the number of columns.
        feature_names_in_: their names, where X was a data frame.
        n_layers_: the number of layers, with inputs and outputs.
        n_outputs_: the number of scores.
        out_activation_: ``"softmax"``, or ``"logistic"`` where a row may have several labels.

    Raises:
        ArgumentError: (a `ValueError`) from `fit`, if a parameter is outside its limits.

    Source: Srivastava et al., "Dropout", JMLR 15 (2014).

    >>> from sklearn.datasets import load_wine
    >>> X, y = load_wine(return_X_y=True)
    >>> net = ThinNetClassifier(dropout=0.25, random_state=0).fit(X[::2], y[::2])
    >>> net.score(X[1::2], y[1::2]) > 0.9
    True
    >>> mean, spread = net.predict_proba(X[:1], mc_samples=50, return_std=True)
    >>> mean.shape, spread.shape
    ((1, 3), (1, 3))
    """

    _: KW_ONLY
    class_weight: Any = None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Make one pass over these rows, from where training stands, at a constant learning rate.

        Every row comes exactly once: N rows in ⌈N / batch_size⌉ minibatches of nearly equal sizes.

        The first call fixes the classes and, from its own rows, the standardization: let it be a typical sample.

        Args:
            X: (N, D) numbers.
            y: (N,) labels, or (N, C) of zeros and ones.
            classes: every label that will ever come; needed in the first call, unless rows have several labels each.
            sample_weight: (N,) numbers >= 0, relative to each other within this call.

        Returns:
            The estimator itself.

        Raises:
            ArgumentError: (a `ValueError`) if the first call lacks `classes`, or early stopping is asked for.
        """
        return self._fit(X, y, sample_weight, incremental=True, classes=classes)

    def predict(self, X: Any) -> AnyArray:
        """The (N,) most probable labels; for several labels a row (N, C) of zeros and ones."""
        scores = self._scores(X)
        if self._several:
            return (scores > 0).astype(int)
        predicted: AnyArray = self.classes_[scores.argmax(axis=1)]
        return predicted

    def predict_proba(self, X: Any, *, mc_samples: int | None = None, return_std: bool = False) -> Any:
        """The probability of each class, or of each label where a row may have several.

        Args:
            X: (N, D) numbers.
            mc_samples: how often to predict with units dropped as in training (Monte Carlo dropout), for the mean of
                these predictions; None predicts once, with all units.
            return_std: whether to give the standard deviation among the draws too; 50 are drawn if `mc_samples` is
                not given.

        Returns:
            (N, C) probabilities in the order of ``classes_``; with `return_std` a pair of them and their spread.

        Raises:
            ArgumentError: (a `ValueError`) if draws are asked for and ``dropout`` is 0.

        Source: Gal and Ghahramani, "Dropout as a Bayesian approximation", arXiv 1506.02142 (2015).
        """
        if mc_samples is None and not return_std:
            return self._probabilities(self._scores(X))
        mean, spread = self._drawn(X, mc_samples, self._probabilities)
        return (mean, spread) if return_std else mean

    def predict_log_proba(self, X: Any) -> FloatArray:
        """The logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            logarithms: FloatArray = np.log(self.predict_proba(X))
        return logarithms

    def export_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the whole classifier, from raw rows to labels, as an ONNX graph for other programs to run.

        The input is ``X``, (N, D) of float64: a difference of large numbers needs it. The outputs are ``label``, what
        `predict` gives, and ``probabilities``, what `predict_proba` gives; both are computed in float64, and agree with
        those for rows of float64 to rounding.

        Args:
            path: the file, replaced whole or not at all.

        Raises:
            ArgumentError: (a `ValueError`) if the labels are neither numbers nor strings, or the net is too large.
            MissingExtraError: if the package onnx is not installed.
            NotFittedError: of scikit-learn, before `fit`.
            OSError: if the file cannot be written.
        """
        check_is_fitted(self)
        from thinnet.sklearn.onnx_export import export_labels, export_several

        if self._several:
            export_several(self._net, self._shift, check_path("path", path))
        else:
            export_labels(self._net, self._shift, self.classes_, check_path("path", path))

    def _probabilities(self, scores: FloatArray) -> FloatArray:
        probabilities: FloatArray = expit(scores) if self._several else softmax(scores, axis=-1)
        return probabilities

    @property
    def _several(self) -> bool:
        """Whether a row may have several labels."""
        return self._loss == "logistic"

    def _encoded(self, y: AnyArray, *, fresh: bool, incremental: bool, classes: Any) -> AnyArray:
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        if kind == "multiclass-multioutput":
            raise ArgumentError(
                "y must have one label a row, or columns of zeros and ones, got several columns of other labels. Put "
                "the estimator into sklearn.multioutput.MultiOutputClassifier."
            )
        loss = "logistic" if kind == "multilabel-indicator" else "softmax"
        if fresh:
            self._loss = loss
        elif loss != self._loss:
            raise ArgumentError(
                "y must keep its form where training goes on, got one label a row after several labels "
                "a row, or the other way round."
            )
        if loss == "logistic":
            if fresh:
                self.classes_ = np.arange(y.shape[1])
            elif y.shape[1] != len(self.classes_):
                raise ArgumentError(f"y must have {len(self.classes_)} columns as before, got {y.shape[1]}.")
            return y.astype(np.float32)
        y = column_or_1d(y, warn=True)
        if fresh:
            if incremental and classes is None:
                raise ArgumentError(
                    "classes must be given in the first call of partial_fit, got None. Give every label that will ever "
                    "come, such as classes=np.unique(y)."
                )
            self.classes_ = unique_labels(y if classes is None else classes)
        elif classes is not None and not np.array_equal(self.classes_, unique_labels(classes)):
            raise ArgumentError(f"classes must stay {self.classes_.tolist()}, got {unique_labels(classes).tolist()}.")
        return self._numbers(y)

    def _numbers(self, y: AnyArray) -> AnyArray:
        """The index of each label in ``classes_``."""
        indices = np.searchsorted(self.classes_, y).clip(max=len(self.classes_) - 1)
        unknown = self.classes_[indices] != y
        if unknown.any():
            raise ArgumentError(
                f"y must hold only the labels {self.classes_.tolist()}, got {y[unknown][0]!r}. Name every label in the "
                "first call, or train afresh."
            )
        return indices

    def _class_factors(self, targets: AnyArray, *, incremental: bool) -> FloatArray | None:
        if incremental and class_weights.has_balanced(self.class_weight):
            raise ArgumentError(
                f"class_weight must be a dict or None for partial_fit, got {self.class_weight!r}. Compute the weights "
                "of the whole data with sklearn.utils.class_weight.compute_class_weight, and give them as a dict."
            )
        return class_weights.factors(self.class_weight, self.classes_.tolist(), targets)

    def _validation_score(self, scores: FloatArray, targets: AnyArray, weights: FloatArray | None) -> float:
        right = ((scores > 0) == targets).all(axis=1) if self._several else scores.argmax(axis=1) == targets
        return float(np.average(right, weights=weights))
