"""The kernel of `thinnet.data.Dataset.batch`: gather rows, turn them into floats and standardize them in one pass."""

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
