"""The passes over a training set, each one what scikit-learn calls an iteration."""

from __future__ import annotations

from collections.abc import Iterator

from thinnet.data.batches import BatchOrder
from thinnet.schedules import Schedule
from thinnet.sklearn.rows import Reader
from thinnet.sklearn.sample import Sample
from thinnet.training.updates import BatchUpdate


def passes(
    update: BatchUpdate,
    read: Reader,
    sample: Sample,
    order: BatchOrder,
    *,
    learning_rate: float,
    schedule: Schedule,
    num_passes: int,
    first_pass: int,
) -> Iterator[float]:
    """Train by whole passes, in each of which every row comes once; gives the mean loss of the rows after each.

    The masks go on with the net's own count of steps, and the order of the rows with the number of the pass, so that
    training that is taken up again does not repeat itself.

    Args:
        update: changes the net by one minibatch.
        read: gives the standardized rows of a minibatch.
        sample: has their targets and weights.
        order: which rows each minibatch has.
        learning_rate: what the schedule's factor multiplies.
        schedule: laid out over `num_passes`.
        first_pass: how many passes the net has seen before.

    Raises:
        NumericalError: if the loss or a gradient is not finite; the net is then as it was before that step.
    """
    weights = None if sample.weights is None else sample.weights.astype(update.net.dtype)
    steps = order.steps_per_epoch
    for number in range(num_passes):
        loss = 0.0
        for step in range(number * steps, (number + 1) * steps):
            index = order.rows(first_pass * steps + step)
            weight = None if weights is None else weights[index]
            factor = schedule(step, steps_per_epoch=steps, total_steps=steps * num_passes)
            loss += len(index) * update(read(index), sample.targets[index], weight, learning_rate * factor)
        yield loss / order.num_rows
