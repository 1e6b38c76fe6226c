"""The kernels of `thinnet.data.Dataset.batch`: gather rows, make them floats and standardize them in one pass."""

from __future__ import annotations

import numpy as np

from thinnet.kernels.bfloat16 import round_line
from thinnet.kernels.compile import inline, kernel
from thinnet.typing import AnyArray, FloatArray, IntArray


@kernel()
def standardized_rows(X: AnyArray, rows: IntArray, shift: FloatArray, scale: FloatArray, out: FloatArray) -> None:
    """out[i] = (X[rows[i]] − shift) · scale, computed in float64; `shift` and `scale` are (D,) float64."""
    for i in range(rows.shape[0]):
        _standardize(X[rows[i]], shift, scale, out[i])


@kernel()
def standardized_halves(X: AnyArray, rows: IntArray, shift: FloatArray, scale: FloatArray, out: AnyArray) -> None:
    """The same in bfloat16, rounded from float32."""
    line = np.empty(out.shape[1], np.float32)
    for i in range(rows.shape[0]):
        _standardize(X[rows[i]], shift, scale, line)
        round_line(line, out[i])


@inline()
def _standardize(row: AnyArray, shift: FloatArray, scale: FloatArray, out: FloatArray) -> None:
    for j in range(out.size):
        out[j] = (row[j] - shift[j]) * scale[j]
