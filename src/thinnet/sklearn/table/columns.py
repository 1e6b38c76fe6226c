"""The columns of a table in memory: numbers, or categories as codes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from thinnet.typing import AnyArray, IntArray

Category: TypeAlias = int | float | str | bytes


@dataclass(frozen=True, eq=False)
class Numbers:
    """A column of numbers."""

    name: str  # or "column 3"
    values: AnyArray  # (N,) bools, integers or floats, none infinite; NaN where one is missing

    def take(self, rows: IntArray) -> Numbers:
        """Some of the rows."""
        return replace(self, values=self.values[rows])


@dataclass(frozen=True, eq=False)
class Categories:
    """A column of categories."""

    name: str  # or "column 3"
    codes: IntArray  # (N,) which of `values` each row has; −1 where it is missing
    values: tuple[Category, ...]  # distinct, in any order, some perhaps in no row; bools are ints

    def take(self, rows: IntArray) -> Categories:
        """Some of the rows."""
        return replace(self, codes=self.codes[rows])


Column: TypeAlias = Numbers | Categories


@dataclass(frozen=True, eq=False)
class Columns:
    """A table, split into columns by `read`."""

    columns: tuple[Column, ...]

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        first = self.columns[0]
        return len(first.values if isinstance(first, Numbers) else first.codes), len(self.columns)

    def __getitem__(self, rows: Any) -> Columns:
        """The rows with these indices, in their order, or the rows of a slice."""
        return Columns(tuple(column.take(rows) for column in self.columns))


def called(name: str, index: int) -> str:
    """What an error message calls a column."""
    return name if name == unnamed(index) else f"column {name!r}"


def unnamed(index: int) -> str:
    """The name of a column that has none."""
    return f"column {index}"
