"""A table as a matrix of numbers: what was learned about each column, side by side."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
from scipy import sparse

from thinnet.arrays import check_order
from thinnet.errors import ArgumentError
from thinnet.sklearn.table.columns import Categories, Column, Columns, Numbers, called
from thinnet.sklearn.table.learned import (
    LearnedCategories,
    LearnedNumbers,
    learn_categories,
    learn_numbers,
    warn_of_unlike,
)
from thinnet.sklearn.table.number_block import NumberBlock
from thinnet.sklearn.table.reading import columns_of, open_table
from thinnet.typing import BoolArray, FloatArray, IntArray

Learned: TypeAlias = LearnedNumbers | LearnedCategories

# A matrix with more columns than this, at most a sixteenth of them filled in any row, is sparse: about where the first
# layer of a net takes equally long either way.
MOST_DENSE = 256
LEAST_DENSITY = 1 / 16


@dataclass(frozen=True, eq=False)
class TableEncoder:
    """How the columns of a table become those of a matrix. It neither changes nor depends on the order of the rows."""

    columns: tuple[Learned, ...]  # what was learned about each

    @classmethod
    def learn(cls, columns: Columns, weights: FloatArray | None, *, knots: int | None, fewest: int) -> Self:
        """Learn from the columns of the training rows; rows of weight 0 are ignored.

        Args:
            columns: as `read` returns them.
            weights: (N,) of the rows, or None if each counts once.
            knots: the most bins that a column of numbers is encoded into, or None to use numbers as they are.
            fewest: the fewest rows that a category must be in to get its own column; 1 for all.
        """
        if weights is not None and not weights.all():
            rows = np.flatnonzero(weights)
            columns, weights = columns[rows], weights[rows]
        return cls(
            tuple(
                learn_numbers(column, weights, knots, called(column.name, i))
                if isinstance(column, Numbers)
                else learn_categories(column, fewest)
                for i, column in enumerate(columns)
            )
        )

    @property
    def num_outputs(self) -> int:
        """How many columns the matrix has."""
        return sum(learned.width for learned in self.columns)

    @property
    def feature_names_out(self) -> tuple[str, ...]:
        """The names of the matrix's columns: ``age``, ``age: missing``, ``color=red``, ``color: rare``."""
        return tuple(name for learned in self.columns for name in learned.names)

    @property
    def is_measured(self) -> BoolArray:
        """Which of the matrix's columns are numbers in their own units, unlike shares and indicators from 0 to 1."""
        numbers = [(isinstance(learned, LearnedNumbers), learned.width) for learned in self.columns]
        return np.array([is_number and k == 0 for is_number, width in numbers for k in range(width)])

    @property
    def is_sparse(self) -> bool:
        """Whether the matrix is sparse: it has many columns, and few of them are filled in each row."""
        filled = sum(1 + (learned.num_bins if isinstance(learned, LearnedNumbers) else 0) for learned in self.columns)
        return self.num_outputs > MOST_DENSE and filled <= LEAST_DENSITY * self.num_outputs

    def read(self, X: Any) -> Columns:
        """Other rows, with each column read as the kind it was in training."""
        table = open_table(X)
        self._check_number(len(table.names))
        names = [learned.name for learned in self.columns]
        check_order("X", table.names, names)
        table = table if table.named else table._replace(names=names)
        return columns_of(table, [isinstance(learned, LearnedCategories) for learned in self.columns])

    def transform(self, columns: Columns) -> Any:
        """The (N, num_outputs) matrix of numbers, none of them missing; a `scipy.sparse.csr_array` where `is_sparse`.

        It is float64, or float32 if all columns of numbers are float32 or narrower. ArgumentError if a column holds
        other kinds of values than in training.
        """
        if self.is_sparse:
            return sparse.csr_array(sparse.hstack([block for _, block in self.blocks(columns)], format="csr"))
        self._check(columns)
        out = np.zeros((columns.shape[0], self.num_outputs), _dtype(columns))
        numbers = [column for column in columns if isinstance(column, Numbers)]
        if numbers:
            block, places = self._numbers
            block.write(numbers, out, places)
        start, told = 0, list[str]()
        for i, (learned, column) in enumerate(zip(self.columns, columns, strict=True)):
            if isinstance(learned, LearnedCategories) and isinstance(column, Categories):
                learned.write(column, out[:, start : start + learned.width], called(learned.name, i), told)
            start += learned.width
        warn_of_unlike(told)
        return out

    def blocks(self, columns: Columns) -> Iterator[tuple[str, Any]]:
        """For each column, what an error message calls it, and its part of the result of `transform`."""
        self._check(columns)
        dtype, told = _dtype(columns), list[str]()
        for i, column in enumerate(columns):
            yield called(self.columns[i].name, i), self._part(i, column, dtype, told)
        warn_of_unlike(told)

    def _check_number(self, came: int) -> None:
        if came != len(self.columns):
            raise ArgumentError(
                f"X must have {len(self.columns)} columns, as in training, got {came}. Give the same columns."
            )

    def _check(self, columns: Columns) -> None:
        """Raise ArgumentError if the number of columns, or the kind of one, is not that of training."""
        self._check_number(len(columns.columns))
        for i, (learned, column) in enumerate(zip(self.columns, columns, strict=True)):
            if isinstance(learned, LearnedNumbers) != isinstance(column, Numbers):
                before, now = ("categories", "numbers") if isinstance(column, Numbers) else ("numbers", "categories")
                where = called(learned.name, i)
                raise ArgumentError(f"X must hold {before} in {where}, as in training, got {now}. Convert the column.")

    @functools.cached_property
    def _numbers(self) -> tuple[NumberBlock, IntArray | slice]:
        """What writes the columns of numbers, and their places in the matrix: all of it if there are no others."""
        are_numbers = [isinstance(learned, LearnedNumbers) for learned in self.columns]
        places = np.flatnonzero(np.repeat(are_numbers, [learned.width for learned in self.columns]))
        block = NumberBlock([learned for learned in self.columns if isinstance(learned, LearnedNumbers)])
        return block, slice(None) if all(are_numbers) else places

    def __getstate__(self) -> dict[str, Any]:
        return {"columns": self.columns}

    def _part(self, index: int, column: Column, dtype: Any, told: list[str]) -> Any:
        """The columns of the matrix that come from one column; if it is sparse, no zeros are stored."""
        learned = self.columns[index]
        if isinstance(learned, LearnedNumbers) and isinstance(column, Numbers):
            out: FloatArray = np.zeros((len(column.values), learned.width), dtype)
            NumberBlock([learned]).write([column], out, slice(None))
            return sparse.csr_array(out) if self.is_sparse else out
        assert isinstance(learned, LearnedCategories)
        assert isinstance(column, Categories)
        codes = learned.codes(column, called(learned.name, index), told)
        rows = np.flatnonzero(codes >= 0)
        ones = sparse.csr_array((np.ones(len(rows), dtype), (rows, codes[rows])), shape=(len(codes), learned.width))
        return ones if self.is_sparse else ones.toarray()


def _dtype(columns: Columns) -> Any:
    numbers = [column.values.dtype for column in columns if isinstance(column, Numbers)]
    narrow = numbers and all(dtype.kind == "f" and dtype.itemsize <= 4 for dtype in numbers)
    return np.float32 if narrow else np.float64
