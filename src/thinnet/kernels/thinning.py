"""The kernels of `thinnet.thinning.Thinning`: a line whose elements are all kept is copied whole.

`table` is that of `Thinning`; `starts`, `counts` and `indices` are those of `thinnet.thinning.KeptUnits`.
"""

from __future__ import annotations

from thinnet.kernels.compile import kernel
from thinnet.typing import AnyArray, FloatArray


@kernel()
def gather(
    whole: FloatArray, thin: FloatArray, table: AnyArray, starts: AnyArray, counts: AnyArray, indices: AnyArray
) -> None:
    """Copy the part out of the whole buffer, to the beginning of `thin`."""
    at = 0
    for start, length, lines, across in table:
        count = counts[across]
        index = indices[starts[across] : starts[across] + count]
        for i in range(counts[lines]):
            begin = start + length * indices[starts[lines] + i]
            line, part = whole[begin : begin + length], thin[at : at + count]
            if count == length:
                for j in range(length):
                    part[j] = line[j]
            else:
                for j in range(count):
                    part[j] = line[index[j]]
            at += count


@kernel()
def scatter(
    thin: FloatArray, whole: FloatArray, table: AnyArray, starts: AnyArray, counts: AnyArray, indices: AnyArray
) -> None:
    """Copy the part from the beginning of `thin` back to where it came from."""
    at = 0
    for start, length, lines, across in table:
        count = counts[across]
        index = indices[starts[across] : starts[across] + count]
        for i in range(counts[lines]):
            begin = start + length * indices[starts[lines] + i]
            line, part = whole[begin : begin + length], thin[at : at + count]
            if count == length:
                for j in range(length):
                    line[j] = part[j]
            else:
                for j in range(count):
                    line[index[j]] = part[j]
            at += count
