"""One pass of a rule's kernel over flat buffers, shared out among threads where that pays."""

import functools
from collections.abc import Iterator

import numpy as np

from thinnet.kernels.optimizers import LINE, update, update_part
from thinnet.kernels.optimizers import RULE_KERNELS as RULE_KERNELS
from thinnet.parameters import Late, Parameters, Place, whole_lines
from thinnet.teams import Team, parts_for, scratch
from thinnet.thinning import Thinning
from thinnet.typing import FloatArray, IntArray


def update_whole(
    rule: int,
    buffers: list[FloatArray],
    dw: FloatArray | Parameters,
    numbers: FloatArray,
    team: Team,
    late: Late | None,
) -> None:
    """One step of a rule; `buffers` are the weights and its state, the rest as for `thinnet.optim.FlatOptimizer`."""
    w, first, second = buffers
    for flat, size, table, gaps in _parts(dw, late):
        parts = parts_for(team, size)
        room = scratch(parts, w.dtype, LINE if gaps else 0)
        team.run(update, parts, rule, w, flat, (first, second), numbers, table, room)
    if late is not None and late.update is not None:
        late.update(rule, buffers, numbers)


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
    parts = parts_for(team, thin.flat.size)
    where = places, thinning.kept.keep, thinning.plan, scratch(parts, w.dtype, thinning.longest_line, lines=4)
    team.run(update_part, parts, rule, w, thin.flat, (first, second), numbers, *where)


Part = tuple[FloatArray, int, IntArray, bool]  # a gradient, its elements, their `table`, and whether there are gaps


def _parts(dw: FloatArray | Parameters, late: Late | None) -> Iterator[Part]:
    """The gradients in the order in which they are used."""
    if isinstance(dw, Parameters):
        left_out = () if late is None else tuple(i for i, name in enumerate(dw.places) if name in late.names)
        yield dw.flat, *_lines(left_out, *dw.places.values())
    else:
        yield dw, dw.size, np.array([(0, dw.size, 0, LINE, LINE)]), False
    for start, lines in () if late is None else late.pieces:
        flat, gaps = whole_lines(lines).reshape(-1), not lines.flags.c_contiguous
        between = (lines.shape[1], lines.strides[0] // lines.itemsize) if gaps else (LINE, LINE)
        yield flat, lines.size, np.array([(start, start + lines.size, 0, *between)]), gaps


@functools.lru_cache(maxsize=64)  # the same in each step
def _lines(left_out: tuple[int, ...], *places: Place) -> tuple[int, IntArray, bool]:
    """How many elements a gradient has, a row of `update`'s table for each of its arrays, and whether there are gaps
    between its lines; some arrays, by their numbers, left out.
    """
    table, start, size, gaps = [], 0, 0, False
    for number, place in enumerate(places):
        stop = start + place.lines * place.length
        if number not in left_out:
            has_gaps = place.pitch > place.length
            table.append((start, stop, place.start, *((place.length, place.pitch) if has_gaps else (LINE, LINE))))
            size, gaps = size + stop - start, gaps or has_gaps
        start = stop
    return size, np.array(table, np.intp).reshape(-1, 5), gaps
