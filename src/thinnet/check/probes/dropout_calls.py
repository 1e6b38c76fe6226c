"""Calls the dropout under check, and recovers the mask that each call actually used from its output and its input.

The inputs have no zeros and no two equal magnitudes, so that each ratio out / x shows whether its unit was dropped and
how the rest was scaled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from thinnet.check.chance import unlikely
from thinnet.check.compare import close
from thinnet.check.subject import Subject
from thinnet.typing import AnyArray, BoolArray, FloatArray

SHAPE = (80, 50)
RATES = (0.3, 0.8)  # for p: neither is one half or the complement of the other, so that no two interpretations coincide
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
        """The factor of the kept elements: the median of their ratios."""
        return float(np.median(self.ratio[self.kept])) if self.kept.any() else 0.0

    @property
    def uniform(self) -> bool:
        """Whether all kept elements have the same factor."""
        return bool(np.all(np.abs(self.ratio[self.kept] - self.scale) <= 1e-5 * max(1.0, abs(self.scale))))


def inputs(subject: Subject, shape: tuple[int, ...] = SHAPE) -> FloatArray:
    """Values of either sign and of distinct magnitudes from 0.5 to 2.5."""
    magnitudes = subject.rng.permutation(np.linspace(0.5, 2.5, int(np.prod(shape)))).reshape(shape)
    return np.asarray(magnitudes * subject.rng.choice([-1.0, 1.0], size=shape))


def call_dropout(subject: Subject, p: float, mode: str, x: FloatArray | None = None, param: Any = None) -> DropoutCall:
    """Call forward once, with its own dropout_param or with one that is passed from call to call, as in a net."""
    x, param = inputs(subject) if x is None else x, {} if param is None else param
    param |= {"p": p, "mode": mode}
    out, cache = subject.pair(FORWARD, x, param)
    out = subject.plain_array(FORWARD, out, "the output")
    if out.shape != x.shape:
        message = f"the output has shape {out.shape}, expected that of x, {x.shape}"
        raise subject.blame(FORWARD, "shape-changed", message)
    with np.errstate(all="ignore"):
        ratio = np.asarray(out / x, dtype=np.float64)
    return DropoutCall(p, x, out, cache, ratio, np.asarray(out != 0))


def check_ratios(
    subject: Subject, what: str, ratio: FloatArray, right: Sequence[float], swapped: Sequence[float], classic: bool
) -> None:
    """Check rate and scale by the ratios out / x of many units; `right` and `swapped` are probabilities of keeping.

    Kept units may be unscaled if test mode scales, the `classic` way.
    """
    kept = ratio != 0
    fits = [rate for rate in (*right, *swapped) if not unlikely(int(kept.sum()), kept.size, rate)]
    message = f"{what}: {kept.mean():.3f} of {kept.size} positive units are kept"
    if kept.all():
        raise subject.stop("inactive-in-training", message)
    if not fits or fits[0] in swapped:
        verdict = "keep-and-drop-swapped" if fits else "wrong-rate"
        raise subject.stop(verdict, f"{message}, expected {' or '.join(map('{:g}'.format, right))}")
    scale, expected = float(np.median(ratio[kept])), f"expected {1 / fits[0]:.4g}"
    times = f"{what}: what is kept is multiplied by"
    if not close(ratio[kept], scale):
        spread = f"{ratio[kept].min():.4g} to {ratio[kept].max():.4g}"
        raise subject.stop("values-changed", f"{times} {spread}, {expected}")
    if abs(scale - 1) < 1e-4 and not classic:
        raise subject.stop("not-scaled-in-training", f"{times} 1, {expected}")
    if abs(scale - 1) > 1e-4 and abs(scale * fits[0] - 1) > 1e-4:
        raise subject.stop("scaled-by-wrong-probability", f"{times} {scale:.4g}, {expected}")
