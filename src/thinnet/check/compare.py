"""Compares an array with what it should be, and describes the difference."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from thinnet.checks import in_shape
from thinnet.typing import AnyArray, BoolArray

TOLERANCE = 1e-4  # of the largest value: allows an epsilon inside or outside the square root
Alternative = tuple[AnyArray | float, str, str]  # a wrong value, its verdict, and a text to follow the result's name
Alternatives = Sequence[Alternative] | Callable[[AnyArray], Sequence[Alternative]]  # or a function of the wrong array


@dataclass(frozen=True)
class Difference:
    """How an array differs: the verdict if it has one of its own, else "", and a message."""

    verdict: str
    message: str

    @property
    def of_output(self) -> str:
        """The verdict on a result of forward."""
        return self.verdict if self.verdict not in ("", "gradient-sign", "gradient-scaled") else "wrong-output"

    @property
    def of_gradient(self) -> str:
        """The verdict on a gradient."""
        return self.verdict or "wrong-gradient"


def difference(
    what: str, got: AnyArray, expected: AnyArray | float, alternatives: Alternatives = (), batch: int = 0
) -> Difference | None:
    """What is wrong with `got`, called `what`, or None.

    The likelier alternatives come first.  `batch`, the number of rows, helps to recognize a missing or extra average.
    """
    expected = np.asarray(expected, dtype=np.float64)
    got = in_shape(got, expected.shape)
    if callable(alternatives):
        alternatives = alternatives(got) if got.shape == expected.shape and np.all(np.isfinite(got)) else ()
    known = next((known for known in alternatives if np.shape(known[0]) == got.shape and close(got, known[0])), None)
    if got.shape != expected.shape:
        shapes = f"shape {got.shape}, expected {expected.shape}"
        if known:
            return Difference(known[1], f"{what} {known[2]}, of {shapes}")
        why = ": it must be reshaped" if got.size == expected.size else ""
        why = ": it is square" if got.ndim == 4 and 0 < got.shape[2] == got.shape[3] else why
        why = ": it is transposed" if got.ndim == 2 and got.shape == expected.shape[::-1] else why
        return Difference("shape-changed", f"{what} has {shapes}{why}")
    if not np.all(np.isfinite(got)):
        return Difference("", f"{what} has {int((~np.isfinite(got)).sum())} values that are not finite")
    if close(got, expected):
        return None
    if known:
        return Difference(known[1], f"{what} {known[2]}: {_worst(got, expected)}")
    whole = f", in an array of {got.dtype}" if got.dtype.kind in "iu" else ""
    ways = {"cut to": np.trunc(expected), "rounded to": np.round(expected), "rounded down to": np.floor(expected)}
    cut = next((f"is {way} whole numbers" for way, wrong in ways.items() if np.array_equal(got, wrong)), "")
    if cut and (whole or got.any()):
        return Difference("", f"{what} {cut}{whole}: {_worst(got, expected)}")
    factor = _factor(got, expected)
    if factor is not None:
        verdict = "gradient-sign" if abs(factor + 1) < 1e-3 else "gradient-scaled"
        return Difference(verdict, f"{what} is {_multiple(factor, batch)}: {_worst(got, expected)}")
    wrong = np.abs(got - expected) > TOLERANCE * _size(expected)
    share = f"{wrong.sum()} of {expected.size} elements are wrong" if expected.size > 1 else "the value is wrong"
    share += _slice(wrong) + (", where it is zero" if got.ndim and not got[wrong].any() else "") + whole
    return Difference("", f"{what}: {share}; {_worst(got, expected)}")


def close(got: AnyArray | Sequence[float], expected: AnyArray | float, tolerance: float = TOLERANCE) -> bool:
    """Whether two arrays agree, relative to the largest expected value."""
    expected = np.asarray(expected)  # it may be an np.matrix if the code computed it
    return bool(np.all(np.abs(np.asarray(got, dtype=np.float64) - expected) <= tolerance * _size(expected)))


def _slice(wrong: BoolArray) -> str:
    """Which rows, columns or other slices are wrong, if they are wrong as a whole."""
    for axis in range(wrong.ndim if wrong.ndim > 1 else 0):
        lines = np.moveaxis(wrong, axis, 0).reshape(wrong.shape[axis], -1)
        if not wrong.all() and np.array_equal(lines.any(axis=1), lines.all(axis=1)):
            which = np.flatnonzero(lines[:, 0]).tolist()
            return f", those at [{':, ' * axis}{which if len(which) > 1 else which[0]}]"
    return ""


def _size(expected: AnyArray | float) -> float:
    return float(np.max(np.abs(expected), initial=0.0)) or 1.0


def _factor(got: AnyArray, expected: AnyArray) -> float | None:
    """The constant factor between the two arrays, if there is one."""
    square = float(np.sum(expected * expected))
    if not square:
        return None
    factor = float(np.sum(got * expected)) / square
    return factor if close(got, factor * expected) and (abs(factor) >= 1e-9 or not got.any()) else None


def _multiple(factor: float, batch: int) -> str:
    names = {-1.0: "of the wrong sign", 2.0: "twice what it should be", 0.5: "half of what it should be", 0.0: "zero"}
    names |= {-2.0: "twice what it should be and of the wrong sign"}
    if batch:
        names |= {
            1.0 * batch: f"{batch} times too large: it is summed over the batch of {batch} rather than averaged",
            1.0 / batch: f"{batch} times too small: it is averaged over the batch of {batch} once too often",
            1.0 / batch**2: f"{batch**2} times too small: it is averaged over the batch twice too often",
            -1.0 / batch: f"{batch} times too small and of the wrong sign",
        }
    for value, name in names.items():
        if abs(factor - value) <= 1e-3 * max(abs(value), 1e-3):
            return name
    return f"{factor:.4g} times what it should be"


def _worst(got: AnyArray, expected: AnyArray) -> str:
    """The element with the largest error, with its factor."""
    if not expected.shape:
        return f"got {float(got):.6g}, expected {float(expected):.6g}"
    where = np.unravel_index(int(np.argmax(np.abs(got - expected))), expected.shape)
    index = ", ".join(str(int(i)) for i in where)
    text = f"at [{index}] got {got[where]:.6g}, expected {expected[where] + 0.0:.6g}"
    return text + (f", a factor of {got[where] / expected[where] + 0.0:.4g}" if expected[where] else "")
