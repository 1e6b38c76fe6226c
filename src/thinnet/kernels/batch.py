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
