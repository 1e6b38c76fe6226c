"""Dropout for inputs of other shapes, and masks that always drop the same number of units."""

import numpy as np

from thinnet.check.chance import unlikely
from thinnet.check.probes.dropout_calls import BACKWARD, RATES, DropoutCall, call_dropout, inputs
from thinnet.check.subject import Subject

TALL: tuple[tuple[int, ...], ...] = ((6, 6, 6), (5, 5, 5, 5))  # equal sizes, so that a smaller mask can broadcast
ONE = (1, 50)
CALLS_OF_ONE = 12
MORE = 10  # more calls, if the first ones drop equally many


def check_counts(subject: Subject, calls: dict[float, list[DropoutCall]]) -> None:
    """The number dropped must vary by column, by row and in total; that it does not has a chance below 10⁻¹⁵."""
    groups = [call.kept for group in calls.values() for call in group]
    for axis, what in ((0, "columns"), (1, "rows")):
        counts = [kept.sum(axis=axis) for kept in groups]
        if all(np.ptp(count) == 0 for count in counts):
            size = groups[0].shape[axis]
            dropped = {p: size - int(group[0].kept.sum(axis=axis)[0]) for p, group in calls.items()}
            message = f"of the {size} elements in each of {len(counts[0])} {what} exactly "
            message += ", ".join(f"{count} with p = {p}" for p, count in dropped.items()) + " are dropped"
            subject.report("exact-count", message)
            return
    if any(len({int(call.kept.sum()) for call in group}) > 1 for group in calls.values()):
        return
    totals = {p: int(group[0].kept.sum()) for p, group in calls.items()}
    if all(int(call_dropout(subject, p, "train").kept.sum()) == totals[p] for p in RATES for _ in range(MORE)):
        size = groups[0].size
        message = ", ".join(f"{size - total} of {size} with p = {p}" for p, total in totals.items())
        message = f"each of {MORE + len(calls[RATES[0]])} calls drops exactly {message}"
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
                why = "backward lets other elements through than forward kept"
        elif not why and 0 < call.kept.mean() < 1:
            first = [np.take(call.kept, [0], axis=axis) for axis in range(len(shape))]
            same = [axis for axis, kept in enumerate(first) if (call.kept == kept).all()]
            why = f"all {shape[0]} slices along axis {same[0]} lose the same elements" if same else ""
        if why:
            given = "dout" if backward else "x"
            subject.report("mask-for-two-dimensions", f"with {given} of shape {shape}: {why}")
            return
