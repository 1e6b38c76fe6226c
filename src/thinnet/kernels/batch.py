"""The kernels of `thinnet.data.rows`: gather rows, turn them into floats and standardize them; and mix them."""

from typing import Any

import numpy as np

from thinnet.kernels.bfloat16 import round_line
from thinnet.kernels.compile import inline, kernel
from thinnet.typing import AnyArray, FloatArray, IntArray


@kernel()
def standardized_rows(
    X: AnyArray, rows: IntArray, shift: FloatArray, scale: FloatArray, out: FloatArray, half: AnyArray
) -> None:
    """out[i] = (X[rows[i]] − shift) · scale, computed in float64; `shift` and `scale` are (D,) float64.

    Or the same in bfloat16 in `half`, where that is not empty, rounded from the dtype of `out`.
    """
    line = np.empty(half.shape[1], out.dtype)
    for i in range(rows.shape[0]):
        if half.size:
            _standardize(X[rows[i]], shift, scale, line)
            round_line(line, half[i])
        else:
            _standardize(X[rows[i]], shift, scale, out[i])


@inline()
def _standardize(row: AnyArray, shift: FloatArray, scale: FloatArray, out: FloatArray) -> None:
    for j in range(out.size):
        out[j] = (row[j] - shift[j]) * scale[j]


@kernel()
def mixed_rows(
    X: FloatArray, first: int, partners: IntArray, share: Any, other_share: Any, out: FloatArray, half: AnyArray
) -> None:
    """out[i] = share · X[first + i] + other_share · X[partners[i]], or the same in bfloat16 in `half`."""
    line = np.empty(half.shape[1], X.dtype)
    for i in range(partners.shape[0]):
        if half.size:
            _mix(X[first + i], X[partners[i]], share, other_share, line)
            round_line(line, half[i])
        else:
            _mix(X[first + i], X[partners[i]], share, other_share, out[i])


@inline()
def _mix(row: FloatArray, other: FloatArray, share: Any, other_share: Any, out: FloatArray) -> None:
    for j in range(out.size):
        out[j] = share * row[j] + other_share * other[j]
