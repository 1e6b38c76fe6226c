"""The rows that an estimator trains on, with their targets and weights."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from thinnet.arrays import cast
from thinnet.data.checking import checked_weights
from thinnet.data.moments import power_of_two
from thinnet.errors import ArgumentError
from thinnet.typing import AnyArray, FloatArray, IntArray

MOST_MERGED = 95  # rows, by default one minibatch; up to this number, settings do not depend on the number of rows


class Sample(NamedTuple):
    """Rows with their targets and weights."""

    X: Any  # (N, D): dense, sparse in compressed rows, or columns of a table
    targets: AnyArray  # (N,) or (N, C)
    weights: FloatArray | None  # (N,), or None if every row counts once

    def take(self, index: IntArray) -> Sample:
        """The rows with these indices."""
        return Sample(self.X[index], self.targets[index], None if self.weights is None else self.weights[index])

    def without_zeros(self) -> Sample:
        """Only the rows whose weight is not zero; ArgumentError if there are none."""
        if self.weights is None or self.weights.all():
            return self
        if not self.weights.any():
            raise ArgumentError(
                "sample_weight, times class_weight, must have at least one number above zero, got zero for every row."
            )
        return self.take(np.flatnonzero(self.weights))

    def times(self, factors: FloatArray | None) -> Sample:
        """With each row's weight multiplied by a factor."""
        if factors is None:
            return self
        factors = _about_one(factors)
        return self._replace(weights=factors if self.weights is None else _about_one(self.weights * factors))

    def merged(self, matrix: Any) -> Sample:
        """Each distinct row once, in sorted order, with the sum of its weights.

        If one minibatch holds all rows, nothing else about them matters: a row of weight 2 is the same as two rows.
        `matrix` is (N, M) numbers; its rows are equal where those of the sample are.
        """
        numbers = sparse.csr_array(matrix, dtype=np.float64)
        filled = numbers[:, np.unique(numbers.indices)].toarray()  # without the many columns of zeros
        filled[np.isnan(filled)] = np.inf  # not in any row, and equal to itself, unlike NaN
        keys = np.hstack([filled, self.targets.reshape(len(filled), -1)])
        _, first, groups = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        each = np.ones(len(keys)) if self.weights is None else self.weights
        weights = np.array([math.fsum(each[groups.ravel() == group]) for group in range(len(first))])
        return self._replace(weights=None).take(first)._replace(weights=weights)

    def weighing_one(self) -> Sample:
        """With weights whose mean is 1, the scale that the loss expects; without weights if all are equal."""
        w = self.weights
        if w is None or (w == w[0]).all():
            return self._replace(weights=None)
        return self._replace(weights=w * (len(w) / w.sum()))


def relative_weights(sample_weight: Any, num_rows: int) -> FloatArray | None:
    """The (N,) weights of the rows, relative to each other, or None if every row counts once."""
    if sample_weight is None:
        return None
    given = np.full(num_rows, sample_weight) if np.isscalar(sample_weight) else sample_weight
    weights = checked_weights(given, num_rows, "sample_weight", "X", ArgumentError)
    return _about_one(cast("sample_weight", weights, np.float64))


def _about_one(weights: FloatArray) -> FloatArray:
    """The same relative weights, scaled so that the largest is about 1 and no sum or product overflows."""
    return weights * power_of_two(weights.max())
