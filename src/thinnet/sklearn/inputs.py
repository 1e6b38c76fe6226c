"""What an estimator is given, checked, and how it becomes the rows that nets take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import is_regressor
from sklearn.utils.validation import validate_data

from thinnet.sklearn import rows
from thinnet.sklearn.in_memory import check_in_memory
from thinnet.sklearn.sample import Sample, checked_weights
from thinnet.standardization import Standardization
from thinnet.typing import AnyArray, FloatArray

MATRIX = {"accept_sparse": "csr", "dtype": (np.float64, np.float32, np.uint8)}  # other dtypes become float64


@dataclass(frozen=True)
class Inputs:
    """How rows become what the nets take.

    Attributes:
        standardization: of the columns of the matrix.
    """

    standardization: Standardization

    def matrix(self, given: Any) -> Any:
        """The rows as a matrix of numbers, dense or compressed, not yet standardized."""
        return given


def checked(
    estimator: Any,
    X: Any,
    y: Any = None,
    sample_weight: Any = None,
    before: Inputs | None = None,
    *,
    classes: Any = None,
) -> tuple[Any, AnyArray, FloatArray | None]:
    """Rows, targets and weights as arrays that fit each other, and, where there are any, the rows `before`."""
    check_in_memory(X=X, y=y, sample_weight=sample_weight, classes=classes)
    if y is None:
        return _canonical(validate_data(estimator, X, reset=before is None, **MATRIX)), np.empty(0), None
    X, y = validate_data(
        estimator, X, y, multi_output=True, y_numeric=is_regressor(estimator), reset=before is None, **MATRIX
    )
    return _canonical(X), y.toarray() if sparse.issparse(y) else y, checked_weights(sample_weight, X)


def learn(estimator: Any, sample: Sample, *, incremental: bool) -> Inputs:
    """What the training rows say about how rows become what the nets take.

    A column that is constant in the training rows says nothing, and is left out by a scale of 0; unless more rows
    are to come.
    """
    X, weights = sample.X, sample.weights
    if not estimator.standardize:
        return Inputs(Standardization(np.zeros(X.shape[1]), np.ones(X.shape[1])))
    learned = rows.moments(X, weights)
    scale = np.where(learned.scale == 0, 1.0, learned.scale) if incremental else learned.scale
    return Inputs(Standardization(learned.mean, scale, rows.LIMIT))


def _canonical(X: Any) -> Any:
    """A sparse matrix in which no element occurs twice; the caller's own is left alone."""
    if sparse.issparse(X) and not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X
