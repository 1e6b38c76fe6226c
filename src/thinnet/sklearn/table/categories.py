"""What is learned of a column of categories: which there are, which are rare, and whether some were missing."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from thinnet.errors import ArgumentError
from thinnet.sklearn.table.columns import Categories, Category
from thinnet.sklearn.table.kinds import kind, sort_key
from thinnet.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class LearnedCategories:
    """How one column of categories becomes columns of zeros and ones, one a place: categories, rare ones, missing ones.

    A category that training did not have counts as rare where there are rare ones, else it has a row of zeros. So does
    a missing one where none was missing in training. Of two places neither of which is that of missing ones, only the
    less frequent one has a column: the other is its zero.
    """

    name: str
    categories: tuple[Category, ...]  # those with a place of their own: numbers in their order, then text
    rare: tuple[Category, ...] = ()  # those in too few rows, which share the next place, where there are any
    has_missing: bool = False  # whether missing ones have the last place
    base: int | None = None  # the place that has no column; None where all have one

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the matrix's columns."""
        several = len({kind(type(value)) for value in self.categories}) > 1  # the text 1 is not the number
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
        """The place of categories that training did not have; −1 for none."""
        return len(self.categories) if self.rare else -1

    @property
    def missing(self) -> int:
        """The place of missing ones."""
        return self.num_places - 1 if self.has_missing else self.unknown

    @property
    def kinds(self) -> set[str]:
        """What kinds of values there were in training."""
        return {kind(type(value)) for value in self.categories + self.rare}

    def column_of(self, place: int) -> int:
        """The column of a place; −1 for a row of zeros."""
        if self.base is None:
            return place
        return 0 if place == 1 - self.base else -1

    def codes(self, column: Categories, where: str) -> IntArray:
        """Which column has the one of each row; −1 where none has.

        ArgumentError if there are numbers and training had text only, or the other way round.
        """
        used = np.bincount(column.codes + 1, minlength=len(column.values) + 1)[1:] > 0
        known = self.kinds
        places = {value: place for place, value in enumerate(self.categories)}
        found = np.full(len(column.values) + 1, self.column_of(self.missing))  # the last one is what −1 finds
        for code in np.flatnonzero(used):
            value = column.values[code]
            if known and kind(type(value)) not in known:
                raise ArgumentError(
                    f"X must hold {' or '.join(sorted(known))} in {where}, as in training, got {value!r}, which is "
                    f"{kind(type(value))}. Convert the column to what it was."
                )
            found[code] = self.column_of(places.get(value, self.unknown))
        return found[column.codes]

    def write(self, column: Categories, out: FloatArray, where: str) -> None:
        """Write the rows into `out`, (N, width) zeros."""
        codes = self.codes(column, where)
        rows = np.flatnonzero(codes >= 0)
        out[rows, codes[rows]] = 1


def learn_categories(column: Categories, fewest: int) -> LearnedCategories:
    """Learn from the training rows; categories in less than `fewest` of them are rare.

    >>> column = Categories("color", np.array([0, 1, 0, 2, -1]), ("red", "blue", "green"))
    >>> learn_categories(column, 2).names
    ('color=red', 'color: rare', 'color: missing')
    """
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
