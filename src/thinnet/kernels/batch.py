"""The twin of `thinnet.data.Dataset.batch`: gather rows, turn them into floats and standardize them in one pass."""

from __future__ import annotations

from thinnet.kernels.compile import kernel
from thinnet.typing import AnyArray, FloatArray, IntArray


@kernel()
def standardized_rows(X: AnyArray, rows: IntArray, shift: FloatArray, scale: FloatArray, out: FloatArray) -> None:
    """out[i] = (X[rows[i]] − shift) · scale, computed in float64; `shift` and `scale` are (D,) float64."""
    for i in range(rows.shape[0]):
        row = rows[i]
        for j in range(out.shape[1]):
            out[i, j] = (X[row, j] - shift[j]) * scale[j]


@kernel()
def standardized_csr_rows(
    data: FloatArray,
    indices: IntArray,
    indptr: IntArray,
    rows: IntArray,
    shift: FloatArray,
    scale: FloatArray,
    limit: float,
    out: FloatArray,
) -> None:
    """out[i] = (X[rows[i]] − shift) · scale within ± `limit`, for a sparse X in compressed rows.

    The twin of `thinnet.sklearn.rows.standardized`; each column occurs at most once in a row. Computed in float64.
    """
    for i in range(rows.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = min(max(-shift[j] * scale[j], -limit), limit)
        for k in range(indptr[rows[i]], indptr[rows[i] + 1]):
            j = indices[k]
            out[i, j] = min(max((data[k] - shift[j]) * scale[j], -limit), limit)
