"""Numerical slopes of a loss that may have kinks: which of them can tell a wrong gradient, and which cannot."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from thinnet.typing import FloatArray

FINER = 8  # how many times smaller each step of a closer look is than the one before
LOOKS = 4  # steps of a closer look, the first one included
ROUNDINGS = 16  # units in the last place that a difference of two losses may be wrong by
PLACES = 6  # where a slope is looked at that disagrees by each step
HAIR = 2.0  # how far from each other they lie, in the last step
FIRM = 32  # how many times its own changes from place to place a disagreement must be

Index = tuple[int, ...]
Compute = Callable[[], tuple[float, Mapping[str, Any]]]  # the loss and its gradients, of the parameters as they are
Loss = Callable[[Any], float]  # the same without the gradients; what it takes says nothing


def around(f: Callable[[FloatArray], Any], x: FloatArray, index: Index, h: float) -> tuple[Any, Any]:
    """f with one element raised by h and lowered by h; the element is put back even where f fails."""
    old = x[index]
    try:
        x[index] = old + h
        above = np.copy(f(x))
        x[index] = old - h
        return above, np.copy(f(x))
    finally:
        x[index] = old


@contextmanager
def moved(params: Mapping[str, FloatArray], size: float, number: int) -> Iterator[dict[str, FloatArray]]:
    """All parameters moved to one of many places close by, and put back in the end; gives the direction taken."""
    before = {name: w.copy() for name, w in params.items()}
    generator = np.random.default_rng(number)
    direction: dict[str, FloatArray] = {name: generator.standard_normal(w.shape) for name, w in params.items()}
    try:
        for name, w in params.items():
            w[...] += size * direction[name]
        yield direction
    finally:
        for name, w in params.items():
            w[...] = before[name]


def closer_slope(
    compute: Compute, f: Loss, params: Mapping[str, FloatArray], name: str, index: Index, bound: float, h: float
) -> tuple[float, bool]:
    """The slope at one element by smaller and smaller steps, until one is within `bound` of the analytic one.

    It comes with whether it is firm; it is not where there is a kink, or more rounding than slope.
    A kink of a ReLU or a hinge within a step spoils its difference; a smaller one most often stays on the kink's side.
    Where none does, all parameters are moved by a hair: at a kink the two jump then, and may agree; where the loss is
    smooth, a wrong gradient stays as wrong as it was.
    """

    def slope() -> float:
        above, below = around(f, params[name], index, step)
        return float(above - below) / (2 * step)

    loss, gradients = compute()
    claimed, slopes, step = float(gradients[name][index]), [], h
    for step in (h / FINER**look for look in range(LOOKS)):
        slopes.append(slope())
        if abs(slopes[-1] - claimed) <= bound:
            return slopes[-1], True
        rounding = ROUNDINGS * float(np.finfo(np.float64).eps) * abs(float(loss)) / step
        if rounding * FINER > bound:  # the next one would tell nothing
            break
    least, last, value = min(abs(slope - claimed) for slope in slopes), slopes[-2:], float(np.median(slopes))
    for number in range(PLACES):
        with moved(params, HAIR * step, number):
            last.append(slope())
            if abs(last[-1] - float(compute()[1][name][index])) <= bound:
                return value, False
    blurred = least <= max(FIRM * float(np.ptp(last)), rounding)
    return value, not blurred  # NaN is firm
