"""What is learned about a column: for categories, which there are and which are rare; for numbers, what replaces
missing ones, and the bins of their encoding."""

import warnings
from collections import Counter
from dataclasses import dataclass

import numpy as np

from thinnet.data.moments import power_of_two
from thinnet.errors import ArgumentError
from thinnet.sklearn.table.columns import Categories, Category, Numbers
from thinnet.sklearn.table.kinds import kind, sort_key
from thinnet.typing import FloatArray, IntArray

MOST_TOLD = 5  # columns with near misses of categories in one warning


@dataclass(frozen=True, eq=False)
class LearnedCategories:
    """How one column of categories becomes columns of zeros and ones, one per place: categories, rare, missing ones.

    A category that was not in training counts as rare if there are rare ones; otherwise its row is all zeros. The same
    goes for a missing one if none was missing in training. If there are just two places, neither for missing ones, only
    the less frequent one has a column: the other is its zero.
    """

    name: str
    categories: tuple[Category, ...]  # those with their own place: numbers in order, then text
    rare: tuple[Category, ...] = ()  # those in too few rows, which share the next place, if there are any
    has_missing: bool = False  # whether missing ones have the last place
    base: int | None = None  # the place that has no column; None if all have one

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the matrix's columns."""
        several = len({kind(type(value)) for value in self.categories}) > 1  # the text 1 is not the number 1
        names = [f"{self.name}={value!r}" if several else f"{self.name}={value!s}" for value in self.categories]
        names += [f"{self.name}: rare"] * bool(self.rare) + [f"{self.name}: missing"] * self.has_missing
        return tuple(name for place, name in enumerate(names) if place != self.base)

    @property
    def num_places(self) -> int:
        """How many places there are."""
        return len(self.categories) + bool(self.rare) + self.has_missing

    @property
    def width(self) -> int:
        """How many columns of the matrix there are."""
        return self.num_places - (self.base is not None)

    @property
    def unknown(self) -> int:
        """The place of categories that were not in training; −1 for none."""
        return len(self.categories) if self.rare else -1

    @property
    def missing(self) -> int:
        """The place of missing ones."""
        return self.num_places - 1 if self.has_missing else self.unknown

    @property
    def kinds(self) -> set[str]:
        """The kinds of values in training."""
        return {kind(type(value)) for value in self.categories + self.rare}

    @property
    def is_empty(self) -> bool:
        """Whether the training rows had no category; then later ones mean nothing."""
        return not self.categories + self.rare

    def column_of(self, place: int) -> int:
        """The column of a place; −1 for a row of zeros."""
        if self.base is None:
            return place
        return 0 if place == 1 - self.base else -1

    def codes(self, column: Categories, where: str, told: list[str]) -> IntArray:
        """The column with the 1 of each row; −1 if none has it. Near misses of trained categories are added to `told`.

        ArgumentError if there are numbers and training had only text, or the other way around.
        """
        used = np.bincount(column.codes + 1, minlength=len(column.values) + 1)[1:] > 0
        known = self.kinds
        places, seen = {value: place for place, value in enumerate(self.categories)}, {*self.categories, *self.rare}
        alike = {value.strip().casefold(): value for value in self.categories if isinstance(value, str)}
        found = np.full(len(column.values) + 1, self.column_of(self.missing))  # the last one is for code −1
        unlike = []  # unlike those of training only in case or spaces
        for code in np.flatnonzero(used):
            value = column.values[code]
            if known and kind(type(value)) not in known:
                raise ArgumentError(
                    f"X must hold {' or '.join(sorted(known))} in {where}, as in training, got {value!r}, which is "
                    f"{kind(type(value))}. Convert the column."
                )
            found[code] = self.column_of(places.get(value, self.unknown))
            if isinstance(value, str) and value not in seen and value.strip().casefold() in alike:
                unlike.append(value)
        if unlike:
            more = f" and {len(unlike) - 1} more" if len(unlike) > 1 else ""
            usual = alike[unlike[0].strip().casefold()]
            told.append(f"{unlike[0]!r}{more} in {where}, while training had only {usual!r}")
        return found[column.codes]

    def write(self, column: Categories, out: FloatArray, where: str, told: list[str]) -> None:
        """Write the rows into `out`, (N, width) zeros; `told` as for `codes`."""
        codes = self.codes(column, where, told)
        rows = np.flatnonzero(codes >= 0)
        out[rows, codes[rows]] = 1


def warn_of_unlike(told: list[str]) -> None:
    """Issue one warning for all near misses of categories that `LearnedCategories.codes` found."""
    if told:
        more = f"; and others in {len(told) - MOST_TOLD} more columns" if len(told) > MOST_TOLD else ""
        which = "them" if len(told) > 1 else "it"
        warnings.warn(f"X holds {'; '.join(told[:MOST_TOLD])}{more}. Spell {which} as in training.", stacklevel=3)


def learn_categories(column: Categories, fewest: int) -> LearnedCategories:
    """Learn from the training rows; categories in fewer than `fewest` of them are rare."""
    counts = np.bincount(column.codes + 1, minlength=len(column.values) + 1)
    rows = Counter({value: int(count) for value, count in zip(column.values, counts[1:], strict=True) if count})
    ordered = sorted(rows, key=sort_key)
    kept = tuple(value for value in ordered if rows[value] >= fewest)
    rare = tuple(value for value in ordered if rows[value] < fewest)
    has_missing = bool(counts[0])
    base = None
    if len(kept) + bool(rare) == 2 and not has_missing:
        first = rows[kept[0]]
        base = 0 if 2 * first >= rows.total() else 1
    return LearnedCategories(column.name, kept, rare, has_missing, base)


@dataclass(frozen=True, eq=False)
class LearnedNumbers:
    r"""How one column of numbers becomes columns of the matrix: its values, perhaps one per bin, perhaps an indicator.

    With knots :math:`b_0 < \dots < b_K`, there are also K numbers for each value x (piecewise-linear encoding,
    Gorishniy et al., arXiv 2203.05556): the share of each bin that lies below x:

    .. math:: e_k = \min(\max((x - b_{k-1}) / (b_k - b_{k-1}), 0), 1)

    A net that is linear in them bends at every knot; beyond the outermost knots, x itself continues.
    """

    name: str
    fill: float  # the weighted mean of the training rows, which replaces missing numbers
    is_empty: bool = False  # whether the training rows had no number; then the column is always 0
    has_indicator: bool = False  # whether some were missing in training, so that a column of the matrix marks them
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


def learn_numbers(column: Numbers, weights: FloatArray | None, most_bins: int | None, where: str) -> LearnedNumbers:
    """Learn from the training rows, in any order; ArgumentError if their range is larger than float64 can hold."""
    values = column.values.astype(np.float64)
    missing = np.isnan(values)
    values, weights = values[~missing], None if weights is None else weights[~missing]
    if not len(values):
        return LearnedNumbers(column.name, 0.0, is_empty=True)
    # Zeros of both signs become the same, and sums run in one order, so that the order of the rows does not matter.
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
    """The ends of up to `most_bins` bins, which are values of the training rows; None if there would be only one bin.

    They are the distinct values if there are few, else quantiles, each once. `values` are in ascending order.
    """
    knots: FloatArray = values[np.r_[True, values[1:] > values[:-1]]]
    if len(knots) > most_bins + 1:
        total = np.cumsum(weights)
        shares = np.arange(1, most_bins) / most_bins
        places = np.searchsorted(total, shares * total[-1])
        knots = np.unique(np.r_[values[0], values[places], values[-1]])
    return knots if len(knots) > 2 else None
