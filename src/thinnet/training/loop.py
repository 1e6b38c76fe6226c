"""The training loop: the rows and hyperparameters of each step, and when to end."""

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from thinnet.errors import ArgumentError
from thinnet.schedules import Schedule
from thinnet.training.state import TrainingState
from thinnet.typing import IntArray

Factors: TypeAlias = Mapping[str, float]  # the factors of hyperparameters in a step, by name


@dataclass
class Loop:
    """The training steps, one after another.

    Attributes:
        state: the progress of training.
        update: updates the model by one step, given the rows, the factors and the step number; returns the loss before
            the step.
        rows: returns the rows of the minibatch of a step; steps count from 0.
        schedules: compute the factors, by hyperparameter.
    """

    state: TrainingState
    update: Callable[[IntArray, Factors, int], float]
    rows: Callable[[int], IntArray]
    schedules: Mapping[str, Schedule]

    def factors(self) -> dict[str, float]:
        """The schedules' factors for the next step, by hyperparameter."""
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
        """Take the remaining steps with `step`, and call `after_step` with the loss of each."""
        while not self.state.finished:
            after_step(step())


def _checked_factor(name: str, factor: Any, step: int) -> float:
    """The factor that a schedule returned, checked and as a float."""
    with suppress(TypeError, ValueError):
        if not isinstance(factor, str) and 0 <= float(factor) < math.inf:
            return float(factor)
    raise ArgumentError(
        f"the schedule of {name} must return a finite number >= 0, by which {name} is multiplied, got {factor!r} in "
        f"step {step}. Fix what it returns."
    )
