"""The training loop: which rows a step sees, at which learning rate, and when to end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from thinnet.schedules import Schedule
from thinnet.training.state import TrainingState
from thinnet.typing import IntArray


@dataclass
class Loop:
    """Steps of training, one after the other.

    Attributes:
        state: how far training has come.
        update: changes the model by one step on these rows, at a learning rate multiplied by this factor; the last
            argument is the number of the step. Returns the loss before it.
        rows: the rows of the minibatch of a step, counted from 0.
        schedule: gives the factors.
    """

    state: TrainingState
    update: Callable[[IntArray, float, int], float]
    rows: Callable[[int], IntArray]
    schedule: Schedule

    def factor(self) -> float:
        """What the schedule multiplies the learning rate by in the coming step."""
        state = self.state
        return self.schedule(state.iteration, steps_per_epoch=state.steps_per_epoch, total_steps=state.total_steps)

    def step(self) -> float:
        """Take one step and return its loss."""
        step = self.state.iteration
        loss = self.update(self.rows(step), self.factor(), step)
        if self.state.average is not None:
            self.state.average.update()
        self.state.record(loss)
        return loss

    def run(self, step: Callable[[], float], after_step: Callable[[float], None]) -> None:
        """Take the steps that are left by `step`, calling `after_step` with the loss of each."""
        while not self.state.finished:
            after_step(step())
