"""One pass of a rule's kernel over flat buffers, shared out among threads where that pays."""

import numpy as np

from thinnet.kernels.optimizers import LINE, update, update_part
from thinnet.parameters import Parameters
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
) -> None:
    """One step of a rule; `buffers` are the weights and its state, the rest as for `thinnet.optim.FlatOptimizer`."""
    w, first, second = buffers
    half = np.empty(0, np.uint16) if half is None else half
    flat, table = _lines(dw)
    gaps = (table[:, 4] > table[:, 3]).any()  # behind the lines of an array's gradient
    room = scratch(team, w.dtype, LINE if gaps else 0)
    share_out(team, w.size, update, rule, w, flat, (first, second), numbers, half, table, room)


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


def _lines(dw: FloatArray | Parameters) -> tuple[FloatArray, IntArray]:
    """The buffer of a gradient, and a row of `update`'s table for each array in it."""
    if not isinstance(dw, Parameters):
        return dw, np.array([(0, dw.size, 0, LINE, LINE)])
    table, start = [], 0
    for place in dw.places.values():
        stop = start + place.lines * place.length
        lines = (place.length, place.pitch) if place.pitch > place.length else (LINE, LINE)
        table.append((start, stop, place.start, *lines))
        start = stop
    return dw.flat, np.array(table)
