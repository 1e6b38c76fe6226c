"""How the learning rate changes: scikit-learn's three ways, and the schedules of `thinnet.schedules`."""

from dataclasses import dataclass
from typing import Any

from thinnet.checks import check_choice
from thinnet.errors import ArgumentError
from thinnet.schedules import SCHEDULES, Constant, Schedule, as_schedule

LOWERED_BY = 5.0  # what an adaptive rate is divided by
LOWEST = 1e-6  # the rate at which training with an adaptive rate ends
OF_SGD = ("invscaling", "adaptive")  # scikit-learn has these only for this solver
NAMES = ("auto", *OF_SGD, *SCHEDULES)


@dataclass(frozen=True)
class InverseScaling:
    """The factor (t + 1)^-power, where t is the number of rows seen before the pass."""

    power: float
    rows_a_pass: int
    rows_before: int = 0  # before training started or continued

    def __call__(self, step: int, *, steps_per_epoch: int, total_steps: int) -> float:
        return float((self.rows_before + step // steps_per_epoch * self.rows_a_pass + 1) ** -self.power)


@dataclass
class Adaptive:
    """The same factor until `lower` is called, which divides it by five."""

    lowest: float  # at which training ends
    factor: float = 1.0

    def __call__(self, step: int, *, steps_per_epoch: int, total_steps: int) -> float:
        return self.factor

    def lower(self) -> bool:
        """Divide the factor by five, unless it is low enough for training to end; return whether it was divided."""
        if self.factor <= self.lowest:
            return False
        self.factor /= LOWERED_BY
        return True


def check_learning_rate(learning_rate: Any) -> None:
    """Raise ArgumentError if this is neither a name nor a schedule."""
    if isinstance(learning_rate, (int, float)):
        raise ArgumentError(
            f"learning_rate must be the name of a schedule, got {learning_rate!r}. Give the number as "
            f"learning_rate_init={learning_rate!r}."
        )
    if learning_rate is None or isinstance(learning_rate, str):
        check_choice("learning_rate", learning_rate, NAMES)
    else:
        as_schedule(learning_rate, "learning_rate")


def schedule_for(learning_rate: Any, solver: str, rate: float, scaling: InverseScaling) -> Schedule:
    """The schedule for training that starts with this rate; `scaling` is what ``"invscaling"`` means.

    If the solver is not ``"sgd"``, scikit-learn's two names for that solver mean a constant rate.
    """
    if not (isinstance(learning_rate, str) and learning_rate in OF_SGD):
        return as_schedule(learning_rate)
    if solver != "sgd":
        return Constant()
    return Adaptive(LOWEST / rate) if learning_rate == "adaptive" else scaling


def stops_by_loss(schedule: Schedule) -> bool:
    """Whether training ends when the loss no longer falls; other schedules always run to their end."""
    return isinstance(schedule, Constant | Adaptive | InverseScaling)
