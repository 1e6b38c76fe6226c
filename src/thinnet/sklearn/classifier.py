"""ThinNetClassifier: scikit-learn's MLPClassifier with dropout."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels
from sklearn.utils.validation import check_is_fitted, column_or_1d

from thinnet.errors import ArgumentError
from thinnet.schedules import Schedule
from thinnet.sklearn.base import MC_SAMPLES, ThinNetEstimator
from thinnet.typing import AnyArray, FloatArray


class ThinNetClassifier(ClassifierMixin, ThinNetEstimator):
    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        *,
        dropout: float = 0.1,
        dropout_mask: Literal["element", "batch"] = "element",
        normalization: Literal["batchnorm", "layernorm"] | None = None,
        standardize: bool = True,
        optimizer: str = "adam",
        optimizer_options: dict[str, Any] | None = None,
        schedule: str | Schedule = "cosine",
        alpha: float = 1e-4,
        batch_size: int | Literal["auto"] = "auto",
        learning_rate_init: float = 2e-3,
        max_iter: int | Literal["auto"] = "auto",
        class_weight: Any = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            hidden_layer_sizes,
            dropout=dropout,
            dropout_mask=dropout_mask,
            normalization=normalization,
            standardize=standardize,
            optimizer=optimizer,
            optimizer_options=optimizer_options,
            schedule=schedule,
            alpha=alpha,
            batch_size=batch_size,
            learning_rate_init=learning_rate_init,
            max_iter=max_iter,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            warm_start=warm_start,
            random_state=random_state,
            verbose=verbose,
        )
        self.class_weight = class_weight

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Make one pass over these rows, from where training stands, at a constant learning rate.

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
        if self.early_stopping:
            raise ArgumentError("early_stopping must be False for partial_fit, got True: it holds no rows out.")
        return self._fit(X, y, sample_weight, incremental=True, classes=classes)

    def predict(self, X: Any) -> AnyArray:
        """The (N,) most probable labels; for several labels a row (N, C) of zeros and ones."""
        scores = self._scores(X)
        if self._several:
            return (scores > 0).astype(int)
        predicted: AnyArray = self.classes_[scores.argmax(axis=1)]
        return predicted

    def predict_proba(
        self, X: Any, *, mc_samples: int | None = None, return_std: bool = False
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
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
        means, spreads = [], []
        for scores in self._drawn_scores(X, MC_SAMPLES if mc_samples is None else mc_samples):
            draws = self._probabilities(scores.astype(np.float64))
            means.append(draws.mean(axis=0))
            spreads.append(draws.std(axis=0))
        return (np.concatenate(means), np.concatenate(spreads)) if return_std else np.concatenate(means)

    def predict_log_proba(self, X: Any) -> FloatArray:
        """The logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def _probabilities(self, scores: FloatArray) -> FloatArray:
        probabilities: FloatArray = expit(scores) if self._several else softmax(scores, axis=-1)
        return probabilities

    @property
    def _several(self) -> bool:
        """Whether a row may have several labels."""
        check_is_fitted(self)
        return self._loss == "logistic"

    def _loss_name(self) -> str:
        return self._loss

    def _encoded(self, y: AnyArray, *, fresh: bool, incremental: bool, classes: Any) -> AnyArray:
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        if kind == "multiclass-multioutput":
            raise ArgumentError(
                "y must have one label a row, or columns of zeros and ones, got several columns of other labels. Put the "
                "estimator into sklearn.multioutput.MultiOutputClassifier."
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
        """The place of each label in ``classes_``."""
        places = np.searchsorted(self.classes_, y).clip(max=len(self.classes_) - 1)
        unknown = self.classes_[places] != y
        if unknown.any():
            raise ArgumentError(
                f"y must hold only the labels {self.classes_.tolist()}, got {y[unknown][0]!r}. Name every label in the "
                "first call, or train afresh."
            )
        return places

    def _scaled(self, targets: AnyArray, weights: FloatArray | None, *, fresh: bool) -> AnyArray:
        return targets

    def _num_outputs(self, targets: AnyArray) -> int:
        return len(self.classes_)

    def _class_factors(self, targets: AnyArray, *, incremental: bool) -> FloatArray | None:
        if self.class_weight is None:
            return None
        if incremental and isinstance(self.class_weight, str):
            raise ArgumentError(
                f"class_weight must be a dict or None for partial_fit, got {self.class_weight!r}. Compute the weights of "
                "the whole data with sklearn.utils.class_weight.compute_class_weight, and give them as a dict."
            )
        y = targets if self._loss == "logistic" else self.classes_[targets]
        factors: FloatArray = compute_sample_weight(self.class_weight, y)
        return factors

    def _stratum(self, targets: AnyArray) -> AnyArray | None:
        return targets if self._loss == "softmax" else None

    def _validation_score(self, scores: FloatArray, targets: AnyArray, weights: FloatArray | None) -> float:
        right = ((scores > 0) == targets).all(axis=1) if self._loss == "logistic" else scores.argmax(axis=1) == targets
        return float(np.average(right, weights=weights))
