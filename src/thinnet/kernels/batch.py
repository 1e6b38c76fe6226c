"""The kernels of `thinnet.data.rows`: gather rows, convert them to floats and standardize them; and mix rows."""

from typing import Any

from thinnet.kernels.compile import inline, inner, kernel
from thinnet.kernels.share import bounds, in_parts
from thinnet.typing import AnyArray, FloatArray, IntArray


@kernel()
def standardized_rows(share: Any, *arguments: Any) -> None:
    """out[i] = (X[rows[i]] − shift) · scale, computed in float64; `shift` and `scale` are (D,) float64."""
    in_parts(share, _standardized_rows, arguments)


@inner()
def _standardized_rows(
    X: AnyArray,
    rows: IntArray,
    shift: FloatArray,
    scale: FloatArray,
    out: FloatArray,
    part: int,
    parts: int,
) -> None:
    for i in range(*bounds(rows.size, part, parts)):
        _standardize(X[rows[i]], shift, scale, out[i])


@inline()
def _standardize(row: AnyArray, shift: FloatArray, scale: FloatArray, out: FloatArray) -> None:
    for j in range(out.size):
        out[j] = (row[j] - shift[j]) * scale[j]


@kernel()
def mixed_rows(share: Any, *arguments: Any) -> None:
    """out[i] = portion · X[i] + other · X[partners[i]]."""
    in_parts(share, _mixed_rows, arguments)


@inner()
def _mixed_rows(
    X: FloatArray,
    partners: IntArray,
    portion: Any,
    other: Any,
    out: FloatArray,
    part: int,
    parts: int,
) -> None:
    for i in range(*bounds(partners.size, part, parts)):
        _mix(X[i], X[partners[i]], portion, other, out[i])


@inline()
def _mix(row: FloatArray, partner: FloatArray, portion: Any, other: Any, out: FloatArray) -> None:
    for j in range(out.size):
        out[j] = portion * row[j] + other * partner[j]
