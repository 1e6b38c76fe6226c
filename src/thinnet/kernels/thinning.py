"""The kernel of `thinnet.thinning.Thinning`: a line whose elements are all kept is copied whole."""

from thinnet.kernels.compile import kernel
from thinnet.typing import AnyArray, FloatArray


@kernel()
def copy_kept(
    whole: FloatArray,
    thin: FloatArray,
    back: bool,
    part: int,
    parts: int,
    table: AnyArray,
    starts: AnyArray,
    counts: AnyArray,
    indices: AnyArray,
) -> None:
    """Copy what is kept of the whole buffer to the beginning of `thin`, or from there back to where it came from.

    Of each array one of `parts` equal parts is copied, number `part`. `table` is that of `Thinning`; `starts`, `counts`
    and `indices` are those of `thinnet.thinning.KeptUnits`.
    """
    at = 0
    for start, length, lines, across in table:
        count = counts[across]
        index = indices[starts[across] : starts[across] + count]
        array_at, at = at, at + counts[lines] * count
        for i in range(part * counts[lines] // parts, (part + 1) * counts[lines] // parts):
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
