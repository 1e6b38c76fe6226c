"""The kinds of values: numbers, text, missing, or kinds that no column may hold; and a column's values as one kind."""

import datetime
import math
import numbers
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np

from thinnet.errors import ArgumentError
from thinnet.sklearn.table.columns import Category
from thinnet.targets import is_missing
from thinnet.typing import AnyArray, IntArray

NUMBER, TEXT, BYTES, MISSING = "a number", "text", "bytes", "missing"

# What is rejected, with the fix; {column} stands for its place in X.
FIXES = {
    "dates": "Replace them with columns of the parts that matter, such as the year, the month, the day of the week, or "
    "the days since a fixed date: {year}, for example.",
    "times of day": "Convert them to numbers: hours since midnight, for example.",
    "durations": "Convert them to numbers of days or seconds: {column}.dt.total_seconds(), for example.",
    "periods": "Replace them with columns of the parts that matter, such as {column}.dt.year and {column}.dt.month.",
    "intervals": "Convert them to numbers, such as their midpoints, or to text: {column}.astype(str).",
    "complex numbers": "Complex data not supported: split them into two columns, the real and the imaginary parts.",
    "lists": "Give each element a column of its own.",
    "dicts": "Give each key a column of its own.",
    "numbers": "Convert them to numbers: pandas.to_numeric(pandas.Series({column}).astype(str).str.replace("
    "r'[^\\d.eE+(-]', '', regex=True), errors='coerce'), for example.",
    "numbers with commas": "Convert them to numbers: pandas.to_numeric(pandas.Series({column}).astype(str).str.replace("
    "r'[^\\d,eE+(-]', '', regex=True).str.replace(',', '.'), errors='coerce'), for example.",
}

TIMES = {"dates", "times of day", "durations", "periods"}


def _kind(type_: type) -> str:
    """The kind of a type's values: one of those above, a key of `FIXES`, or the name of another type."""
    pandas = type_.__name__ if type_.__module__.partition(".")[0] == "pandas" else ""
    if type_ is type(None) or pandas in ("NAType", "NaTType"):  # NaTType is a date, too
        return MISSING
    if pandas in ("Period", "Interval"):
        return f"{pandas.lower()}s"
    if issubclass(type_, np.timedelta64 | datetime.timedelta):  # timedelta64 is an integer, too
        return "durations"
    for types, name in (
        ((str,), TEXT),
        ((bytes,), BYTES),
        ((numbers.Real, np.bool_, Decimal), NUMBER),
        ((datetime.date, np.datetime64), "dates"),
        ((datetime.time,), "times of day"),
        ((numbers.Complex,), "complex numbers"),
        ((dict,), "dicts"),
        ((list, tuple, set, frozenset, np.ndarray), "lists"),
    ):
        if issubclass(type_, types):
            return name
    return f"values of type {type_.__name__}"


kind: Callable[[Any], str] = cache(_kind)


def refusal(where: str, what: str, year: str = "pandas.to_datetime({column}).dt.year") -> ArgumentError:
    """The error about a column that holds what no column may; `year` is how to get the years of dates."""
    return ArgumentError(f"X must hold numbers or categories in {where}, got {what}. {fix_of(where, what, year)}")


def fix_of(where: str, what: str, year: str) -> str:
    """The fix for a column that holds something it may not, or should not; arguments as for `refusal`."""
    place = where.removeprefix("column ")
    column = f"{'pandas.DataFrame(X)' if place.isdecimal() else 'X'}[{place}]"  # for an array or a list, or for a frame
    fix = FIXES.get(what, "Convert them to text or numbers: [str(value) for value in {column}], for example.")
    return fix.format(column=column, year=year.format(column=column))


def plain(value: Any) -> Category:
    """A value, not missing, as one of few types, so that equal ones look alike: whole numbers and bools become ints."""
    known = kind(type(value))
    if known == TEXT:
        return str.__str__(value)
    if known == BYTES:
        return bytes(value)
    if isinstance(value, numbers.Integral | np.bool_):
        return int(value)
    number = float(value)
    return int(number) if number.is_integer() else number


def sort_key(value: Category) -> tuple[str, Any]:
    """The key that sorts categories: numbers first, then bytes, then text."""
    return kind(type(value)), value


def kinds_in(values: Any) -> set[str]:
    """The kinds of some values."""
    return {kind(type_) for type_ in set(map(type, values))}


def as_numbers(array: AnyArray, where: str) -> AnyArray:
    """An array of numbers as it is, or objects as float64."""
    if array.dtype.kind != "O":
        return array
    if kinds_in(array) & {TEXT, BYTES}:
        text = next(value for value in array if kind(type(value)) in (TEXT, BYTES))
        raise ArgumentError(
            f"X must hold numbers in {where}, got {str(text)[:40]!r}. Convert them, such as with "
            f"pandas.to_numeric; or if they are categories, name the column in categorical_features before fit."
        )
    out = np.full(len(array), np.nan)
    present = np.fromiter((kind(type(value)) != MISSING for value in array), np.bool_, len(array))
    try:
        with np.errstate(over="ignore"):  # infinity is rejected wherever it comes from
            out[present] = array[present].astype(np.float64)
    except (ValueError, OverflowError) as error:  # from an integer with hundreds of digits
        raise ArgumentError(
            f"X must hold numbers within float64 in {where}, got others ({error}). Scale them."
        ) from None
    return out


def check_finite(array: AnyArray, where: str) -> None:
    """Raise ArgumentError if a column of numbers has an infinite one."""
    if array.dtype.kind == "f" and (wrong := np.isinf(array)).any():
        raise infinite(array[wrong][0], where)


def infinite(came: float, where: str) -> ArgumentError:
    """The error for a column with an infinite number."""
    return ArgumentError(
        f"X must hold finite numbers, got infinity: {came} in {where}. Replace it with NaN, which means "
        f"missing, or with a number."
    )


def as_categories(array: AnyArray, where: str) -> tuple[IntArray, tuple[Category, ...]]:
    """The codes of an array's values, −1 for missing ones, and the values that the codes stand for."""
    codes, found = _different(array)
    known: dict[Any, int] = {}
    new = np.full(len(found) + 1, -1, np.intp)
    for code, value in enumerate(found):
        if not is_missing(value):
            category = plain(value)
            if isinstance(category, float) and math.isinf(category):
                raise infinite(category, where)
            new[code] = known.setdefault(category, len(known))
    return new[codes], tuple(known)


def _different(array: AnyArray) -> tuple[IntArray, list[Any]]:
    """Which of the distinct values each element is, and these values, perhaps with missing ones among them."""
    if array.dtype.kind != "O":
        found, codes = np.unique(array, return_inverse=True)
        return codes, found.tolist()
    known: dict[Any, int] = {}
    elements = array.tolist()
    codes = np.fromiter((known.setdefault(value, len(known)) for value in elements), np.intp, len(elements))
    return codes, list(known)
