"""The kernel of `thinnet.thinning.Thinning`: a line whose elements are all kept is copied whole."""

from typing import Any

from thinnet.kernels.compile import inner, kernel
from thinnet.kernels.share import bounds, in_parts
from thinnet.typing import AnyArray, FloatArray

Plan = tuple[AnyArray, AnyArray, AnyArray, AnyArray]


@kernel()
def copy_kept(share: Any, *arguments: Any) -> None:
    """Copy the kept elements of the whole buffer to the start of `thin`, or from there back to where they came from.

    Each array is split into equal parts. `plan` is that of `thinnet.thinning.Thinning`.
    """
    in_parts(share, _copy_kept, arguments)


@inner()
def _copy_kept(whole: FloatArray, thin: FloatArray, back: bool, plan: Plan, part: int, parts: int) -> None:
    table, starts, counts, indices = plan
    at = 0
    for a in range(len(table)):
        start, length, lines, across = table[a]
        count = counts[across]
        index = indices[starts[across] : starts[across] + count]
        array_at, at = at, at + counts[lines] * count
        for i in range(*bounds(counts[lines], part, parts)):
            begin, thin_at = start + length * indices[starts[lines] + i], array_at + i * count
            line, kept = whole[begin : begin + length], thin[thin_at : thin_at + count]
            if count == length:
                source, target = (kept, line) if back else (line, kept)
                for j in range(length):
                    target[j] = source[j]
            elif back:
                for j in range(count):
                    line[index[j]] = kept[j]
            else:
                for j in range(count):
                    kept[j] = line[index[j]]
