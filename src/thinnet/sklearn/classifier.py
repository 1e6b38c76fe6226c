"""ThinNetClassifier: scikit-learn's MLPClassifier with dropout."""

import os
import warnings
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import type_of_target, unique_labels
from sklearn.utils.validation import check_is_fitted, column_or_1d

from thinnet.arguments import known_arguments, knows_arguments
from thinnet.arrays import warn_of_order
from thinnet.checks import check_path
from thinnet.errors import ArgumentError
from thinnet.nets.predictions import prediction, probabilities
from thinnet.sklearn import class_weights
from thinnet.sklearn.base import Auto, ThinNetEstimator, takes_parts
from thinnet.sklearn.documentation import documented
from thinnet.sklearn.inputs import checked_beside, checked_classes
from thinnet.sklearn.parameters import is_auto
from thinnet.sklearn.settings import FEWEST_CALIBRATED, LARGE
from thinnet.targets import is_one_hot, places, seem_no_classes
from thinnet.typing import AnyArray, FloatArray

FORMS = {"softmax": "one label per row", "logistic": "several labels per row"}  # by the loss of the nets


@documented
@knows_arguments
@dataclass(repr=False, eq=False)
class ThinNetClassifier(ClassifierMixin, ThinNetEstimator):
    r"""A classifier: scikit-learn's `MLPClassifier` with dropout, normalization and schedules.

    There may be two or more labels, numbers or strings; if y has columns of zeros and ones, each row may have several.
    Dense and sparse matrices, data frames, sample weights and class weights work as elsewhere in scikit-learn.

    Args:
        {parameters}
        class_weight: None, a dict from label to weight (1 for labels it lacks), or ``"balanced"`` for weights that
            give classes equal shares; if a row may have several labels, also a list of these, one per column of y.
        calibrate: whether to calibrate the probabilities: a first training on four fifths of the rows finds, on the
            others, the temperature that scores are divided by.

    Attributes:
        classes_: the labels, in the order of the columns of `predict_proba`.
        {attributes}
        validation_scores_: the accuracy on the rows held out, after each pass; None without early stopping.
        temperature_: what scores are divided by before they become probabilities; 1 without calibration.
        out_activation_: ``"softmax"``, or ``"logistic"`` if a row may have several labels.

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
    calibrate: bool | Auto = "auto"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    @available_if(takes_parts)
    @known_arguments
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Continue training with one pass over these rows, at a constant learning rate.

        Every row is used exactly once: N rows in ⌈N / batch_size⌉ minibatches of nearly equal size.

        The first call fixes the classes and, from its own rows, the standardization, the bins and the categories: give
        it a typical sample.

        Args:
            X: (N, D) rows, as for `fit`.
            y: (N,) labels, or (N, C) of zeros and ones.
            classes: every label that will ever appear; needed in the first call, unless a row may have several labels.
            sample_weight: (N,) numbers >= 0, relative to each other within this call.

        Returns:
            The estimator itself.

        Raises:
            ArgumentError: (a `ValueError`) if the first call lacks `classes`, or early stopping is requested.
        """
        return self._fit(X, y, sample_weight, incremental=True, classes=classes)

    def predict(self, X: Any) -> AnyArray:
        """The (N,) most probable labels; with several labels per row, (N, C) of zeros and ones."""
        scores = self._scores(X)  # first, since it raises if nothing is trained yet
        predicted = prediction(self._loss, scores)
        return predicted if self._several else self.classes_[predicted]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The accuracy: the fraction of rows whose label, or all of whose labels, `predict` gets right.

        Args:
            X: (N, D) rows, as for `fit`.
            y: (N,) labels, or (N, C) of zeros and ones.
            sample_weight: (N,) numbers >= 0.

        Raises:
            ArgumentError: (a `ValueError`) if X does not match the training data, or y or the weights do not match X.
        """
        predicted = self.predict(X)
        warn_of_order(X, {"y": y, "sample_weight": sample_weight}, stacklevel=3)
        targets, weights = checked_beside(self, y, sample_weight, len(predicted))
        return float(accuracy_score(targets, predicted, sample_weight=weights))

    def predict_proba(self, X: Any, *, mc_samples: int | None = None, return_std: bool = False) -> Any:
        """The probability of each class, or of each label if a row may have several.

        Args:
            X: (N, D) rows, as for `fit`.
            mc_samples: how many predictions to average, with units dropped as in training (Monte Carlo dropout); None
                for a single prediction with all units.
            return_std: whether to also return the standard deviation over the draws; there are 50 if `mc_samples` is
                not given.

        Returns:
            (N, C) probabilities in the order of ``classes_``; with `return_std`, a pair of them and their spread.

        Raises:
            ArgumentError: (a `ValueError`) if draws are requested and ``dropout`` is 0, or the spread of a single one.

        Source: Gal and Ghahramani, "Dropout as a Bayesian approximation", arXiv 1506.02142 (2015).
        """
        if mc_samples is None and not return_std:
            return self._probabilities(self._scores(X))
        mean, spread = self._drawn(X, mc_samples, self._probabilities, return_std=return_std)
        return (mean, spread) if return_std else mean

    def predict_log_proba(self, X: Any) -> FloatArray:
        """The logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            logarithms: FloatArray = np.log(self.predict_proba(X))
        return logarithms

    def export_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the whole classifier, from raw rows to labels, as an ONNX graph for other programs to run.

        The input is ``X``, (N, D) in float64, which differences of large numbers need; for a table, there is one (N, 1)
        input for each column, with its name, of float64, int64 or strings. The outputs are ``label``, what `predict`
        returns, and ``probabilities``, what `predict_proba` returns. Both are computed in float64, and for float64 rows
        they agree with those methods up to rounding.

        Args:
            path: the file, replaced completely or not at all.

        Raises:
            ArgumentError: (a `ValueError`) if the labels are neither numbers nor strings, or the net is too large.
            MissingExtraError: if the package onnx is not installed.
            NotFittedError: from scikit-learn, before `fit`.
            OSError: if the file cannot be written.
        """
        check_is_fitted(self)
        from thinnet.sklearn.onnx_export import export_classifier

        classes = None if self._several else self.classes_
        export_classifier(self._nets, self._inputs, self._temperature, classes, check_path("path", path))

    def _probabilities(self, scores: FloatArray) -> FloatArray:
        return probabilities(self._loss, scores / scores.dtype.type(self._temperature))

    def _calibrates(self, num_rows: int) -> bool:
        if not is_auto(self.calibrate):
            if self.calibrate and self.warm_start:
                raise ArgumentError(
                    "calibrate must be False or 'auto' with warm_start=True, got True: the temperature is found in "
                    "a training from scratch. Set warm_start=False."
                )
            return bool(self.calibrate)
        if self.warm_start:  # each call of fit changes the net
            return False
        return self.solver != "lbfgs" and FEWEST_CALIBRATED <= num_rows < LARGE

    @property
    def temperature_(self) -> float:
        """What scores are divided by before they become probabilities."""
        check_is_fitted(self, "_nets")
        return self._temperature

    @property
    def _several(self) -> bool:
        """Whether a row may have several labels."""
        return self._loss == "logistic"

    def _encoded(self, y: AnyArray, *, fresh: bool, incremental: bool, classes: Any) -> AnyArray:
        with np.errstate(invalid="ignore"):  # numbers beyond int64, which cannot be labels either
            kind = type_of_target(y, input_name="y")
            fractions = y[y != y.astype(np.int64)] if kind.startswith("continuous") else y[:0]
        if kind.startswith("continuous"):
            raise ArgumentError(
                f"y must be labels, got numbers such as {fractions[0]}: Unknown label type: {kind}. Use "
                f"ThinNetRegressor for values; if these are labels, convert them to text: y.astype(str)."
            )
        if kind == "multiclass-multioutput" or (kind == "multilabel-indicator" and not np.isin(y, (0, 1)).all()):
            raise ArgumentError(
                "y must have one label per row, or columns of zeros and ones, got several columns of other labels. "
                "Wrap the estimator in sklearn.multioutput.MultiOutputClassifier."
            )
        loss = "logistic" if kind == "multilabel-indicator" else "softmax"
        if fresh:
            self._loss = loss
        elif loss != self._loss:
            raise ArgumentError(f"y must have {FORMS[self._loss]} as before, got {FORMS[loss]}. Clone the estimator.")
        if loss == "logistic":
            if fresh:
                self.classes_ = np.arange(y.shape[1])
                if not incremental and len(y) > y.shape[1] and is_one_hot(y):
                    warnings.warn(
                        "y has a one and zeros in each row, and is learned as labels of which a row may have several "
                        "or none. If each row has one class, give its number: np.asarray(y).argmax(axis=1)",
                        stacklevel=6,
                    )
            elif y.shape[1] != len(self.classes_):
                raise ArgumentError(f"y must have {len(self.classes_)} columns as before, got {y.shape[1]}.")
            return y.astype(np.float32)
        y = column_or_1d(y, warn=True)
        named = None if classes is None else checked_classes(classes)
        if fresh:
            if incremental and classes is None:
                raise ArgumentError(
                    "classes must be given in the first call of partial_fit, got None. Give every label that will ever "
                    "appear, such as classes=np.unique(y)."
                )
            self.classes_ = unique_labels(y) if named is None else named
            if not incremental and (warning := seem_no_classes("y", len(self.classes_), len(y))):
                warnings.warn(f"{warning}use ThinNetRegressor.", stacklevel=6)
        elif not incremental and not np.array_equal(self.classes_, unique_labels(y)):
            raise ArgumentError(
                f"warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                f"Previously got {self.classes_}, `y` has {unique_labels(y)}. Set warm_start=False."
            )
        elif named is not None and not np.array_equal(self.classes_, named):
            raise ArgumentError(f"classes must stay {self.classes_.tolist()}, got {named.tolist()}.")
        numbers = places(y, self.classes_)
        if numbers.min() < 0:
            raise ArgumentError(
                f"y must hold only the labels {self.classes_.tolist()}, got {y[numbers < 0].tolist()[0]!r}. Name every "
                "label in the first call, or train from scratch."
            )
        return numbers

    def _class_factors(self, targets: AnyArray, *, incremental: bool) -> FloatArray | None:
        several = self.class_weight if isinstance(self.class_weight, list | tuple) else [self.class_weight]
        if incremental and any(isinstance(weights, str) for weights in several):  # some rows are not enough for it
            raise ArgumentError(
                f"class_weight must be a dict or None for partial_fit, got {self.class_weight!r}. Compute the weights "
                "of the whole data with sklearn.utils.class_weight.compute_class_weight, and give them as a dict."
            )
        return class_weights.factors(self.class_weight, self.classes_.tolist(), targets)

    def _validation_score(
        self, scores: FloatArray, targets: AnyArray, weights: FloatArray | None
    ) -> tuple[float, float]:
        right = ((scores > 0) == targets).all(axis=1) if self._several else scores.argmax(axis=1) == targets
        accuracy = float(np.average(right, weights=weights))
        return accuracy, accuracy
