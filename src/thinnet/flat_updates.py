"""One pass of a rule's kernel over flat buffers, shared out among threads where that pays."""

import functools

import numpy as np

from thinnet.kernels.optimizers import LINE, update, update_part
from thinnet.kernels.optimizers import RULE_KERNELS as RULE_KERNELS
from thinnet.parameters import Late, Parameters, Place, whole_lines
from thinnet.teams import Team, scratch, share_out
from thinnet.thinning import Thinning
from thinnet.typing import AnyArray, FloatArray, IntArray


def update_whole(
    rule: int,
    buffers: list[FloatArray],
    dw: FloatArray | Parameters,
    numbers: FloatArray,
    team: Team,
    half: AnyArray | None,
    late: Late | None,
) -> None:
    """One step of a rule; `buffers` are the weights and its state, the rest as for `thinnet.optim.FlatOptimizer`."""
    w, first, second = buffers
    half = np.empty(0, np.uint16) if half is None else half

    def update_some(flat: FloatArray, size: int, table: IntArray, gaps: bool) -> None:
        room = scratch(team, w.dtype, LINE if gaps else 0)
        share_out(team, size, update, rule, w, flat, (first, second), numbers, half, table, room)

    if isinstance(dw, Parameters):
        names = () if late is None else tuple(late.names)
        update_some(dw.flat, w.size, *_lines(tuple(dw.places.items()), names))
    else:
        update_some(dw, w.size, np.array([(0, dw.size, 0, LINE, LINE)]), False)
    for start, lines in () if late is None else late.pieces:
        flat, gaps = whole_lines(lines).reshape(-1), not lines.flags.c_contiguous
        between = (lines.shape[1], lines.strides[0] // lines.itemsize) if gaps else (LINE, LINE)
        update_some(flat, lines.size, np.array([(start, start + lines.size, 0, *between)]), gaps)


def update_kept(
    rule: int,
    buffers: list[FloatArray],
    dw: FloatArray | Parameters,
    numbers: FloatArray,
    team: Team,
    thinning: Thinning,
) -> None:
    """The same for the part that took part in the step, whose gradient `dw` is."""
    w, first, second = buffers
    thin = dw if isinstance(dw, Parameters) else Parameters(thinning.shapes(), order=thinning.order, flat=dw)
    places = np.array([(place.start, place.pitch) for place in thin.places.values()])
    room = scratch(team, w.dtype, thinning.longest_line, lines=4)
    where = places, thinning.kept.keep, thinning.plan, room
    share_out(team, thin.flat.size, update_part, rule, w, thin.flat, (first, second), numbers, *where)


@functools.lru_cache(maxsize=64)  # the same in each step
def _lines(places: tuple[tuple[str, Place], ...], without: tuple[str, ...]) -> tuple[IntArray, bool]:
    """A row of `update`'s table for each array of a gradient but some, and whether there are gaps between its lines."""
    table, start, gaps = [], 0, False
    for name, place in places:
        stop = start + place.lines * place.length
        has_gaps = place.pitch > place.length
        if name not in without:
            table.append((start, stop, place.start, *((place.length, place.pitch) if has_gaps else (LINE, LINE))))
            gaps = gaps or has_gaps
        start = stop
    return np.array(table, np.intp).reshape(-1, 5), gaps
