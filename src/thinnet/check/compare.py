"""Comparing an array with what it should be, and putting the difference into words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thinnet.checks import in_shape
from thinnet.typing import AnyArray

TOLERANCE = 1e-4  # of the largest value: wide enough for an epsilon inside or outside of the root


@dataclass(frozen=True)
class Difference:
    """How an array differs: the verdict if it has a name of its own, else "", and the words."""

    verdict: str
    words: str

    @property
    def of_output(self) -> str:
        """The verdict on a result of forward."""
        return self.verdict if self.verdict not in ("", "gradient-sign", "gradient-scaled") else "wrong-output"

    @property
    def of_gradient(self) -> str:
        """The verdict on a gradient."""
        return self.verdict or "wrong-gradient"


@dataclass(frozen=True)
class Alternative:
    """A wrong value that is known, and what it means."""

    value: AnyArray | float
    verdict: str
    words: str


def difference(
    what: str, got: AnyArray, expected: AnyArray | float, alternatives: tuple[Alternative, ...] = (), batch: int = 0
) -> Difference | None:
    """What is wrong with `got`, or None.

    Args:
        what: its name, for the words.
        got: the array under check.
        expected: the right one.
        alternatives: known wrong ones, the likelier first.
        batch: the number of rows, to recognize an average taken or not taken.
    """
    expected = np.asarray(expected, dtype=np.float64)
    for one in alternatives:
        if np.shape(one.value) == got.shape != expected.shape and close(got, one.value):
            return Difference(one.verdict, f"{what} {one.words}: it has shape {got.shape}, expected {expected.shape}")
    got = in_shape(got, expected.shape)
    if got.shape != expected.shape:
        return Difference("shape-changed", _shapes(what, got, expected))
    if not np.all(np.isfinite(got)):
        return Difference("", f"{what} has {int((~np.isfinite(got)).sum())} values that are not finite")
    if close(got, expected):
        return None
    for one in alternatives:
        if np.shape(one.value) == expected.shape and close(got, one.value):
            return Difference(one.verdict, f"{what} {one.words}: {_worst(got, expected)}")
    factor = _factor(got, expected)
    if factor is not None:
        verdict = "gradient-sign" if abs(factor + 1) < 1e-3 else "gradient-scaled"
        return Difference(verdict, f"{what} is {_words(factor, batch)}: {_worst(got, expected)}")
    wrong = int((np.abs(got - expected) > TOLERANCE * _size(expected)).sum())
    share = f"{wrong} of {expected.size} elements are wrong" if expected.size > 1 else "the value is wrong"
    return Difference("", f"{what}: {share}; {_worst(got, expected)}")


def close(got: AnyArray, expected: AnyArray | float) -> bool:
    """Whether two arrays agree, measured by their largest value."""
    return bool(np.all(np.abs(np.asarray(got) - expected) <= TOLERANCE * _size(expected)))


def _size(expected: AnyArray | float) -> float:
    return float(np.max(np.abs(expected), initial=0.0)) or 1.0


def _factor(got: AnyArray, expected: AnyArray) -> float | None:
    """The one factor between the two arrays, if there is one; a single number says too little, unless it is simple."""
    square = float(np.sum(expected * expected))
    if not square:
        return None
    factor = float(np.sum(got * expected)) / square
    if not close(got, factor * expected) or (abs(factor) < 1e-9 and got.any()):
        return None
    return factor


def _words(factor: float, batch: int) -> str:
    names = {-1.0: "of the wrong sign", 2.0: "twice what it should be", 0.5: "half of what it should be", 0.0: "zero"}
    names |= {-2.0: "twice what it should be and of the wrong sign"}
    if batch:
        names |= {
            1.0 * batch: f"{batch} times too large: it is summed over the batch of {batch} rather than averaged",
            1.0 / batch: f"{batch} times too small: it is averaged over the batch of {batch} once too often",
            1.0 / batch**2: f"{batch**2} times too small: it is averaged over the batch twice too often",
            -1.0 / batch: f"{batch} times too small and of the wrong sign",
        }
    for value, words in names.items():
        if abs(factor - value) <= 1e-3 * max(abs(value), 1e-3):
            return words
    return f"{factor:.4g} times what it should be"


def _worst(got: AnyArray, expected: AnyArray) -> str:
    """The element that is most wrong, with its factor."""
    if not expected.shape:
        return f"got {float(got):.6g}, expected {float(expected):.6g}"
    where = np.unravel_index(int(np.argmax(np.abs(got - expected))), expected.shape)
    index = ", ".join(str(int(i)) for i in where)
    text = f"at [{index}] got {got[where]:.6g}, expected {expected[where]:.6g}"
    return text + (f", a factor of {got[where] / expected[where] + 0.0:.4g}" if expected[where] else "")


def _shapes(what: str, got: AnyArray, expected: AnyArray) -> str:
    text = f"{what} has shape {got.shape}, expected {expected.shape}"
    if got.shape == expected.shape[::-1] and got.ndim == 2:
        return f"{text}: it is transposed"
    if got.size == expected.size:
        return f"{text}: it must be reshaped"
    return text
