"""Reading a table: frames of pandas and Polars, and two-dimensional arrays, as columns of numbers and of categories."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from thinnet.checks import nearest
from thinnet.errors import ArgumentError
from thinnet.sklearn.table import kinds
from thinnet.sklearn.table.columns import Categories, Column, Columns, Numbers, called
from thinnet.sklearn.table.sources import Raw, Table, open_table


def read(X: Any, categorical_features: Any = "from_dtype", names: Any = None) -> Columns:
    """Take a table apart into columns of numbers and of categories.

    None, NaN, ``pandas.NA``, NaT and null are missing.

    Args:
        X: a frame of pandas or Polars, or a two-dimensional array (or lists of lists) of numbers, objects or text.
        categorical_features: which columns are categories: ``"from_dtype"`` (text, object, string, category, Enum and
            Categorical columns are; bools and numbers of any dtype are numbers, and so is an object column in which
            there are numbers and nothing else), a list that names others, by name, number or a bool for each column, or
            None for none.
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
        kinds.check_kinds(array, where)
    if categorical is None:
        categorical = not kinds.are_numbers(array) if raw.categorical is None else raw.categorical
    if categorical:
        return Categories(name, *kinds.as_categories(array, where))
    numbers = kinds.as_numbers(array, where)
    kinds.check_finite(numbers, where)
    return Numbers(name, numbers)


def chosen(categorical_features: Any, names: Sequence[str], named: bool) -> list[bool | None]:
    """For each column whether it is of categories; None where its dtype says.

    >>> chosen(["b"], ["a", "b"], named=True)
    [None, True]
    """
    if categorical_features is None:
        return [False] * len(names)
    if isinstance(categorical_features, str) and categorical_features == "from_dtype":
        return [None] * len(names)
    places = _places(categorical_features, names, named)
    return [True if i in places else None for i in range(len(names))]


def _places(given: Any, names: Sequence[str], named: bool) -> set[int]:
    """Which columns are named as categories."""
    if isinstance(given, str):
        raise _refusal(repr(given), f"Write [{given!r}] for the column of that name.")
    if isinstance(given, dict | bytes) or not hasattr(given, "__len__") or not hasattr(given, "__iter__"):
        raise _refusal(repr(given), "Write ['color'] or [3], for example.")
    listed = list(given)
    if listed and all(isinstance(one, bool | np.bool_) for one in listed):
        if len(listed) != len(names):
            raise _refusal(f"{len(listed)} bools for {len(names)} columns", "Give one bool for each column.")
        return {i for i, one in enumerate(listed) if one}
    if all(isinstance(one, Integral) and not isinstance(one, bool) for one in listed):
        for one in listed:
            if not 0 <= one < len(names):
                raise _refusal(f"column {one}", f"The columns are numbered from 0 to {len(names) - 1}.")
        return set(listed)
    if not all(isinstance(one, str) for one in listed):
        raise _refusal(repr(given), "Give names, or numbers, or bools, and not some of each.")
    if not named:
        raise _refusal(f"{listed[0]!r} for an X without names", "Give the columns' numbers, or a data frame as X.")
    return {_place(name, names) for name in listed}


def _place(name: str, names: Sequence[str]) -> int:
    places = [i for i, known in enumerate(names) if known == name]
    if not places:
        known = ", ".join(map(repr, names[:10])) + (", ..." if len(names) > 10 else "")
        raise _refusal(f"{name!r}, which X does not have", nearest(name, names) or f"It has {known}.")
    if len(places) > 1:
        raise _refusal(f"{name!r}, which {len(places)} columns are called", f"Give their numbers: {places}.")
    return places[0]


def _refusal(came: str, fix: str) -> ArgumentError:
    return ArgumentError(
        f"categorical_features must be 'from_dtype', None, or a list of columns (their names, their numbers, or a bool "
        f"for each), got {came}. {fix}"
    )
