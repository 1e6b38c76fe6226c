"""One pass of a rule's kernel over flat buffers, shared out among threads where that pays."""

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
    """One step of the rule whose kernel is at an address.

    `buffers` are the weights and its state, the rest is as for `thinnet.optim.FlatOptimizer`.
    """
    w, first, second = buffers
    for flat, size, table in _parts(dw, late):
        share_out(team, size, update, rule, w, flat, (first, second), numbers, table)
    if late is not None and late.update is not None:
        late.update(rule, buffers, numbers)


def update_kept(
    rule: int, buffers: list[FloatArray], dw: FloatArray, numbers: FloatArray, team: Team, thinning: Thinning
) -> None:
    """The same for the part that took part in the step, whose gradient `dw` is."""
    w, first, second = buffers
    parts = parts_for(team, dw.size)
    where = thinning.kept.keep, thinning.plan, scratch(parts, w.dtype, thinning.longest_line, lines=4)
    team.run(update_part, parts, rule, w, dw, (first, second), numbers, *where)


def _parts(dw: FloatArray | Parameters, late: Late | None) -> Iterator[tuple[FloatArray, int, IntArray]]:
    """The gradients in the order in which they are used, how many elements each has, and `update`'s table of it."""
    if late is None or not isinstance(dw, Parameters):
        flat = dw.flat if isinstance(dw, Parameters) else dw
        yield flat, flat.size, np.array([(0, flat.size, 0)])
        return
    ends = [*dw.starts.values(), dw.size]
    yield dw.flat, *_others(tuple(late.names), tuple(zip(dw.starts, ends, ends[1:], strict=False)))
    for start, lines in late.pieces:
        yield lines.reshape(-1), lines.size, np.array([(start, start + lines.size, 0)])


@functools.lru_cache(maxsize=64)  # the same in each step
def _others(late: tuple[str, ...], arrays: tuple[tuple[str, int, int], ...]) -> tuple[int, IntArray]:
    """How many elements those arrays have that are not late, and a row of the table for each of them."""
    table = [(start, stop, start) for name, start, stop in arrays if name not in late]
    return sum(stop - start for start, stop, _ in table), np.array(table, np.intp).reshape(-1, 3)
