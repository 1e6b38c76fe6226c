"""Numerical slopes of a loss that may have kinks, and whether each can reveal a wrong gradient."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from thinnet.typing import FloatArray

FINER = 8  # how many times smaller each step is than the one before
LOOKS = 4  # number of steps to try, including the first
ROUNDINGS = 16  # possible error of a difference of two losses, in units in the last place
PLACES = 6  # nearby places where a slope is tried that disagrees at every step
HAIR = 2.0  # how far apart they are, in units of the last step
FIRM = 32  # a disagreement must be this many times its variation between places

Index = tuple[int, ...]
Compute = Callable[[], tuple[float, Mapping[str, Any]]]  # the loss and its gradients, for the current parameters
Loss = Callable[[Any], float]  # the same without the gradients; its argument is ignored


def around(f: Callable[[FloatArray], Any], x: FloatArray, index: Index, h: float) -> tuple[Any, Any]:
    """f with one element of x raised by h, and lowered by h; the element is restored even if f raises."""
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
    """Move all parameters to nearby place `number`, yield the direction, and restore them at the end."""
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
    """The slope at one element, with smaller and smaller steps until it is within `bound` of the analytic one.

    Also returns whether it is reliable ("firm"); at a kink, or where rounding dominates, it is not.
    A kink of a ReLU or a hinge within a step spoils the difference; a smaller step usually stays on one side of it.
    If none does, all parameters are moved very slightly: at a kink the two slopes then jump and may agree; where the
    loss is smooth, a wrong gradient stays just as wrong.
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
        if rounding * FINER > bound:  # the next step would show only rounding
            break
    least, last, value = min(abs(slope - claimed) for slope in slopes), slopes[-2:], float(np.median(slopes))
    for number in range(PLACES):
        with moved(params, HAIR * step, number):
            last.append(slope())
            if abs(last[-1] - float(compute()[1][name][index])) <= bound:
                return value, False
    blurred = least <= max(FIRM * float(np.ptp(last)), rounding)
    return value, not blurred  # NaN counts as firm
