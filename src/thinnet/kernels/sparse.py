"""The kernels of `thinnet.sparse_rows`: products of compressed rows with a matrix in C or F order.

`indptr`, `indices` and `values` are the rows: row i has values[k] in column indices[k] for indptr[i] <= k <
indptr[i + 1]. In C order, a whole row of the matrix is read for each value; in F order, one column after the other.
"""

import numpy as np

from thinnet.kernels.compile import allocating_kernel, kernel
from thinnet.typing import AnyArray, FloatArray, IntArray


@kernel()
def differences(
    data: AnyArray, indices: IntArray, mean: FloatArray, scale: FloatArray, limit: float, out: FloatArray
) -> None:
    """How much each standardized element differs from a standardized zero; see `thinnet.standardization`."""
    for k in range(out.size):
        center, factor = mean[indices[k]], scale[indices[k]]
        zero = min(max(-center * factor, -limit), limit)
        out[k] = min(max((data[k] - center) * factor, -limit), limit) - zero


@allocating_kernel()
def product(
    indptr: IntArray, indices: IntArray, values: FloatArray, W: FloatArray, start: FloatArray, out: FloatArray
) -> None:
    """out = rows · W + start, for W in C order; `start` is a row. Sums are taken in float64."""
    total = np.empty(W.shape[1], np.float64)
    for i in range(out.shape[0]):
        for j in range(total.size):  # compiles in a second; `total[:] = start` takes five
            total[j] = start[j]
        for k in range(indptr[i], indptr[i + 1]):
            value, row = np.float64(values[k]), W[indices[k]]
            for j in range(total.size):
                total[j] += value * row[j]
        for j in range(total.size):
            out[i, j] = total[j]


@kernel()
def product_by_columns(
    indptr: IntArray, indices: IntArray, values: FloatArray, W: FloatArray, start: FloatArray, out: FloatArray
) -> None:
    """The same for W in F order."""
    for j in range(W.shape[1]):
        column = W[:, j]
        for i in range(out.shape[0]):
            total = np.float64(start[j])
            for k in range(indptr[i], indptr[i + 1]):
                total += values[k] * column[indices[k]]
            out[i, j] = total


@kernel()
def inplace_add_gradient(
    indptr: IntArray, indices: IntArray, values: FloatArray, dz: FloatArray, out: FloatArray
) -> None:
    """out += rowsᵀ · dz, for `out` in C order; there may be gaps between its rows."""
    for i in range(dz.shape[0]):
        for k in range(indptr[i], indptr[i + 1]):
            value, row = out.dtype.type(values[k]), out[indices[k]]
            for j in range(dz.shape[1]):
                row[j] += value * dz[i, j]


@kernel()
def inplace_add_gradient_by_columns(
    indptr: IntArray, indices: IntArray, values: FloatArray, dz: FloatArray, out: FloatArray
) -> None:
    """The same for an F-order matrix, passed transposed: its columns are the rows of `out`."""
    for j in range(dz.shape[1]):
        column = out[j]
        for i in range(dz.shape[0]):
            for k in range(indptr[i], indptr[i + 1]):
                column[indices[k]] += out.dtype.type(values[k]) * dz[i, j]
