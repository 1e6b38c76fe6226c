"""Tables as users have them, split into columns of numbers and categories, or refused with the column's name."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from table_columns import KINDS, are_categories, frame_of, one
from thinnet import ArgumentError
from thinnet.sklearn.table import read
from thinnet.sklearn.table.columns import Categories, Columns, Numbers
from thinnet.typing import AnyArray

DAYS = pd.date_range("2024-02-28", periods=3)


def numbers(X: Any, categorical: Any = "from_dtype") -> AnyArray:
    (column,) = read(X, categorical)
    assert isinstance(column, Numbers)
    return column.values.astype(np.float64)


def categories(X: Any, categorical: Any = "from_dtype") -> list[Any]:
    """The category of each row, None if missing."""
    (column,) = read(X, categorical)
    assert isinstance(column, Categories)
    return [None if code < 0 else column.values[code] for code in column.codes]


def names_of(columns: Columns) -> tuple[str, ...]:
    return tuple(column.name for column in columns)


NUMERIC: dict[str, tuple[Any, list[float]]] = {
    "bool": ([True, False, True], [1, 0, 1]),
    "int8": (np.array([1, -2, 3], np.int8), [1, -2, 3]),
    "uint64": (np.array([1, 2, 3], np.uint64), [1, 2, 3]),
    "float16": (np.array([1, np.nan, 3], np.float16), [1, np.nan, 3]),
    "longdouble": (np.array([1, np.nan, 3], np.longdouble), [1, np.nan, 3]),
    "Int64": (pd.array([1, None, 3], "Int64"), [1, np.nan, 3]),
    "UInt8": (pd.array([1, 2, 3], "UInt8"), [1, 2, 3]),
    "Float32": (pd.array([1, None, 3], "Float32"), [1, np.nan, 3]),
    "boolean": (pd.array([True, None, False], "boolean"), [1, np.nan, 0]),
    "sparse": (pd.arrays.SparseArray([0.0, 0.0, 2.0]), [0, 0, 2]),
    "sparse with missing ones": (pd.arrays.SparseArray([np.nan, np.nan, 2.0]), [np.nan, np.nan, 2]),
    "mixed objects": (np.array([True, 2, 2.5], object), [1, 2, 2.5]),
    "missing objects": (np.array([None, np.nan, pd.NA, pd.NaT, 4], object), [np.nan] * 4 + [4]),
    "decimals": ([Decimal("1.5"), None, Decimal("NaN")], [1.5, np.nan, np.nan]),
    "NumPy's scalars": (np.array([np.float32(1.5), np.int8(2), np.bool_(True)], object), [1.5, 2, 1]),
    "Polars with null": (pl.Series([1, None, 3]), [1, np.nan, 3]),
    "Polars' bools": (pl.Series([True, None, False]), [1, np.nan, 0]),
    "Polars' bools, all there": (pl.Series([True, False]), [1, 0]),
    "Polars' floats": (pl.Series([1.0, None, float("nan")], dtype=pl.Float32), [1, np.nan, np.nan]),
    # Polars has them since 1.18
    **({"Polars' long integers": (pl.Series([1, 2], dtype=pl.Int128), [1, 2])} if hasattr(pl, "Int128") else {}),
    "Polars' decimals": (pl.Series([Decimal("1.5"), None]), [1.5, np.nan]),
    "Polars' objects": (pl.Series([1, 2.5, None], dtype=pl.Object), [1, 2.5, np.nan]),
}


@pytest.mark.parametrize("name", NUMERIC)
def test_numbers_of_every_dtype(name: str) -> None:
    values, expected = NUMERIC[name]
    X = pl.DataFrame({"a": values}) if isinstance(values, pl.Series) else one(values)
    np.testing.assert_array_equal(numbers(X), expected)
    listed = [None if np.isnan(number) else number for number in expected]
    assert categories(X, ["a"]) == listed  # if they are declared as categories


TEXTUAL: dict[str, tuple[Any, list[Any]]] = {
    "text": (["b", None, "a"], ["b", None, "a"]),
    "objects": (np.array(["b", np.nan, "a", pd.NA], object), ["b", None, "a", None]),
    "string": (pd.array(["b", None, "a"], "string"), ["b", None, "a"]),
    "category": (pd.Categorical(["b", None, "a"], ["z", "a", "b"]), ["b", None, "a"]),
    "numbers as a category": (pd.Categorical([2, None, 1]), [2, None, 1]),
    "bins": (pd.cut(pd.Series([1, 9, None]), [0, 5, 10]), ["(0, 5]", "(5, 10]", None]),
    "days as a category": (pd.Categorical(DAYS), ["2024-02-28 00:00:00", "2024-02-29 00:00:00", "2024-03-01 00:00:00"]),
    "mixed": (np.array(["a", 1, True, 2.5, 3.0, Decimal("2.5")], object), ["a", 1, 1, 2.5, 3, 2.5]),
    "bytes": (np.array([b"a", "a", None], object), [b"a", "a", None]),
    "nothing at all": (np.array([None, None], object), [None, None]),
    "Polars' text": (pl.Series(["b", None, "a"]), ["b", None, "a"]),
    "Categorical": (pl.Series(["b", None, "a"], dtype=pl.Categorical), ["b", None, "a"]),
    "Enum": (pl.Series(["b", None, "a"], dtype=pl.Enum(["z", "b", "a"])), ["b", None, "a"]),
    "Binary": (pl.Series([b"b", None]), [b"b", None]),
    "null": (pl.Series([None, None]), [None, None]),
}


@pytest.mark.parametrize("name", TEXTUAL)
def test_categories_of_every_dtype(name: str) -> None:
    values, expected = TEXTUAL[name]
    X = pl.DataFrame({"a": values}) if isinstance(values, pl.Series) else one(values)
    assert categories(X) == expected
    assert [type(value) for value in categories(X)] == [type(value) for value in expected]


def test_long_integers_keep_their_digits_as_categories() -> None:
    long = 2**62 + 1
    for values in (np.array([long, long - 1]), pd.array([long, long - 1, None], "Int64")):
        assert categories(one(values), ["a"])[:2] == [long, long - 1]
    assert categories(pl.DataFrame({"a": [long, None]}), ["a"]) == [long, None]


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_is_the_same_in_every_form(kind: str) -> None:
    X = frame_of(kind, {"a": [1.5, None, 2.0], "b": ["x", "y", None], "c": [True, False, None], "d": [3, 4, 5]})
    columns = read(X)
    assert columns.shape == (3, 4)
    assert are_categories(columns) == (False, True, False, False)
    assert names_of(columns) == (tuple("abcd") if kind != "array" else tuple(f"column {i}" for i in range(4)))
    assert are_categories(read(X, [1, 2])) == (False, True, True, False)


@pytest.mark.parametrize(
    "X",
    [np.array([["a", "1"], ["b", "2"]]), np.array([[b"a", b"1"]]), [["a", "1"], ["b", "2"]], (("a", "1"), ("b", "2"))],
    ids=["text", "bytes", "lists", "tuples"],
)
def test_an_array_of_text_is_of_categories(X: Any) -> None:
    assert are_categories(read(X)) == (True, True)


def test_lists_with_text_in_them_keep_their_numbers() -> None:
    assert are_categories(read([[1, "a", None], [2.5, "b", 3]])) == (False, True, False)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32, np.float64])
def test_an_array_of_numbers_is_of_numbers(dtype: Any) -> None:
    assert are_categories(read(np.eye(3, dtype=dtype))) == (False,) * 3


REFUSED: dict[str, tuple[Any, str, str]] = {
    "dates": (DAYS, "dates", r"pandas\.to_datetime\(X\['when'\]\)\.dt\.year"),
    "dates with a zone": (DAYS.tz_localize("UTC"), "dates", "month"),
    "dates as objects": ([datetime.date(2024, 1, 1), None, "x"], "dates", "month"),
    "NumPy's dates as objects": (np.array([np.datetime64("2024-01-01")], object), "dates", "month"),
    "timestamps as objects": (np.array(list(DAYS), object), "dates", "month"),
    "only missing dates": (pd.to_datetime([None, None]), "dates", "month"),
    "times": ([datetime.time(3)], "times of day", "midnight"),
    "durations": (DAYS - DAYS[0], "durations", "total_seconds"),
    "durations as objects": (np.array([datetime.timedelta(1), np.timedelta64(1, "D")], object), "durations", "days"),
    "periods": (pd.period_range("2024", periods=3, freq="M"), "periods", r"\.dt\.month"),
    "intervals": (pd.interval_range(0, 3), "intervals", r"X\['when'\]\.astype\(str\)"),
    "lists": ([[1], [2, 3]], "lists", "each element"),
    "tuples": ([(1, 2), (2, 3)], "lists", "each element"),
    "arrays": ([np.ones(2), np.ones(2)], "lists", "each element"),
    "dicts": ([{"a": 1}], "dicts", "each key"),
    "complex numbers": ([1j, 2], "complex numbers", "real"),
    "complex objects": (np.array([1j, "a"], object), "complex numbers", "real"),
    "others": ([object()], "values of type object", r"\[str\(value\) for value in X\['when'\]\]"),
    "Polars' dates": (pl.Series([datetime.date(2024, 1, 1)]), "dates", r"X\['when'\]\.dt\.year\(\)"),
    "Polars' timestamps": (pl.Series([datetime.datetime(2024, 1, 1)]), "dates", "month"),
    "Polars' durations": (pl.Series([datetime.timedelta(1)]), "durations", "seconds"),
    "Polars' times": (pl.Series([datetime.time(1)]), "times of day", "midnight"),
    "Polars' lists": (pl.Series([[1], [2, 3]]), "lists", "each element"),
    "Polars' arrays": (pl.Series([[1, 2]], dtype=pl.Array(pl.Int64, 2)), "lists", "each element"),
    "Polars' structs": (pl.Series([{"a": 1}]), "dicts", "each key"),
}


@pytest.mark.parametrize("categorical", ["from_dtype", ["when"], None], ids=str)
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_neither_is_refused_by_name(name: str, categorical: Any) -> None:
    values, what, fix = REFUSED[name]
    fine: Any = [1] * len(values)
    make: Callable[..., Any] = pl.DataFrame if isinstance(values, pl.Series) else pd.DataFrame
    with pytest.raises(ArgumentError, match=rf"in column 'when', got {what}\. .*{fix}"):
        read(make({"fine": fine, "when": values}), categorical)


@pytest.mark.parametrize("dtype", ["M8[s]", "m8[D]", "c16", "O"])
def test_arrays_of_what_is_neither(dtype: str) -> None:
    X: Any = np.zeros((2, 2), dtype)
    if dtype == "O":
        X[1, 1] = datetime.date(2024, 1, 1)
    with pytest.raises(ArgumentError, match=r"in column \d, got (dates|durations|complex numbers)"):
        read(X)


@pytest.mark.parametrize("infinite", [np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble, object, "Float64", "category"])
@pytest.mark.parametrize("categorical", ["from_dtype", ["b"], None], ids=str)
def test_infinite_numbers_are_refused_by_name(infinite: float, dtype: Any, categorical: Any) -> None:
    X = pd.DataFrame({"a": [1, 2], "b": pd.Series([1.0, infinite]).astype(dtype)})
    with pytest.raises(ArgumentError, match=r"finite numbers, got infinity: -?inf in column 'b'"):
        read(X, categorical)


@pytest.mark.parametrize("number", [10**400, np.longdouble("1e4000"), Decimal("1e400")], ids=str)
def test_numbers_beyond_all_floats_are_refused_by_name(number: Any) -> None:
    with pytest.raises(ArgumentError, match="column 'a'"):
        read(np.array([[number], [1]], object), names=["a"])


@pytest.mark.parametrize("kind", KINDS)
def test_text_in_a_column_of_numbers_is_refused_by_name(kind: str) -> None:
    X = frame_of(kind, {"a": [1, 2], "b": ["3", "four"]})
    where = "column 1" if kind == "array" else "column 'b'"
    with pytest.raises(
        ArgumentError, match=rf"numbers in {where}, got '3'\. .*pandas\.to_numeric.*categorical_features"
    ):
        read(X, None)


@pytest.mark.parametrize(
    "chosen",
    [
        ["b", "d"],
        ("d", "b"),
        np.array(["b", "d"]),
        pd.Index(["b", "d"]),
        [1, 3],
        np.array([3, 1], np.uint8),
        [False, True, False, True],
        np.array([False, True, False, True]),
    ],
    ids=str,
)
@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_columns_are_chosen_by_name_number_or_bools(chosen: Any, make: Any) -> None:
    X = make({name: [1, 2] for name in "abcd"})
    assert are_categories(read(X, chosen)) == (False, True, False, True)


def test_an_empty_list_adds_no_column_and_none_takes_none() -> None:
    X = pd.DataFrame({"a": [1], "b": pd.Categorical([1])})
    nothings: list[Any] = [[], (), np.array([])]
    for nothing in nothings:
        assert are_categories(read(X, nothing)) == (False, True)
    assert are_categories(read(X, None)) == (False, False)


@pytest.mark.parametrize(
    ("chosen", "text"),
    [
        ("a", r"got 'a'\. Write \['a'\] for the column"),
        (["colour"], r"got 'colour', which X does not have\. Did you mean 'color'\?"),
        ([2], r"got column 2\. The columns are numbered from 0 to 1"),
        ([-1], r"got column -1\."),
        ([True], r"got 1 bools for 2 columns"),
        (["color", 1], r"and not some of each"),
        ([0.5], r"and not some of each"),
        ([None], r"and not some of each"),
        ([["color"]], r"and not some of each"),
        (3, r"got 3\. Write \['color'\] or \[3\]"),
        (True, r"got True\."),
        ({"color": 1}, r"got \{'color': 1\}"),
    ],
    ids=str,
)
def test_wrong_choices_of_columns(chosen: Any, text: str) -> None:
    with pytest.raises(ArgumentError, match=rf"categorical_features must be 'from_dtype', None, or a list.*{text}"):
        read(pd.DataFrame({"color": [1], "size": [2]}), chosen)


def test_names_of_an_array_and_names_that_come_twice() -> None:
    with pytest.raises(ArgumentError, match=r"got 'a' for an X without names\. Give the columns' numbers"):
        read(np.eye(2), ["a"])
    assert are_categories(read(np.eye(2), ["a"], names=["b", "a"])) == (False, True)
    with pytest.raises(ArgumentError, match="names must be 2"):
        read(np.eye(2), names=["a"])
    twice = pd.DataFrame([[1, "x", "y"]], columns=["a", "b", "b"])
    assert are_categories(read(twice)) == (False, True, True)
    with pytest.raises(ArgumentError, match=r"'b', which 2 columns are called\. Give their numbers: \[1, 2\]"):
        read(twice, ["b"])


def test_labels_that_are_not_text() -> None:
    assert names_of(read(pd.DataFrame([[1, 2]]))) == ("column 0", "column 1")
    assert names_of(read(pd.DataFrame([[1, 2]], columns=[7, "b"]))) == ("7", "b")
    several = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")]))
    assert names_of(read(several)) == ("('a', 'x')", "('a', 'y')")
    with pytest.raises(ArgumentError, match=r"in column 1, got dates"):
        read(pd.DataFrame({0: [1], 1: DAYS[:1]}))


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_tables_without_rows_or_columns(make: Any) -> None:
    with pytest.raises(ArgumentError, match=r"at least one row, got shape \(0, 1\)"):
        read(make({"a": []}))
    with pytest.raises(ArgumentError, match=r"at least one"):
        read(make({}))
    with pytest.raises(ArgumentError, match=r"at least one column, got shape \(3, 0\)"):
        read(np.zeros((3, 0)))
    with pytest.raises(ArgumentError, match=r"at least one column, got shape \(2, 0\)"):
        read(pd.DataFrame(index=[0, 1]))


@pytest.mark.parametrize("X", [np.array(["a", "b"]), np.ones(3), ["a", "b"], np.ones((2, 2, 2)), pd.Series([1, 2])])
def test_what_is_not_a_table(X: Any) -> None:
    with pytest.raises(ArgumentError, match=r"must be two-dimensional, \(N, D\), got shape"):
        read(X)


def test_masked_elements_and_rows_of_unequal_lengths() -> None:
    with pytest.raises(ArgumentError, match="no masked elements"):
        read(np.ma.masked_array(np.eye(2), np.eye(2, dtype=bool)))
    with pytest.raises(ArgumentError, match="X must be"):
        read([[1, "a"], [2]])


def test_what_is_given_stays_as_it_is() -> None:
    X = pd.DataFrame({"a": [1.0, None], "b": ["x", None], "c": pd.Categorical(["u", "v"])})
    before = X.copy(deep=True)
    read(X)
    pd.testing.assert_frame_equal(X, before)
    array = np.array([[1, None, "a"]], object)
    array.flags.writeable = False
    assert are_categories(read(array)) == (False, True, True)
