"""The kernel of `thinnet.bfloat16.to_bits`: a line at a time, so that what makes numbers can round them right away."""

from typing import Any

import numpy as np

from thinnet.kernels.compile import inner, kernel
from thinnet.kernels.share import bounds, in_parts
from thinnet.typing import AnyArray, FloatArray

_SIXTEEN, _ONE, _HALF = np.uint32(16), np.uint32(1), np.uint32(0x7FFF)
_WITHOUT_SIGN, _INFINITY, _QUIET = np.uint32(0x7FFFFFFF), np.uint32(0x7F800000), np.uint32(0x40)


@inner()
def round_line(x: FloatArray, out: AnyArray) -> None:
    """out = the bits of x in bfloat16; both are contiguous lines, of float32 and uint16."""
    bits = x.view(np.uint32)
    for j in range(out.size):
        one = bits[j]
        upper = one >> _SIXTEEN
        nearest = np.uint32(one + (_HALF + (upper & _ONE))) >> _SIXTEEN
        out[j] = (upper | _QUIET) if (one & _WITHOUT_SIGN) > _INFINITY else nearest


@kernel()
def to_bits(share: Any, *arguments: Any) -> None:
    """out = the bits of x in bfloat16, for flat arrays."""
    in_parts(share, _to_bits, arguments)


@inner()
def _to_bits(x: FloatArray, out: AnyArray, part: int, parts: int) -> None:
    start, stop = bounds(x.size, part, parts)
    round_line(x[start:stop], out[start:stop])
