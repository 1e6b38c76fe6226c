"""Dropout of inputs of other shapes, and masks with the same number of dropped units everywhere."""

from __future__ import annotations

from functools import partial

import numpy as np

from thinnet.check.chance import unlikely
from thinnet.check.probes.draws import BACKWARD, RATES, Draw, draw, inputs
from thinnet.check.unit import Unit

TALL: tuple[tuple[int, ...], ...] = ((6, 6, 6), (5, 5, 5, 5))  # equal sizes, so that a smaller mask can broadcast
ONE = (1, 50)
CALLS_OF_ONE = 12
MORE = 10  # calls, where two have dropped as many


def check_counts(unit: Unit, draws: dict[float, list[Draw]]) -> None:
    """The number dropped must be random in each column, in each row and in all; by chance it is not at below 10⁻¹⁵."""
    groups = [one.kept for group in draws.values() for one in group]
    for axis, what in ((0, "columns"), (1, "rows")):
        counts = [kept.sum(axis=axis) for kept in groups]
        if all(np.ptp(count) == 0 for count in counts):
            size = groups[0].shape[axis]
            dropped = {p: size - int(group[0].kept.sum(axis=axis)[0]) for p, group in draws.items()}
            told = f"of the {size} elements in each of {len(counts[0])} {what} exactly "
            told += ", ".join(f"{count} with p = {p}" for p, count in dropped.items()) + " are dropped"
            unit.find("exact-count", told)
            return
    if any(len({int(one.kept.sum()) for one in group}) > 1 for group in draws.values()):
        return
    totals = {p: int(group[0].kept.sum()) for p, group in draws.items()}
    if all(int(draw(unit, p, "train").kept.sum()) == totals[p] for p in RATES for _ in range(MORE)):
        size = groups[0].size
        told = ", ".join(f"{size - total} of {size} with p = {p}" for p, total in totals.items())
        # In all it is hardly to be noticed, unless the batch is very small.
        unit.find("exact-count", f"each of {MORE + len(draws[RATES[0]])} calls drops exactly {told}", severity="note")


def check_one_row(unit: Unit, keep: dict[float, float]) -> None:
    """A batch of one: `keep` has the probability of keeping for each p."""
    for p, rate in keep.items():
        found: list[Draw] = []
        for _ in range(CALLS_OF_ONE):
            one, why = unit.attempt(partial(draw, unit, p, "train", inputs(unit, ONE)))
            if why:
                unit.find("crashed", f"with x of shape {ONE}: {why}")
                return
            found.append(one)
        kept = np.concatenate([one.kept.ravel() for one in found])
        if unlikely(int(kept.sum()), kept.size, rate):
            told = f"with p = {p} and x of shape {ONE}, {(~kept).mean():.3f} of {kept.size} are zero in"
            unit.find("wrong-rate", f"{told} {CALLS_OF_ONE} calls; expected {1 - rate:.1f}")
            return


def check_more_dimensions(unit: Unit) -> None:
    """Inputs of three and four dimensions, as convolution has them; each slice needs a mask of its own."""
    for shape in TALL:
        one, why = unit.attempt(partial(draw, unit, RATES[0], "train", inputs(unit, shape)))
        if not why and 0 < one.kept.mean() < 1:
            first = [np.take(one.kept, [0], axis=axis) for axis in range(len(shape))]
            same = [axis for axis, kept in enumerate(first) if (one.kept == kept).all()]
            why = f"all {shape[0]} slices along axis {same[0]} lose the same elements" if same else ""
        if why:
            unit.find("mask-for-two-dimensions", f"with x of shape {shape}: {why}")
            return


def check_backward_of_more_dimensions(unit: Unit) -> None:
    """Backward, where forward takes such inputs."""
    for shape in TALL:
        one, why = unit.attempt(partial(draw, unit, RATES[0], "train", inputs(unit, shape)))
        if why:
            return
        dx, why = unit.attempt(partial(unit.call, BACKWARD, np.ones(shape), one.cache))
        if not why and np.shape(dx) != shape:
            why = f"dx has shape {np.shape(dx)}, expected that of dout"
        if not why and not np.array_equal(np.asarray(dx) != 0, one.kept):
            why = "backward lets other elements through than forward kept"
        if why:
            unit.find("mask-for-two-dimensions", f"with dout of shape {shape}: {why}")
            return
