"""Summary statistics: mean and standard deviation, and a paired t-test."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from thinnet.errors import require

ROUNDING = 1e-12  # accuracies that differ by less count as equal
NUDGE = 1e-9  # more than floating-point error, and less than any displayed digit


def rounded(value: float, kind: str = ".3f") -> str:
    """Format a number, rounding halves away from zero, so that 0.9625 and 96.25 % agree.

    >>> rounded(0.9625), rounded(96.25, ".1f")
    ('0.963', '96.3')
    """
    return format(value + math.copysign(NUDGE, value), kind)


@dataclass(frozen=True)
class Spread:
    """The mean and standard deviation of some numbers; the latter is None for a single number."""

    mean: float
    deviation: float | None
    count: int

    def __format__(self, kind: str) -> str:
        parts = [self.mean] if self.deviation is None else [self.mean, self.deviation]
        return " ± ".join(rounded(part, kind or ".3f") for part in parts)


def spread(values: Sequence[float]) -> Spread:
    """Mean and sample standard deviation of at least one number.

    >>> f"{spread([0.9, 0.92]):.3f}"
    '0.910 ± 0.014'
    """
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return Spread(mean, None, 1)
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return Spread(mean, math.sqrt(variance), len(values))


@dataclass(frozen=True)
class Difference:
    """The effect of one treatment over another: the mean of the paired differences, and Student's t-test of it."""

    mean: float
    error: float  # standard error of the mean; NaN for one pair
    p: float  # two-sided; NaN if there is no test: for one pair, or if all differences are equal and not zero
    count: int

    def __str__(self) -> str:
        mean = rounded(self.mean, "+.3f")
        if self.count < 2:
            return mean
        error = f"standard error of {self.count} paired differences"
        return f"{mean} ± {rounded(self.error)} ({error}; {self.verdict})"

    @property
    def verdict(self) -> str:
        """The p value, short enough for a line."""
        if math.isnan(self.p):
            return "no test with a single pair" if self.count < 2 else "no test: all differences are alike"
        return "p < 0.001" if self.p < 0.001 else f"p = {self.p:.3f}"


def paired_difference(first: Sequence[float], second: Sequence[float]) -> Difference:
    r"""The mean of first[k] − second[k], and the paired t-test of the hypothesis that it is zero.

        t = mean / (s / √n) with n − 1 degrees of freedom

    Args:
        first, second: equally many numbers; the k-th of each come from the same conditions, such as the same seed.

    Raises:
        MissingExtraError: if SciPy is not installed.

    Source: Student, "The Probable Error of a Mean", Biometrika 6 (1908).

    >>> print(paired_difference([0.9, 0.8, 0.9], [0.8, 0.7, 0.7]))
    +0.133 ± 0.033 (standard error of 3 paired differences; p = 0.057)
    """
    differences = [a - b for a, b in zip(first, second, strict=True)]
    summary = spread(differences)
    if summary.deviation is None:
        return Difference(summary.mean, math.nan, math.nan, 1)
    error = summary.deviation / math.sqrt(summary.count)
    if error <= ROUNDING:  # t would be infinite, or one rounding error divided by another
        alike = 1.0 if abs(summary.mean) <= ROUNDING else math.nan
        return Difference(summary.mean, 0.0, alike, summary.count)
    special = require("scipy.special", extra="report", purpose="a paired t-test")
    one_sided = float(special.stdtr(summary.count - 1, -abs(summary.mean) / error))
    return Difference(summary.mean, error, 2 * one_sided, summary.count)
