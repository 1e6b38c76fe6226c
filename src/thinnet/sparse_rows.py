"""Standardized sparse rows that are never made dense: the operations that a net's first layer needs."""

from __future__ import annotations

from typing import Any

import numpy as np

from thinnet import kernels
from thinnet.typing import AnyArray, FloatArray, IntArray


class SparseRows:
    r"""Rows :math:`x_i = c + \delta_i`: a row c common to all, plus each row's differences from it, both sparse.

    Standardization makes the zeros of a sparse matrix nonzero, but with the same values c in every row. So
    X · W = δ · W + c · W, and Xᵀ · dz = δᵀ · dz + c ⊗ Σ dz, at a cost proportional to the stored elements.

    Args:
        common: a (1, D) `scipy.sparse.csr_array` of float64.
        differences: an (N, D) `scipy.sparse.csr_array` of floats without duplicate elements.

    >>> from scipy import sparse
    >>> common, differences = sparse.csr_array([[0.0, 1.0]]), sparse.csr_array([[2.0, 0.0], [0.0, 3.0]])
    >>> SparseRows(common, differences) @ np.eye(2)
    array([[2., 1.],
           [0., 4.]])
    """

    def __init__(self, common: Any, differences: Any) -> None:
        self.common, self.differences = common, differences
        self.shape: tuple[int, int] = differences.shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> SparseRows:
        return SparseRows(self.common, self.differences[rows])

    def __matmul__(self, W: FloatArray) -> FloatArray:
        out = np.empty((len(self), W.shape[1]), W.dtype)
        self.matmul(W, out)
        return out

    def matmul(self, W: FloatArray, out: FloatArray) -> None:
        """Write the product with the (D, M) matrix W into the (N, M) array `out`, which may have a wider dtype."""
        shared = np.zeros((1, W.shape[1]))
        if sparse := kernel():
            product = sparse.product if W.flags.c_contiguous else sparse.product_by_columns
            product(*_parts(self.common), W, np.zeros(W.shape[1]), shared)
            product(*_parts(self.differences), W, shared[0], out)
        else:
            np.add(self.differences @ W, self.common @ W, out=out, casting="same_kind")

    def weight_gradient(self, dz: FloatArray, out: FloatArray) -> None:
        """Write the (D, M) gradient with respect to W into `out`, given `dz`, the (N, M) gradient of the product."""
        total = dz.sum(axis=0, dtype=np.float64)[None]
        out[...] = 0
        if sparse := kernel():
            by_columns = out.strides[0] < out.strides[1]
            add = sparse.inplace_add_gradient_by_columns if by_columns else sparse.inplace_add_gradient
            lines = out.T if by_columns else out
            add(*_parts(self.common), total, lines)
            add(*_parts(self.differences), dz, lines)
        else:
            out += self.differences.T @ dz
            out[self.common.indices] += np.outer(self.common.data, total).astype(out.dtype)

    def mixed(self, partners: IntArray, share: Any) -> SparseRows:
        """share · rows + (1 − share) · rows[partners]; the common row does not change."""
        own, other = self.differences, self.differences[partners]
        return SparseRows(self.common, own * share + other * type(share)(1 - share))

    def largest(self) -> float:
        """A bound on the absolute value of every element."""
        return float(np.abs(self.common.data).max(initial=0) + np.abs(self.differences.data).max(initial=0))


def kernel() -> Any:
    """The module `thinnet.kernels.sparse`, or None if there are no kernels."""
    if not kernels.available():
        return None
    from thinnet.kernels import sparse

    return sparse


def _parts(rows: Any) -> tuple[AnyArray, AnyArray, AnyArray]:
    return rows.indptr, rows.indices, rows.data
