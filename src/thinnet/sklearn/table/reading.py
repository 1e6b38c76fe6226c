"""Reading a table: frames of pandas and Polars, and two-dimensional arrays, as columns of numbers and of categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from thinnet.sklearn.table import values
from thinnet.sklearn.table.choice import chosen
from thinnet.sklearn.table.columns import Categories, Column, Columns, Numbers, called
from thinnet.sklearn.table.sources import Raw, Table, open_table
from thinnet.typing import AnyArray


def read(X: Any, categorical_features: Any = "from_dtype", names: Any = None) -> Columns:
    """Take a table apart into columns of numbers and of categories.

    None, NaN, ``pandas.NA``, NaT and null are missing.

    Args:
        X: a frame of pandas or Polars, or a two-dimensional array (or lists of lists) of numbers, objects or text.
        categorical_features: which columns are categories: ``"from_dtype"`` (text, object, string, category, Enum and
            Categorical columns are; bools and numbers of any dtype are numbers, and so is an object column in which
            there are numbers and nothing else), a list that
            names others, by name, number or a bool for each column, or None for none.
        names: of the columns, where X has none; else they are called ``column 3``.

    Raises:
        ArgumentError: for columns that hold neither (dates, times, durations, periods, intervals, lists, dicts, complex
            numbers), infinite numbers, or text among numbers, by the column's name; for no rows or no columns.

    >>> columns = read(np.array([[1, "a"], [None, "b"]], dtype=object))
    >>> columns.is_categorical
    (False, True)
    """
    table = open_table(X, names)
    return columns_of(table, chosen(categorical_features, table.names, table.named))


def columns_of(table: Table, categorical: Sequence[bool | None]) -> Columns:
    """The columns of a table, each as categories or as numbers; as it looks where None says so."""
    columns = tuple(
        _column(name, table.column(i), categorical[i], called(name, i)) for i, name in enumerate(table.names)
    )
    return Columns(columns, table.num_rows)


def _column(name: str, raw: Raw, categorical: bool | None, where: str) -> Column:
    """One column, as categories or numbers where that is said, else as what it looks like."""
    array = raw.array
    if array.dtype.kind == "O":
        values.check_kinds(array, where)
    if categorical is None:
        categorical = not values.are_numbers(array) if raw.categorical is None else raw.categorical
    if categorical:
        return Categories(name, *values.categories(array, where))
    return Numbers(name, _finite(values.numbers(array, where), where))


def _finite(array: AnyArray, where: str) -> AnyArray:
    if array.dtype.kind == "f" and np.isinf(array).any():
        raise values.infinite(array[np.isinf(array)][0], where)
    return array
