"""bfloat16: the upper half of a float32, stored as 16 bits because NumPy has no such dtype.

It has the range of float32 and 8 bits of precision: the relative rounding error is at most 1/256.

Source: Kalamkar et al., "A study of bfloat16 for deep learning training", arXiv:1905.12322 (2019).
"""

import numpy as np

from thinnet.typing import AnyArray, FloatArray

BITS = np.dtype(np.uint16)  # where a float array is expected, this dtype means bfloat16 numbers


def to_bits(x: FloatArray) -> AnyArray:
    """The nearest bfloat16 of each float32, as bits of the same shape; ties go to the even one.

    NaN stays NaN, and numbers beyond the range become infinite.

    >>> to_bits(np.array([1.0, 3.1415927], np.float32))
    array([16256, 16457], dtype=uint16)
    """
    return (rounded(x).view(np.uint32) >> 16).astype(BITS)


def from_bits(bits: AnyArray) -> FloatArray:
    """Convert bits back to float32, exactly, in the same shape.

    >>> from_bits(np.array([16256, 16457], np.uint16))
    array([1.      , 3.140625], dtype=float32)
    """
    return (bits.astype(np.uint32) << 16).view(np.float32)


def rounded(x: FloatArray) -> FloatArray:
    """Float32 numbers, each rounded to the nearest bfloat16.

    >>> rounded(np.array([3.1415927], np.float32))
    array([3.140625], dtype=float32)
    """
    x = np.ascontiguousarray(x, np.float32)
    bits = x.view(np.uint32)
    out = bits >> 16  # then in place, since each pass over memory counts
    out &= 1
    out += 0x7FFF
    out += bits
    out &= 0xFFFF0000
    nan = np.isnan(x)
    if nan.any():
        out[nan] = (bits[nan] & 0xFFFF0000) | 0x400000
    return out.view(np.float32)
