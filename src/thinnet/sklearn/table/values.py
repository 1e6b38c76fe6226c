"""The values of one column as numbers, or as categories with codes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from thinnet.errors import ArgumentError
from thinnet.sklearn.table import kinds
from thinnet.sklearn.table.columns import Category
from thinnet.typing import AnyArray, IntArray


def check_kinds(array: AnyArray, where: str) -> None:
    """Raise ArgumentError if some object is neither a number, text nor missing."""
    for type_ in sorted(set(map(type, array)), key=str):
        found = kinds.kind(type_)
        if found not in (kinds.NUMBER, kinds.TEXT, kinds.BYTES, kinds.MISSING):
            raise kinds.refusal(where, found)


def are_numbers(array: AnyArray) -> bool:
    """Whether there are numbers and nothing else; a column without any value may hold whatever comes later."""
    if array.dtype.kind != "O":
        return True
    return {kinds.kind(type_) for type_ in set(map(type, array))} - {kinds.MISSING} == {kinds.NUMBER}


def numbers(array: AnyArray, where: str) -> AnyArray:
    """An array of numbers as it is, or objects as float64."""
    if array.dtype.kind != "O":
        return array
    types = {type_: kinds.kind(type_) for type_ in set(map(type, array))}
    missing = [type_ for type_, found in types.items() if found == kinds.MISSING]
    wrong = [type_ for type_, found in types.items() if found in (kinds.TEXT, kinds.BYTES)]
    if wrong:
        came = next(value for value in array if type(value) in wrong)
        raise ArgumentError(
            f"X must hold numbers in {where}, got {str(came)[:40]!r}. Make numbers of it, such as with "
            f"pandas.to_numeric, or name the column in categorical_features, if it is of categories."
        )
    out = np.full(len(array), np.nan)
    present = np.array([type(value) not in missing for value in array], bool) if missing else slice(None)
    try:
        with np.errstate(over="ignore"):  # infinity is refused wherever it comes from
            out[present] = array[present].astype(np.float64)
    except (ValueError, OverflowError) as error:  # an integer with hundreds of digits
        raise ArgumentError(
            f"X must hold numbers within float64 in {where}, got others ({error}). Scale them."
        ) from None
    return out


def infinite(came: float, where: str) -> ArgumentError:
    """The error about a column with an infinite number."""
    return ArgumentError(
        f"X must hold finite numbers, got infinity: {came} in {where}. Replace it with NaN if it is unknown, or "
        f"by a number."
    )


def categories(array: AnyArray, where: str) -> tuple[IntArray, tuple[Category, ...]]:
    """The codes of an array's values, −1 for missing ones, and the values that the codes stand for."""
    codes, found = _different(array)
    known: dict[Any, int] = {}
    new = np.full(len(found) + 1, -1, np.intp)
    for code, value in enumerate(found):
        if kinds.kind(type(value)) != kinds.MISSING and value == value:  # NaN differs from itself
            category = kinds.plain(value)
            if isinstance(category, float) and math.isinf(category):
                raise infinite(category, where)
            new[code] = known.setdefault(category, len(known))
    return new[codes], tuple(known)


def _different(array: AnyArray) -> tuple[IntArray, list[Any]]:
    """Different values, among them perhaps missing ones, and which of them each element is."""
    if array.dtype.kind != "O":
        found, codes = np.unique(array, return_inverse=True)
        return codes, found.tolist()
    known: dict[Any, int] = {}
    elements = array.tolist()
    codes = np.fromiter((known.setdefault(value, len(known)) for value in elements), np.intp, len(elements))
    return codes, list(known)
