"""Calling the dropout under check, and recovering the mask that each call really used from its output and its input.

The inputs have no zeros and no two equal magnitudes, so that each ratio out / x tells whether its unit was dropped and
by what the rest was scaled.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from thinnet.check.subject import Subject
from thinnet.typing import AnyArray, BoolArray, FloatArray

SHAPE = (80, 50)
RATES = (0.3, 0.8)  # as p: neither is one half, nor the complement of the other, so that no two readings coincide
FORWARD, BACKWARD = "dropout_forward", "dropout_backward"


@dataclass
class DropoutCall:
    """One call of forward: the input, the output, their ratio, and what was kept."""

    p: float
    x: FloatArray
    out: AnyArray
    cache: Any
    ratio: FloatArray
    kept: BoolArray

    @property
    def scale(self) -> float:
        """The factor of what was kept: the median of the ratios."""
        return float(np.median(self.ratio[self.kept])) if self.kept.any() else 0.0

    @property
    def uniform(self) -> bool:
        """Whether all that was kept has one factor."""
        return bool(np.all(np.abs(self.ratio[self.kept] - self.scale) <= 1e-5 * max(1.0, abs(self.scale))))


def inputs(subject: Subject, shape: tuple[int, ...] = SHAPE) -> FloatArray:
    """Values of either sign and of distinct magnitudes from 0.5 to 2.5."""
    magnitudes = subject.rng.permutation(np.linspace(0.5, 2.5, int(np.prod(shape)))).reshape(shape)
    return np.asarray(magnitudes * subject.rng.choice([-1.0, 1.0], size=shape))


def call_dropout(subject: Subject, p: float, mode: str, x: FloatArray | None = None, param: Any = None) -> DropoutCall:
    """Call forward once, with a dropout_param of its own or with one that goes from call to call, as in a net."""
    x, param = inputs(subject) if x is None else x, {} if param is None else param
    param |= {"p": p, "mode": mode}
    out, cache = subject.pair(FORWARD, x, param)
    out = subject.array(FORWARD, out, "the output")
    if out.shape != x.shape:
        message = f"the output has shape {out.shape}, expected that of x, {x.shape}"
        raise subject.blame(FORWARD, "shape-changed", message)
    with np.errstate(all="ignore"):
        ratio = np.asarray(out / x, dtype=np.float64)
    return DropoutCall(p, x, out, cache, ratio, np.asarray(out != 0))
