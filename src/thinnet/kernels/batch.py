"""The twin of `thinnet.data.Dataset.batch`: gather rows, turn them into floats and standardize them in one pass."""

from __future__ import annotations

from thinnet.kernels.compile import kernel
from thinnet.typing import AnyArray, FloatArray, IntArray


@kernel()
def standardized_rows(X: AnyArray, rows: IntArray, shift: FloatArray, scale: FloatArray, out: FloatArray) -> None:
    """out[i] = (X[rows[i]] − shift) · scale; `shift` and `scale` are (D,), of the dtype of `out`."""
    for i in range(rows.shape[0]):
        row = rows[i]
        for j in range(out.shape[1]):
            out[i, j] = (out.dtype.type(X[row, j]) - shift[j]) * scale[j]


@kernel()
def standardized_csr_rows(
    data: FloatArray,
    indices: IntArray,
    indptr: IntArray,
    rows: IntArray,
    shift: FloatArray,
    scale: FloatArray,
    out: FloatArray,
) -> None:
    """The same for a sparse matrix in compressed rows, each column at most once in a row; computed in float64."""
    for i in range(rows.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = -shift[j] * scale[j]
        for k in range(indptr[rows[i]], indptr[rows[i] + 1]):
            j = indices[k]
            out[i, j] = (data[k] - shift[j]) * scale[j]
