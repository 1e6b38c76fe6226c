"""What is learned of a column of numbers: what stands for missing ones, and the bins of its encoding."""

from dataclasses import dataclass

import numpy as np

from thinnet.data.moments import power_of_two
from thinnet.errors import ArgumentError
from thinnet.sklearn.table.columns import Numbers
from thinnet.typing import AnyArray, FloatArray


@dataclass(frozen=True, eq=False)
class LearnedNumbers:
    r"""How one column of numbers becomes columns of the matrix: its values, perhaps one for each bin, an indicator.

    With knots :math:`b_0 < \dots < b_K`, there are also K numbers for each value x (piecewise-linear encoding,
    Gorishniy et al., arXiv 2203.05556), the share of each bin that lies below x:

    .. math:: e_k = \min(\max((x - b_{k-1}) / (b_k - b_{k-1}), 0), 1)

    A net that is linear in them bends at every knot; beyond the outermost ones x itself goes on.
    """

    name: str
    fill: float  # the weighted mean of the training rows, which stands for missing numbers
    is_empty: bool = False  # whether the training rows had no number; then the column is 0 whatever comes
    has_indicator: bool = False  # whether some were missing in training, so that a column of the matrix says where
    knots: FloatArray | None = None  # (K + 1,) float64, the ends of the bins

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the matrix's columns."""
        ends = () if self.knots is None else zip(self.knots[:-1], self.knots[1:], strict=True)
        bins = [f"{self.name}: {low:g} to {high:g}" for low, high in ends]
        return self.name, *bins, *[f"{self.name}: missing"] * self.has_indicator

    @property
    def width(self) -> int:
        """How many columns of the matrix there are."""
        return 1 + self.num_bins + self.has_indicator

    @property
    def num_bins(self) -> int:
        """How many bins there are."""
        return 0 if self.knots is None else len(self.knots) - 1

    def write(self, column: Numbers, out: FloatArray) -> None:
        """Write the rows into `out`, (N, width) zeros."""
        if self.is_empty:
            return
        values = column.values
        missing = np.isnan(values) if values.dtype.kind == "f" else None
        if missing is not None and missing.any():
            values = np.where(missing, self.fill, values)
            if self.has_indicator:
                out[:, -1] = missing
        out[:, 0] = values
        if self.knots is not None:
            out[:, 1 : 1 + self.num_bins] = encoded(values, self.knots)


def learn_numbers(column: Numbers, weights: FloatArray | None, most_bins: int | None, where: str) -> LearnedNumbers:
    """Learn from the training rows, whatever their order; ArgumentError if they go further apart than float64 does."""
    values = column.values.astype(np.float64)
    missing = np.isnan(values)
    values, weights = values[~missing], None if weights is None else weights[~missing]
    if not len(values):
        return LearnedNumbers(column.name, 0.0, is_empty=True)
    # Zeros of both signs are made one, and sums run in one order, so that the order of the rows does not matter.
    order = np.argsort(values) if weights is None else np.lexsort((weights, values))
    values, weights = values[order] + 0.0, np.ones(len(values)) if weights is None else weights[order]
    with np.errstate(over="ignore"):
        if not np.isfinite(values[-1] - values[0]):
            raise ArgumentError(
                f"X must hold numbers no further apart than 1.8e308, got {values[0]:g} and {values[-1]:g} in {where}. "
                f"Scale them."
            )
    unit = power_of_two(np.abs(values[[0, -1]]).max())
    mean = (values * unit * weights).sum() / weights.sum() / unit
    fill = float(np.clip(mean, values[0], values[-1]))
    knots = None if most_bins is None else learn_knots(values, weights, most_bins)
    return LearnedNumbers(column.name, fill, has_indicator=bool(missing.any()), knots=knots)


def learn_knots(values: FloatArray, weights: FloatArray, most_bins: int) -> FloatArray | None:
    """The ends of up to `most_bins` bins, which are values of the training rows; None where one bin would be all.

    They are the different values where these are few, else quantiles, each once. The values are in ascending order.

    >>> learn_knots(np.arange(9.0), np.ones(9), 4)
    array([0., 2., 4., 6., 8.])
    >>> learn_knots(np.array([0.0, 0.0, 0.0, 1.0, 7.0]), np.ones(5), 4)
    array([0., 1., 7.])
    """
    knots: FloatArray = values[np.r_[True, values[1:] > values[:-1]]]
    if len(knots) > most_bins + 1:
        total = np.cumsum(weights)
        shares = np.arange(1, most_bins) / most_bins
        places = np.searchsorted(total, shares * total[-1])
        knots = np.unique(np.r_[values[0], values[places], values[-1]])
    return knots if len(knots) > 2 else None


def encoded(values: AnyArray, knots: FloatArray) -> FloatArray:
    """The (N, K) piecewise-linear encoding of (N,) values, none of them missing.

    >>> encoded(np.array([-1.0, 0.5, 2.0, 5.0]), np.array([0.0, 1.0, 3.0]))
    array([[0. , 0. ],
           [0.5, 0. ],
           [1. , 0.5],
           [1. , 1. ]])
    """
    with np.errstate(over="ignore"):  # what is infinitely far is cut off
        out: FloatArray = np.subtract(values[:, None], knots[:-1], dtype=np.float64)
        out /= np.diff(knots)
    return np.clip(out, 0, 1, out=out)
