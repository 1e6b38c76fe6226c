"""Reading a table: frames of pandas and Polars, and two-dimensional arrays, as columns of numbers and of categories.

Neither package is required or imported.
"""

import sys
from collections.abc import Callable, Sequence, Set
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from thinnet.arrays import as_array
from thinnet.checks import shortened
from thinnet.errors import ArgumentError
from thinnet.sklearn.table import kinds
from thinnet.sklearn.table.columns import Categories, Column, Columns, Numbers, called, unnamed
from thinnet.sklearn.table.spelled import Spelled, spelled, warn_of_spelled
from thinnet.spelling import nearest
from thinnet.typing import AnyArray

FROM_DTYPE = "from_dtype"
REFUSED = {"M": "dates", "m": "durations", "c": "complex numbers", "V": "records"}  # by dtype kind


class Raw(NamedTuple):
    """The values of one column: numbers, or objects."""

    array: AnyArray
    categorical: bool | None  # as its dtype says; None for text and objects, where the values decide


class Table(NamedTuple):
    """What is needed to read a table."""

    names: list[str]
    named: bool  # whether the names are X's own
    num_rows: int
    column: Callable[[int], Raw]


def package_of(X: Any) -> str:
    """The package that X is a frame of, pandas or polars; an empty string if it is not a frame."""
    for name in ("pandas", "polars"):
        if (package := sys.modules.get(name)) is not None and isinstance(X, package.DataFrame):
            return name
    return ""


def is_arrow(X: Any) -> bool:
    """Whether X is an Arrow table or record batch."""
    return hasattr(X, "column_names")


def open_table(X: Any, names: Any = None) -> Table:
    """The table that a frame, an array or a list of rows holds."""
    package = package_of(X)
    if package == "pandas":
        labels = enumerate(X.columns)
        own = [unnamed(i) if isinstance(label, int) and label == i else str(label) for i, label in labels]
        table = Table(own, True, len(X), lambda i: _of_pandas(X.iloc[:, i], called(own[i], i)))
    elif package == "polars":
        own = list(X.columns)
        table = Table(own, True, X.height, lambda i: _of_polars(X.to_series(i), called(own[i], i)))
    elif is_arrow(X):
        own = list(X.column_names)
        table = Table(own, True, X.num_rows, lambda i: _of_array(np.asarray(X.column(i)), called(own[i], i)))
    else:
        table = _open_array(X, names)
    for count, what in ((table.num_rows, "row"), (len(table.names), "column")):
        if not count:
            shape = table.num_rows, len(table.names)
            raise ArgumentError(f"X must have at least one {what}, got shape {shape}. Check how it was made.")
    return table


def _open_array(X: Any, names: Any) -> Table:
    # NumPy would turn all values of lists with text in them into text.
    array = as_array("X", X if hasattr(X, "__array__") else _objects_in_rows(X))
    if array.ndim != 2:
        raise ArgumentError(
            f"X must be two-dimensional, (N, D), got shape {array.shape}. Reshape your data: X.reshape(-1, 1) makes "
            f"one column, X.reshape(1, -1) one row."
        )
    found = [unnamed(i) for i in range(array.shape[1])] if names is None else [str(name) for name in names]
    if len(found) != array.shape[1]:
        raise ArgumentError(f"names must be {array.shape[1]}, one for each column, got {len(found)}.")
    return Table(found, names is not None, len(array), lambda i: _of_array(array[:, i], called(found[i], i)))


def _objects_in_rows(X: Any) -> Any:
    rows = [
        list(row) if hasattr(row, "__len__") and not isinstance(row, str | bytes | dict | Set) else row for row in X
    ]
    lengths = {len(row) for row in rows if isinstance(row, list)}
    return np.array(rows, dtype=object) if len(lengths) < 2 else X  # as_array explains the error


def _of_array(array: AnyArray, where: str) -> Raw:
    kind = array.dtype.kind
    if kind in "biuf":
        with np.errstate(over="ignore"):  # infinity is rejected wherever it comes from
            return Raw(array if array.dtype.itemsize <= 8 else array.astype(np.float64), False)
    if kind == "O":
        return Raw(array, None)
    if kind in REFUSED:
        raise kinds.refusal(where, REFUSED[kind])
    return Raw(array.astype(object), None)


def _of_pandas(series: Any, where: str) -> Raw:
    pandas, dtype = sys.modules["pandas"], series.dtype
    if isinstance(dtype, pandas.CategoricalDtype):
        return _of_categorical(series.array)
    if isinstance(dtype, np.dtype):
        return _of_array(series.to_numpy(), where)
    if isinstance(dtype, pandas.SparseDtype):
        return _of_array(np.asarray(series), where)
    if dtype.kind in "Mm":
        raise kinds.refusal(where, REFUSED[dtype.kind])
    if dtype.kind in "biuf":
        if not series.isna().any():
            return Raw(series.to_numpy(dtype.numpy_dtype), False)
        if dtype.kind == "f":
            return Raw(series.to_numpy(dtype.numpy_dtype, na_value=np.nan), False)
        return Raw(series.to_numpy(object, na_value=None), False)  # so that long integers keep their digits
    return Raw(series.to_numpy(object), None)


def _of_categorical(array: Any) -> Raw:
    """Anything declared a category is one; intervals and dates are represented by their text."""
    labels = np.empty(len(array.categories) + 1, object)
    for i, label in enumerate(array.categories):
        known = kinds.kind(type(label)) in (kinds.TEXT, kinds.BYTES, kinds.NUMBER)
        labels[i] = label if known else str(label)
    return Raw(labels[array.codes], True)  # code −1 picks the last label, None


def _of_polars(series: Any, where: str) -> Raw:
    dtype = series.dtype
    name = str(dtype.base_type())
    if dtype.is_temporal():
        what = {"Duration": "durations", "Time": "times of day"}.get(name, "dates")
        raise kinds.refusal(where, what, "{column}.dt.year()")
    whole = name == "Boolean" or (dtype.is_integer() and "128" not in name)
    if dtype.is_float() or (whole and not series.null_count()):
        return Raw(series.to_numpy(), False)
    objects = np.fromiter(series.to_list(), object, len(series))
    if name in ("Categorical", "Enum"):
        return Raw(objects, True)
    return Raw(objects, False if name == "Boolean" or dtype.is_numeric() else None)


def read(X: Any, categorical_features: Any = FROM_DTYPE, names: Any = None) -> Columns:
    """Split a table into columns of numbers and of categories.

    None, NaN, ``pandas.NA``, NaT and null count as missing.

    Args:
        X: a frame of pandas or Polars, or a two-dimensional array (or lists of lists) of numbers, objects or text.
        categorical_features: which columns are categories: ``"from_dtype"`` (text, object, string, category, Enum and
            Categorical columns are; bools and numbers of any dtype are numbers, and so is an object column that holds
            only numbers), a list that adds others, by name, number or a bool for each column, or None for no
            categories.
        names: of the columns, if X has none; by default they are called ``column 3`` and so on.

    Raises:
        ArgumentError: which names the column, for columns that hold neither (dates, times, durations, periods,
            intervals, lists, dicts, complex numbers), infinite numbers, or text among numbers; for no rows or columns.
    """
    table = open_table(X, names)
    return columns_of(table, chosen(categorical_features, table.names, table.named))


def columns_of(table: Table, categorical: Sequence[bool | None]) -> Columns:
    """The columns of a table, each as categories or numbers; as whatever it looks like if `categorical` has None."""
    told: list[Spelled] = []
    columns = tuple(
        _column(name, table.column(i), categorical[i], called(name, i), told) for i, name in enumerate(table.names)
    )
    warn_of_spelled(told)
    return Columns(columns)


def _column(name: str, raw: Raw, categorical: bool | None, where: str, told: list[Spelled]) -> Column:
    """One column, as categories or numbers; as whatever it looks like if `categorical` is None. Text that is really
    something else is added to `told`."""
    array = raw.array
    found = kinds.kinds_in(array) if array.dtype.kind == "O" else {kinds.NUMBER}
    for wrong in sorted(found - {kinds.NUMBER, kinds.TEXT, kinds.BYTES, kinds.MISSING}):
        raise kinds.refusal(where, wrong)
    if categorical is None:  # a column without values may hold anything later
        categorical = found - {kinds.MISSING} != {kinds.NUMBER} if raw.categorical is None else raw.categorical
        if categorical and raw.categorical is None and (found_out := spelled(array, where)):
            told.append(found_out)
    if categorical:
        return Categories(name, *kinds.as_categories(array, where))
    numbers = kinds.as_numbers(array, where)
    kinds.check_finite(numbers, where)
    return Numbers(name, numbers)


def chosen(categorical_features: Any, names: Sequence[str], named: bool) -> list[bool | None]:
    """For each column, whether it is of categories; None where its dtype decides."""
    if categorical_features is None:
        return [False] * len(names)
    if isinstance(categorical_features, str) and categorical_features == FROM_DTYPE:
        return [None] * len(names)
    places = _places(categorical_features, names, named)
    return [True if i in places else None for i in range(len(names))]


def _places(given: Any, names: Sequence[str], named: bool) -> set[int]:
    """Which columns the list names as categories."""
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
        if len(set(listed)) < len(listed):  # such as zeros and ones that are meant as bools
            raise _refusal(f"{given!r}, which repeats numbers", "Give each once, or a bool for each column.")
        return set(listed)
    if not all(isinstance(one, str) for one in listed):
        raise _refusal(repr(given), "Give names, or numbers, or bools, and not some of each.")
    if not named:
        raise _refusal(f"{listed[0]!r} for an X without names", "Give the columns' numbers, or a data frame as X.")
    return {_place(name, names) for name in listed}


def _place(name: str, names: Sequence[str]) -> int:
    places = [i for i, known in enumerate(names) if known == name]
    if not places:
        raise _refusal(f"{name!r}, which X does not have", nearest(name, names) or f"It has {shortened(names, 10)}.")
    if len(places) > 1:
        raise _refusal(f"{name!r}, which {len(places)} columns are called", f"Give their numbers: {places}.")
    return places[0]


def _refusal(came: str, fix: str) -> ArgumentError:
    return ArgumentError(
        f"categorical_features must be 'from_dtype', None, or a list of columns (their names, their numbers, or a bool "
        f"for each), got {came}. {fix}"
    )
