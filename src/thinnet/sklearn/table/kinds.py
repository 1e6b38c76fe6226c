"""What single values are: numbers, text, missing ones, or something that no column of a table may hold."""

from __future__ import annotations

import datetime
import numbers
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np

from thinnet.errors import ArgumentError

NUMBER, TEXT, BYTES, MISSING = "a number", "text", "bytes", "missing"

# What is refused, with the fix; {column} stands for where it is in X.
FIXES = {
    "dates": "Make columns of the parts that matter, such as the year, the month, the day of the week, or the days "
    "since a fixed day, and leave the dates out: {column}.dt.year, for example.",
    "times of day": "Make numbers of them: hours since midnight, for example.",
    "durations": "Make numbers of them, in days or seconds: {column}.dt.total_seconds(), for example.",
    "periods": "Make columns of the parts that matter, such as {column}.dt.year and {column}.dt.month.",
    "intervals": "Make numbers of them, such as their middles, or categories: {column}.astype(str).",
    "complex numbers": "Make two columns of them: the real and the imaginary parts.",
    "lists": "Make a column of each element.",
    "dicts": "Make a column of each key.",
}

TIMES = {"dates", "times of day", "durations", "periods"}


def kind(type_: Any) -> str:
    """The kind of the values of a type: one of those above, a key of `FIXES`, or the name of another type."""
    return _kind(type_)


@cache
def _kind(type_: type) -> str:
    pandas = type_.__name__ if type_.__module__.partition(".")[0] == "pandas" else ""
    if type_ is type(None) or pandas in ("NAType", "NaTType"):  # the latter is a date, too
        return MISSING
    if pandas in ("Period", "Interval"):
        return f"{pandas.lower()}s"
    if issubclass(type_, np.timedelta64 | datetime.timedelta):  # the former is an integer, too
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


def refusal(where: str, what: str, wanted: str = "numbers or categories") -> ArgumentError:
    """The error about a column that holds what no column may."""
    column = f"X[{where.removeprefix('column ')}]"
    fix = FIXES.get(what, "Make text or numbers of them: {column}.astype(str), for example.").format(column=column)
    return ArgumentError(f"X must hold {wanted} in {where}, got {what}. {fix}")


def plain(value: Any) -> int | float | str | bytes:
    """A present value as one of few types, so that equal ones look alike: whole numbers and bools become ints."""
    known = kind(type(value))
    if known == TEXT:
        return str.__str__(value)
    if known == BYTES:
        return bytes(value)
    if isinstance(value, numbers.Integral | np.bool_):
        return int(value)
    number = float(value)
    return int(number) if number.is_integer() else number


def sort_key(value: int | float | str | bytes) -> tuple[str, Any]:
    """By which categories are in order: numbers, then bytes, then text."""
    return kind(type(value)), value
