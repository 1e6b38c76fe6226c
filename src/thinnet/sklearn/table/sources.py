"""Where columns come from: frames of pandas and Polars, and arrays. Neither package is needed, nor imported."""

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from thinnet.checks import as_array
from thinnet.errors import ArgumentError
from thinnet.sklearn.table import kinds
from thinnet.sklearn.table.columns import called, unnamed
from thinnet.typing import AnyArray

REFUSED = {"M": "dates", "m": "durations", "c": "complex numbers", "V": "records"}  # by the kind of a dtype


class Raw(NamedTuple):
    """The values of one column: numbers, or objects."""

    array: AnyArray
    categorical: bool | None  # as its dtype says; None where the values must


class Table(NamedTuple):
    """What is needed of a table to read it."""

    names: list[str]
    named: bool  # whether the names are X's own
    num_rows: int
    column: Callable[[int], Raw]


def package_of(X: Any) -> str:
    """Whose frame X is, pandas's or polars's; an empty text where it is none."""
    for name in ("pandas", "polars"):
        if (package := sys.modules.get(name)) is not None and isinstance(X, package.DataFrame):
            return name
    return ""


def open_table(X: Any, names: Any = None) -> Table:
    """A table of what is a frame, an array or a list of rows."""
    frames, package = {"pandas": _open_pandas, "polars": _open_polars}, package_of(X)
    table = frames[package](X) if package else _open_array(X, names)
    for count, what in ((table.num_rows, "row"), (len(table.names), "column")):
        if not count:
            shape = table.num_rows, len(table.names)
            raise ArgumentError(f"X must have at least one {what}, got shape {shape}. Look at how it was made.")
    return table


def _open_array(X: Any, names: Any) -> Table:
    # Of lists with text in them NumPy would make text altogether.
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
    rows = [list(row) if hasattr(row, "__len__") and not isinstance(row, str | bytes | dict) else row for row in X]
    try:
        return np.array(rows, dtype=object)
    except ValueError:  # of rows of unequal lengths, which as_array describes
        return X


def _of_array(array: AnyArray, where: str) -> Raw:
    kind = array.dtype.kind
    if kind in "biuf":
        with np.errstate(over="ignore"):  # infinity is refused wherever it comes from
            return Raw(array if array.dtype.itemsize <= 8 else array.astype(np.float64), False)
    if kind == "O":
        return Raw(array, None)
    if kind in REFUSED:
        raise kinds.refusal(where, REFUSED[kind])
    return Raw(array.astype(object), True)


# pandas


def _open_pandas(X: Any) -> Table:
    labels = list(X.columns)
    names = [unnamed(i) if isinstance(label, int) and label == i else str(label) for i, label in enumerate(labels)]
    return Table(names, True, len(X), lambda i: _of_pandas(X.iloc[:, i], called(names[i], i)))


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
        return Raw(series.to_numpy(object, na_value=None), False)  # in which long integers keep their digits
    is_text = isinstance(dtype, pandas.StringDtype) or dtype.kind == "U"
    return Raw(series.to_numpy(object), True if is_text else None)


def _of_categorical(array: Any) -> Raw:
    """Whatever has been declared a category is one, an interval or a date by its text."""
    labels = np.empty(len(array.categories) + 1, object)
    for i, label in enumerate(array.categories):
        known = kinds.kind(type(label)) in (kinds.TEXT, kinds.BYTES, kinds.NUMBER)
        labels[i] = label if known else str(label)
    return Raw(labels[array.codes], True)  # the last one, None, where there is none


# Polars


def _open_polars(X: Any) -> Table:
    names = list(X.columns)
    return Table(names, True, X.height, lambda i: _of_polars(X.to_series(i), called(names[i], i)))


def _of_polars(series: Any, where: str) -> Raw:
    dtype = series.dtype
    name = str(dtype.base_type())
    if dtype.is_temporal():
        raise kinds.refusal(where, {"Duration": "durations", "Time": "times of day"}.get(name, "dates"))
    whole = name == "Boolean" or (dtype.is_integer() and "128" not in name)
    if dtype.is_float() or (whole and not series.null_count()):
        return Raw(series.to_numpy(), False)
    objects = np.fromiter(series.to_list(), object, len(series))
    if name in ("String", "Categorical", "Enum"):
        return Raw(objects, True)
    return Raw(objects, False if name == "Boolean" or dtype.is_numeric() else None)
