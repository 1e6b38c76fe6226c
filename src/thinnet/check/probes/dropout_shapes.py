"""Dropout for inputs of other shapes, and masks that always drop the same number of units."""

import numpy as np

from thinnet.check.chance import unlikely
from thinnet.check.probes.dropout_calls import BACKWARD, RATES, SHAPE, DropoutCall, call_dropout, inputs
from thinnet.check.subject import Subject
from thinnet.typing import BoolArray

TALL: tuple[tuple[int, ...], ...] = ((6, 6, 6), (5, 5, 5, 5))  # equal sizes, so that a smaller mask can broadcast
ONE = (1, 50)
CALLS_OF_ONE = 12
MORE = 10  # more calls, if the first ones drop equally many


def check_counts(subject: Subject, calls: dict[float, list[DropoutCall]]) -> None:
    """The number dropped must vary by column, by row and in total; that it does not has a chance below 10⁻¹⁵."""
    first = {p: group[0].kept for p, group in calls.items()}

    def counts(of: dict[float, BoolArray]) -> str:
        """How many elements are dropped of each of these."""
        return " and ".join(f"{(~kept).sum()} of {kept.size} elements with p = {p}" for p, kept in of.items())

    for axis, what in ((0, "columns"), (1, "rows")):
        if not any(np.ptp(call.kept.sum(axis=axis)) for group in calls.values() for call in group):
            one = counts({p: kept.take([0], 1 - axis) for p, kept in first.items()})
            subject.report("exact-count", f"each of {SHAPE[1 - axis]} {what} loses exactly {one}")
            return
    totals = {p: kept.sum() for p, kept in first.items()}
    if any(call.kept.sum() != totals[p] for p, group in calls.items() for call in group):
        return
    if all(call_dropout(subject, p, "train").kept.sum() == totals[p] for p in RATES for _ in range(MORE)):
        message = f"each of {MORE + len(calls[RATES[0]])} calls drops exactly {counts(first)}"
        subject.report("exact-count", message, severity="note")  # hardly noticeable, unless the batch is very small


def check_one_row(subject: Subject, keep: dict[float, float]) -> None:
    """A batch of one row; `keep` has the probability of keeping for each p."""
    for p, rate in keep.items():
        found = []
        for _ in range(CALLS_OF_ONE):
            call, why = subject.attempt(call_dropout, subject, p, "train", inputs(subject, ONE))
            if why:
                subject.report("crashed", f"with x of shape {ONE}: {why}")
                return
            found.append(call.kept)
        kept = np.concatenate(found)
        if unlikely(int(kept.sum()), kept.size, rate):
            message = f"with p = {p} and x of shape {ONE}, {(~kept).mean():.3f} of {kept.size} are zero in"
            subject.report("wrong-rate", f"{message} {CALLS_OF_ONE} calls; expected {1 - rate:.1f}")
            return


def check_more_dimensions(subject: Subject, backward: bool = False) -> None:
    """Inputs of three and four dimensions, as in convolution; each slice needs a mask of its own.

    Backward is checked only if forward takes such inputs.
    """
    for shape in TALL:
        call, why = subject.attempt(call_dropout, subject, RATES[0], "train", inputs(subject, shape))
        if backward and why:
            return
        if backward:
            dx, why = subject.attempt(subject.call, BACKWARD, np.ones(shape), call.cache)
            if not why and np.shape(dx) != shape:
                why = f"dx has shape {np.shape(dx)}, expected that of dout"
            if not why and not np.array_equal(np.asarray(dx) != 0, call.kept):
                why = "backward does not let through the elements that forward kept"
        elif not why and 0 < call.kept.mean() < 1:
            first = [np.take(call.kept, [0], axis=axis) for axis in range(len(shape))]
            same = [axis for axis, kept in enumerate(first) if (call.kept == kept).all()]
            why = f"all {shape[0]} slices along axis {same[0]} lose the same elements" if same else ""
        if why:
            given = "dout" if backward else "x"
            subject.report("mask-for-two-dimensions", f"with {given} of shape {shape}: {why}")
            return
