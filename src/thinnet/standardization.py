"""Standardization: how raw rows become the inputs of a net."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from thinnet.sparse_rows import SparseRows, kernel
from thinnet.typing import AnyArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Standardization:
    """How raw rows become the inputs of a net: ``(row − mean) · scale``, clipped to ±`limit`.

    Everything is computed in float64, since a difference of large float32 numbers would be noise, and cast at the end.

    Attributes:
        mean, scale: (D,) float64.
        limit: the largest absolute value.

    >>> Standardization(np.array([1e9]), np.array([0.5]), limit=2.0).rows(np.array([[1e9 + 2], [9e9]]))
    array([[1.],
           [2.]])
    """

    mean: FloatArray
    scale: FloatArray
    limit: float = np.inf

    def __getitem__(self, columns: slice) -> Standardization:
        """The standardization of some columns."""
        return Standardization(self.mean[columns], self.scale[columns], self.limit)

    def rows(self, X: AnyArray, dtype: Any = np.float64) -> FloatArray:
        """The standardized rows of a dense (N, D) array."""
        return self._clipped(np.subtract(X, self.mean, dtype=np.float64), self.scale).astype(dtype, copy=False)

    def sparse_rows(self, X: Any, dtype: Any = np.float64) -> SparseRows:
        """The standardized rows of a compressed sparse matrix without duplicate elements."""
        from scipy import sparse

        columns = self._columns_of_zeros
        common = self._zeros[columns], columns.astype(X.indices.dtype), np.array([0, columns.size], X.indptr.dtype)
        parts = self._differences(X.data, X.indices, dtype), X.indices, X.indptr
        return SparseRows(sparse.csr_array(common, shape=(1, X.shape[1])), sparse.csr_array(parts, shape=X.shape))

    def _differences(self, data: AnyArray, columns: IntArray, dtype: Any) -> FloatArray:
        """The differences between the standardized elements in these columns and standardized zeros."""
        if sparse := kernel():
            out = np.empty(len(data), dtype)
            sparse.differences(data, columns, self.mean, self.scale, self.limit, out)
            return out
        values = self._clipped(data - self.mean[columns], self.scale[columns])
        return (values - self._zeros[columns]).astype(dtype, copy=False)

    def _clipped(self, differences: FloatArray, scale: FloatArray) -> FloatArray:
        differences *= scale
        if self.limit < np.inf:
            np.clip(differences, -self.limit, self.limit, out=differences)
        return differences

    @functools.cached_property
    def _zeros(self) -> FloatArray:
        """The standardized row of zeros."""
        return self._clipped(0 - self.mean, self.scale)

    @functools.cached_property
    def _columns_of_zeros(self) -> IntArray:
        """The columns in which the standardized row of zeros is not zero."""
        return np.flatnonzero(self._zeros)

    def __getstate__(self) -> dict[str, Any]:
        return {"mean": self.mean, "scale": self.scale, "limit": self.limit}
