"""One pass of an optimizer's kernel over flat buffers, split among threads where that pays off."""

import functools
from collections.abc import Iterator

import numpy as np

from thinnet.kernels.optimizers import RULE_KERNELS as RULE_KERNELS
from thinnet.kernels.optimizers import update, update_part
from thinnet.parameters import Late, Parameters
from thinnet.teams import Team, parts_for, scratch, share_out
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
    """One step of an optimizer, given as the address of its kernel, `rule`.

    `buffers` are the weights and the optimizer's state; the rest is as in `thinnet.optim.FlatOptimizer`.
    """
    w, first, second = buffers
    for flat, size, table in _parts(dw, late):
        share_out(team, size, update, rule, w, flat, (first, second), numbers, table)
    if late is not None and late.update is not None:
        late.update(rule, buffers, numbers)


def update_kept(
    rule: int, buffers: list[FloatArray], dw: FloatArray, numbers: FloatArray, team: Team, thinning: Thinning
) -> None:
    """The same for only the kept units' part of the buffer; `dw` is its gradient."""
    w, first, second = buffers
    parts = parts_for(team, dw.size)
    where = thinning.kept.keep, thinning.plan, scratch(parts, w.dtype, thinning.longest_line, lines=4)
    team.run(update_part, parts, rule, w, dw, (first, second), numbers, *where)


def _parts(dw: FloatArray | Parameters, late: Late | None) -> Iterator[tuple[FloatArray, int, IntArray]]:
    """The gradients in order of use, each with its number of elements and its table for `update`."""
    if late is None or not isinstance(dw, Parameters):
        flat = dw.flat if isinstance(dw, Parameters) else dw
        yield flat, flat.size, np.array([(0, flat.size, 0)])
        return
    ends = [*dw.starts.values(), dw.size]
    yield dw.flat, *_others(tuple(late.names), tuple(zip(dw.starts, ends, ends[1:], strict=False)))
    for start, lines in late.pieces:
        yield lines.reshape(-1), lines.size, np.array([(start, start + lines.size, 0)])


@functools.lru_cache(maxsize=64)  # the same at every step
def _others(late: tuple[str, ...], arrays: tuple[tuple[str, int, int], ...]) -> tuple[int, IntArray]:
    """The total size of the arrays that are not late, and a table with a row for each of them."""
    table = [(start, stop, start) for name, start, stop in arrays if name not in late]
    return sum(stop - start for start, stop, _ in table), np.array(table, np.intp).reshape(-1, 3)
