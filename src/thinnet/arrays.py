"""Arrays as people have them, as the three dtypes of rows that all else works with; casts that lose nothing unsaid."""

import math
from decimal import Decimal
from fractions import Fraction
from numbers import Complex, Real
from textwrap import shorten
from typing import Any

import numpy as np

from thinnet.checks import Error, as_array, shortened
from thinnet.errors import ArgumentError, DataError
from thinnet.typing import AnyArray


def as_rows(name: str, X: Any, error: Error = ArgumentError) -> AnyArray:
    """`X` as uint8, float32 or float64 in the machine's byte order, whichever is the narrowest that holds its dtype.

    Copied only where its dtype is another; integers of more than 53 bits are rounded.

    Raises:
        error: if it holds no real numbers, masked ones, or some beyond float64; `name` says of what.
    """
    array = without_objects(as_array(name, X, error))
    if array.dtype.kind not in "fiub":
        raise error(f"{name} must be real numbers, got {came(array)}. {advice(name, array)}")
    return cast(name, array, narrowest(array.dtype), error)


def without_objects(array: AnyArray) -> AnyArray:
    """Objects that are all numbers, all text, all bytes or all complex as what they are; others left alone."""
    if array.dtype.kind != "O" or not array.size:
        return array
    elements = [_as_float(each) if isinstance(each, Decimal | Fraction) else each for each in array.ravel().tolist()]
    for kinds in ((Real, np.bool_), (str,), (bytes,), (Complex,)):
        if all(isinstance(element, kinds) for element in elements):
            return np.array(elements).reshape(array.shape)
    return array


def _as_float(number: Decimal | Fraction) -> float:
    """The nearest float; infinity beyond the largest, and NaN of the NaN that Decimal lets nobody convert."""
    if isinstance(number, Decimal) and number.is_nan():
        return math.nan
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


KINDS = {"U": "text", "S": "text", "M": "dates", "m": "durations", "c": "complex numbers"}


def came(array: AnyArray) -> str:
    """What an array holds that is no real numbers, for a message."""
    if array.dtype.kind != "O":
        named = KINDS.get(array.dtype.kind, f"dtype {array.dtype}")
        return named + (f" such as {array.flat[0].item()!r}" if named == "text" and array.size else "")
    odd = [element for element in array.flat if not isinstance(element, Real)]
    if not odd:
        return "numbers beyond float64"
    return "None" if odd[0] is None else f"a {type(odd[0]).__name__}, {shorten(repr(odd[0]), 40, placeholder='...')}"


def advice(name: str, array: AnyArray) -> str:
    """What to do with an array that holds no real numbers: something that works for what it holds."""
    if _spells_numbers(array):
        return f"Convert it: {name}.astype(float)."
    return {
        "M": f"Make numbers of them, such as days: ({name} - {name}.min()) / np.timedelta64(1, 'D').",
        "m": f"Make numbers of them, such as seconds: {name} / np.timedelta64(1, 's').",
        "c": f"Give both parts: np.column_stack([{name}.real, {name}.imag]).",
        "O": "Fill in what is missing, and make numbers of the rest; the estimators of thinnet.sklearn take tables "
        "with text, categories and missing values.",
    }.get(
        array.dtype.kind,
        "Make a column of zeros and ones for each word; the estimators of thinnet.sklearn take tables with text.",
    )


def _spells_numbers(array: AnyArray) -> bool:
    if array.dtype.kind not in "USO" or any(element is None for element in array.flat):
        return False
    try:
        array.astype(np.float64)
    except (ValueError, TypeError, OverflowError):
        return False
    return True


def cast(name: str, array: AnyArray, dtype: Any, error: Error = ArgumentError) -> AnyArray:
    """`array` as `dtype`, itself where it is that already.

    Raises:
        error: if that makes a finite number infinite; it names the column.
    """
    with np.errstate(over="ignore"):
        out = array.astype(dtype, copy=False)
    check_range(name, array, out, error)
    return out


def check_range(name: str, before: AnyArray, after: AnyArray, error: Error = ArgumentError) -> None:
    """Raise `error` if `after`, computed from `before`, is infinite or NaN where `before` is finite."""
    if after is before or after.dtype.kind != "f" or is_finite(after):
        return
    lost = (np.isfinite(before) & ~np.isfinite(after)).reshape(len(after), -1)
    if lost.any():
        row, column = np.argwhere(lost)[0]
        numbers = before.reshape(len(after), -1)[:, column]
        number = numbers[np.nanargmax(np.abs(numbers))]
        where = f"column {column}" if before.ndim > 1 else f"row {row}"
        raise error(
            f"{name} must hold numbers that stay within {after.dtype}, at most {np.finfo(after.dtype).max:.2g}, got "
            f"{number:g} in {where}. Scale them, or leave them out."
        )


def column_labels(X: Any) -> list[Any]:
    """What the columns of a frame are called; nothing of what is none."""
    return list(getattr(X, "column_names", getattr(X, "columns", ())))  # the former of Arrow's tables


def check_order(name: str, labels: list[Any], before: list[Any], error: Error = ArgumentError) -> None:
    """Raise `error` if columns are called as they were before, and are in another order."""
    if labels != before and set(labels) == set(before):
        raise error(
            f"{name} must have its columns in the order of training, {shortened(before)}, got {shortened(labels)}. "
            f"Give {name}[columns], with the columns that training had."
        )


def is_finite(array: AnyArray) -> bool:
    """Whether all elements are; a finite sum shows it at once, and only where it is not they are looked at."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum()) or np.isfinite(array).all())


def check_finite(
    name: str, array: AnyArray, error: Error = DataError, what: str = "finite numbers", first_row: int = 0
) -> None:
    """Raise `error` if floats are NaN or infinite; the rows are numbered from `first_row` on."""
    if array.dtype.kind != "f" or is_finite(array):
        return
    table = array.reshape(len(array), -1)
    row, column = np.unravel_index(np.isfinite(table).argmin(), table.shape)
    where = f"row {first_row + row}" + (f", column {column}" if table.shape[1] > 1 else "")
    raise error(f"{name} must hold {what}, got {table[row, column]} in {where}. Remove such rows, or fill them in.")


def refuse_columns(
    name: str, wrong: AnyArray, what: str, error: Error = ArgumentError, where: str | None = None
) -> None:
    """Raise `error` if there is a column that is `wrong`; `what` says why, and `where`, if not its number, which."""
    if wrong.any():
        where = where or f"column {int(np.flatnonzero(wrong)[0])}"
        raise error(f"{name} must hold columns that float64 can standardize, got {what} in {where}. Scale it.")


def narrowest(dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "b" or dtype == np.uint8:
        return np.uint8
    return np.float32 if np.can_cast(dtype, np.float32) else np.float64
