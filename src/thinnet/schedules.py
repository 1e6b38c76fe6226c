r"""Schedules: how a hyperparameter changes during training, as a factor of the configured value."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from thinnet.arguments import knows_arguments
from thinnet.checks import check_choice, check_number, check_takes
from thinnet.errors import ArgumentError


class Schedule(Protocol):
    """A function that returns the factor of a hyperparameter, such as the learning rate, at a given step."""

    def __call__(self, step: int, *, steps_per_epoch: int, total_steps: int) -> float:
        """The factor at step number `step`, counted from 0."""


@knows_arguments
@dataclass(frozen=True)
class Constant:
    """The same learning rate throughout: factor 1.

    >>> Constant()(7, steps_per_epoch=10, total_steps=100)
    1.0
    """

    def __call__(self, step: int, *, steps_per_epoch: int, total_steps: int) -> float:
        return 1.0


class _Checked:
    def __post_init__(self) -> None:
        for name, number in vars(self).items():
            check_number(name, number)


@knows_arguments
@dataclass(frozen=True)
class EpochDecay(_Checked):
    """The rate is multiplied by `factor` after each epoch.

    Args:
        factor: > 0 (0.95); the factor in epoch e, counted from 0, is factorᵉ.

    Raises:
        ArgumentError: if `factor` is not positive.

    >>> EpochDecay(0.5)(25, steps_per_epoch=10, total_steps=100)
    0.25
    """

    factor: float = 0.95

    def __call__(self, step: int, *, steps_per_epoch: int, total_steps: int) -> float:
        return float(self.factor ** (step // steps_per_epoch))


@knows_arguments
@dataclass(frozen=True)
class Cosine(_Checked):
    """A linear rise from 0 during the fraction `warmup` of all steps, then half a cosine wave down to `floor`.

    The last step has the factor `floor` itself, so with 0 it changes nothing. That matters where steps are few: with
    one minibatch an epoch it is the whole last epoch, and a `floor` of 0.01, say, makes use of it. PyTorch's
    ``CosineAnnealingLR`` and Keras's ``CosineDecay`` come to their floor one step after the last.

    Args:
        warmup: fraction of the steps, 0 <= warmup < 1.
        floor: the last factor, 0 <= floor <= 1.

    Raises:
        ArgumentError: if an argument is outside its limits.

    Source: Loshchilov and Hutter, "SGDR", arXiv 1608.03983 (2016).

    >>> [round(Cosine()(step, steps_per_epoch=10, total_steps=11), 2) for step in (0, 5, 10)]
    [1.0, 0.5, 0.0]
    """

    warmup: float = 0.0
    floor: float = 0.0

    def __call__(self, step: int, *, steps_per_epoch: int, total_steps: int) -> float:
        peak = self.warmup * (total_steps - 1)
        if step < peak:
            return (step + 1) / (peak + 1)
        return _half_cosine(1, self.floor, (step - peak) / max(total_steps - 1 - peak, 1))


@knows_arguments
@dataclass(frozen=True)
class OneCycle(_Checked):
    """Half a cosine wave from `start` up to 1 during the fraction `warmup` of all steps, then another down to `floor`.

    The last step has the factor `floor` itself, as for `Cosine`.

    Args:
        warmup: fraction of the steps, 0 <= warmup < 1.
        start: the first factor, 0 <= start <= 1.
        floor: the last factor, 0 <= floor <= 1.

    Raises:
        ArgumentError: if an argument is outside its limits.

    Source: Smith and Topin, "Super-convergence", arXiv 1708.07120 (2017).

    >>> [round(OneCycle()(step, steps_per_epoch=10, total_steps=11), 2) for step in (0, 3, 10)]
    [0.04, 1.0, 0.0]
    """

    warmup: float = 0.3
    start: float = 0.04
    floor: float = 0.0

    def __call__(self, step: int, *, steps_per_epoch: int, total_steps: int) -> float:
        peak = self.warmup * (total_steps - 1)
        if step < peak:
            return _half_cosine(self.start, 1, step / peak)
        return _half_cosine(1, self.floor, (step - peak) / max(total_steps - 1 - peak, 1))


def _half_cosine(begin: float, end: float, progress: float) -> float:
    return end + (begin - end) * (1 + math.cos(math.pi * min(progress, 1))) / 2


SCHEDULES: dict[str, Any] = {"constant": Constant, "epoch_decay": EpochDecay, "cosine": Cosine, "one_cycle": OneCycle}


def as_schedule(schedule: Any, argument: str = "schedule") -> Schedule:
    """A schedule from its name, an object, or None for a constant one; errors call it `argument`.

    Raises:
        ArgumentError: if it is anything else.

    >>> as_schedule("cosine")
    Cosine(warmup=0.0, floor=0.0)
    """
    if schedule is None:
        return Constant()
    if isinstance(schedule, str):
        named: Schedule = SCHEDULES[check_choice(argument, schedule, tuple(SCHEDULES))]()
        return named
    if isinstance(schedule, type) or not callable(schedule):
        raise ArgumentError(
            f"{argument} must be a name ({', '.join(SCHEDULES)}) or an object of thinnet.schedules, got {schedule!r}. "
            f"Write {argument}='cosine' or schedules.Cosine(), for example."
        )
    lengths = {"steps_per_epoch": 1, "total_steps": 1}
    check_takes(argument, schedule, f"{argument}(step, *, steps_per_epoch, total_steps)", 0, **lengths)
    given: Schedule = schedule
    return given


def schedules_of(options: Mapping[str, Any], schedule: Any, weight_decay_schedule: Any = None) -> dict[str, Schedule]:
    """The schedules of an optimizer's hyperparameters `options`, by name.

    Raises:
        ArgumentError: if one is not a schedule, or there is one for λ and the optimizer has no weight decay.

    >>> sorted(schedules_of({"learning_rate": 0.1, "weight_decay": 0.01}, None, "cosine"))
    ['learning_rate', 'weight_decay']
    """
    schedules = {"learning_rate": as_schedule(schedule)}
    if weight_decay_schedule is not None:
        schedules["weight_decay"] = as_schedule(weight_decay_schedule, "weight_decay_schedule")
        if "weight_decay" not in options:
            raise ArgumentError(
                f"weight_decay_schedule must be None for an optimizer without weight decay, got "
                f"{weight_decay_schedule!r}. Use optimizer='adamw' or 'lion', or leave it out."
            )
    return schedules
