"""The training loop: which rows a step sees, at which hyperparameters, and when to end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from thinnet.schedules import Schedule
from thinnet.training.state import TrainingState
from thinnet.typing import IntArray

Factors: TypeAlias = Mapping[str, float]  # what hyperparameters are multiplied by in a step, by name


@dataclass
class Loop:
    """Steps of training, one after the other.

    Attributes:
        state: how far training has come.
        update: changes the model by one step on these rows, with these factors; the last argument is the number of the
            step. Returns the loss before it.
        rows: the rows of the minibatch of a step, counted from 0.
        schedules: give the factors, by hyperparameter.
    """

    state: TrainingState
    update: Callable[[IntArray, Factors, int], float]
    rows: Callable[[int], IntArray]
    schedules: Mapping[str, Schedule]

    def factors(self) -> dict[str, float]:
        """What the schedules multiply their hyperparameters by in the coming step."""
        state = self.state
        lengths = {"steps_per_epoch": state.steps_per_epoch, "total_steps": state.total_steps}
        return {name: schedule(state.iteration, **lengths) for name, schedule in self.schedules.items()}

    def step(self) -> float:
        """Take one step and return its loss."""
        step = self.state.iteration
        loss = self.update(self.rows(step), self.factors(), step)
        if self.state.average is not None:
            self.state.average.update()
        self.state.record(loss)
        return loss

    def run(self, step: Callable[[], float], after_step: Callable[[float], None]) -> None:
        """Take the steps that are left by `step`, calling `after_step` with the loss of each."""
        while not self.state.finished:
            after_step(step())
