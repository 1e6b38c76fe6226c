"""Mean and standard deviation of columns of large or tiny numbers, and the factors that standardize rows.

Each column is shifted by its minimum and multiplied by a power of two, both without noticeable rounding, so that
squares do not overflow or underflow, and small differences of large numbers keep their digits.
"""

from typing import Any, NamedTuple

import numpy as np

from thinnet.arrays import check_range, refuse_columns
from thinnet.checks import Error
from thinnet.errors import ArgumentError
from thinnet.standardization import Standardization
from thinnet.typing import AnyArray, FloatArray

NUMBERS_AT_ONCE = 2**15  # standardized together; few enough that their float64 values stay in the cache


class Spans(NamedTuple):
    """The minimum, maximum and unit of each column, (D,) float64 each."""

    low: FloatArray
    high: FloatArray
    unit: FloatArray  # the power of two that scales high − low to nearly 1

    def scaled(self, X: AnyArray) -> FloatArray:
        """Rows of these columns, scaled to the range from 0 to about 1."""
        return Standardization(self.low, self.unit).rows(X)


def spans(name: str, low: AnyArray, high: AnyArray, error: Error) -> Spans:
    """The spans of columns with these minima and maxima; `error` if a span overflows float64."""
    with np.errstate(over="ignore"):
        low, high = low.astype(np.float64), high.astype(np.float64)
        span = high - low
    refuse_columns(name, ~np.isfinite(span), "a span beyond 1.8e308", error)
    return Spans(low, high, power_of_two(span))


def power_of_two(size: AnyArray) -> FloatArray:
    """The power of two that scales `size` to at least ½ and less than 1; 1 for 0."""
    unit: FloatArray = np.ldexp(1.0, -np.clip(np.frexp(size)[1], -1000, 1000))
    return unit


def inverse_deviation(
    name: str, deviation: FloatArray, columns: Spans, error: Error, where: str | None = None
) -> FloatArray:
    """One over each column's standard deviation; 0 if a column is constant up to the last digit.

    `error` if that overflows float64; `where` names the column if its number does not.
    """
    largest = np.maximum(np.abs(columns.low), np.abs(columns.high))
    info = np.finfo(np.float64)  # below the smallest normal number, digits are lost for other reasons
    constant = (columns.low == columns.high) | ((deviation <= info.eps * largest) & (largest * info.eps > info.tiny))
    with np.errstate(divide="ignore", over="ignore"):
        inverse: FloatArray = np.where(constant, 0, 1 / np.where(constant, 1, deviation))
    refuse_columns(name, ~np.isfinite(inverse), "a standard deviation below 5.6e-309", error, where)
    return inverse


def standardized(
    X: AnyArray, how: Standardization, dtype: Any, name: str = "X", error: Error = ArgumentError
) -> FloatArray:
    """A dense matrix of standardized rows, computed a few at a time: all in float64 would take too much memory.

    `error` if a finite number becomes too large for `dtype`; it names the column.
    """
    out: FloatArray = np.empty(X.shape, dtype)
    at_once = max(1, NUMBERS_AT_ONCE // max(1, X.shape[1]))
    with np.errstate(over="ignore"):
        for start in range(0, len(X), at_once):
            part = slice(start, start + at_once)
            out[part] = how.rows(X[part], dtype)
    check_range(name, X, out, error)
    return out


def overall(mean: FloatArray, deviation: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of all elements, from those of columns of equal length."""
    unit = power_of_two(np.abs(mean).max(initial=0))
    center = (mean * unit).mean() / unit
    unit = power_of_two(max(np.abs(mean - center).max(initial=0), deviation.max(initial=0)))
    variance = np.square(deviation * unit).mean() + np.square((mean - center) * unit).mean()
    return np.asarray(center), np.asarray(np.sqrt(variance) / unit)
