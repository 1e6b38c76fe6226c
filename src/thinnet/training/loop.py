"""The training loop: which rows a step sees, at which hyperparameters, and when to end."""

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from thinnet.errors import ArgumentError
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
        factors = {name: schedule(state.iteration, **lengths) for name, schedule in self.schedules.items()}
        for name, factor in factors.items():
            if not (type(factor) is float and 0 <= factor < math.inf):
                factors[name] = _checked_factor(name, factor, state.iteration)
        return factors

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


def _checked_factor(name: str, factor: Any, step: int) -> float:
    """What a schedule of the caller's gave, as a float."""
    with suppress(TypeError, ValueError):
        if not isinstance(factor, str) and 0 <= float(factor) < math.inf:
            return float(factor)
    raise ArgumentError(
        f"the schedule of {name} must return a finite number >= 0, by which {name} is multiplied, got {factor!r} in "
        f"step {step}. Fix what it returns."
    )
