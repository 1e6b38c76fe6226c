"""Converts users' arrays to the three dtypes of rows used by the library; a cast that overflows raises an error."""

import math
import os
import warnings
from collections import deque
from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from numbers import Complex, Real
from textwrap import shorten
from types import ModuleType
from typing import Any

import numpy as np

from thinnet.checks import Error, kind_of, shortened
from thinnet.errors import ArgumentError, DataError
from thinnet.typing import AnyArray

# How to bring data into memory, the most reliable way first: PySpark has several of these.
INTO_MEMORY = {
    "__arrow_c_stream__": "pyarrow.table({})",
    "__dataframe__": "pandas.api.interchange.from_dataframe({})",
    **{name: f"{{}}.{name}()" for name in ("toPandas", "to_pandas", "collect", "compute", "execute", "to_numpy")},
}


def as_array(name: str, value: Any, error: Error = ArgumentError) -> Any:
    """`value` as a NumPy array; raise `error` if it cannot be one or has masked elements."""
    check_unmasked(name, value, error)
    if type(value).__module__.startswith("scipy.sparse"):  # NumPy would make an array of one object
        fix = f"Give {name}.toarray(), or {name}.toarray().ravel() for one number a row."
        if name.startswith("X"):
            fix = f"Use thinnet.sklearn, which takes it as it is, or {name}.toarray() if that fits into memory."
        raise error(f"{name} must be a dense array, got a sparse {type(value).__name__}. {fix}")
    check_is_array(name, value, error=error)
    try:
        array = np.asarray(value)
    except Exception as caught:  # ragged lists; other libraries' tensors and columns, each with its own errors
        is_list = isinstance(value, list | tuple)
        if is_list and all(isinstance(each, np.ndarray) for each in value):
            came = f"of arrays of shapes {' and '.join(str(each.shape) for each in value[:2])}"
            fix = "Give each of them under its own name, or make all rows the same length."
        else:
            came = f"that cannot be one ({caught})"
            fix = "Make all rows the same length." if is_list else "Convert it to a NumPy array first."
            if hasattr(value, "column_names"):  # an Arrow table
                odd = [each for each in value.column_names if np.asarray(value[each]).dtype.kind not in "biuf"]
                came = f"without numbers in {shortened(odd)}"
                fix = "Convert them to numbers, or leave them out."
        raise error(f"{name} must be an array, got {kind_of(value)} {came}. {fix}") from caught
    if array.dtype.kind == "T":  # variable-length strings, which little code supports
        return array.astype(object)
    return array.astype(np.float32) if array.dtype.kind == "V" and not issubclass(array.dtype.type, np.void) else array


def check_unmasked(name: str, value: Any, error: Error = ArgumentError, fix: str = "") -> None:
    """Raise `error` if elements are masked; `np.asarray` would take the values under the mask."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):  # other types have their own masks
        fix = fix or f"Fill them in: {name if name.isidentifier() else 'array'}.filled(0), for example."
        raise error(f"{name} must have no masked elements, got some. {fix}")


def check_is_array(name: str, value: Any, expected: str = "an array in memory", error: Error = ArgumentError) -> None:
    """Raise `error`, with the fix, for a value that NumPy would take for a single object rather than an array."""
    came, is_mapping = kind_of(value), isinstance(value, Mapping)
    is_line = isinstance(value, list | tuple | deque) or (isinstance(value, np.ndarray) and value.ndim == 1)
    first = value[0] if is_line and len(value) else None
    ways = [way for attribute, way in INTO_MEMORY.items() if callable(getattr(value, attribute, None))]
    if isinstance(value, str | bytes | os.PathLike):
        came = f"the text {os.fsdecode(value)!r}"
        fix = f"If that is a file, read it first: pandas.read_csv({os.fsdecode(value)!r}), for example."
    elif isinstance(value, type):
        came, fix = f"the class {value.__name__}", f"Create an object of it first: {value.__name__}(...)."
    elif isinstance(value, ModuleType):
        came, fix = f"the module {value.__name__}", "Give the rows themselves."
    elif callable(getattr(value, "read", None)):
        came, fix = "an open file", f"Read it first: pandas.read_csv({name}), for example."
    elif isinstance(first, Mapping | np.void):
        dicts = isinstance(first, Mapping)
        came = f"{came} of {'dicts' if dicts else 'records'}"
        fix = f"Give pandas.DataFrame({f'list({name})' if dicts else name}), for example."
    elif (
        value is None
        or np.isscalar(value)
        or hasattr(value, "tocsr")
        or (hasattr(value, "__array__") and not is_mapping)
    ):
        return
    elif ways:
        fix = f"Compute it first: give {ways[0].format(name)}."
    elif isinstance(value, Iterator | Set):
        fix = f"Give list({name}); if that does not fit into memory, give it in parts to an estimator's partial_fit."
    elif is_mapping:
        has_columns = all(map(np.iterable, value.values())) and not any(isinstance(v, str) for v in value.values())
        fix = f"Give pandas.DataFrame({name}), for example." if has_columns else f"Give list({name}.values())."
    elif hasattr(value, "__getitem__") and hasattr(value, "__len__"):
        return
    elif callable(value) and hasattr(value, "__name__"):
        came, fix = f"the function {value.__name__}", f"Give what it returns: write {value.__name__}(...)."
    else:
        fix = "Convert it to a NumPy array of numbers."
    raise error(f"{name} must be {expected}, got {came}. {fix}")


def as_rows(name: str, X: Any, error: Error = ArgumentError) -> AnyArray:
    """`X` as uint8, float32 or float64 in native byte order, whichever is the narrowest that holds its dtype.

    It is copied only if the dtype changes; integers of more than 53 bits are rounded.

    Raises:
        error: if it is not made of real numbers, has masked ones, or has some beyond float64. It names `name`.
    """
    array = _long_integers(without_objects(as_array(name, X, error)))
    if array.dtype.kind not in "fiub":
        raise error(f"{name} must be real numbers, got {came(array)}. {advice(name, array)}")
    return cast(name, array, narrowest(array.dtype), error)


def without_objects(array: AnyArray) -> AnyArray:
    """Convert an object array that is all numbers, all text, all bytes or all complex; return any other unchanged."""
    if array.dtype.kind != "O" or not array.size:
        return array
    elements = [_as_float(each) if isinstance(each, Decimal | Fraction) else each for each in array.ravel().tolist()]
    for kinds in ((Real, np.bool_), (str,), (bytes,), (Complex,)):
        if all(isinstance(element, kinds) for element in elements):
            return np.array(elements).reshape(array.shape)
    return array


def _long_integers(array: AnyArray) -> AnyArray:
    """Integers of more than 64 bits as floats, unless one is beyond these too; other objects as they are."""
    if array.dtype.kind == "O" and all(isinstance(element, Real) for element in array.flat):
        with suppress(OverflowError):
            return array.astype(np.float64)
    return array


def _as_float(number: Decimal | Fraction) -> float:
    """The nearest float; infinity beyond the largest, and NaN for a signaling NaN, which Decimal does not convert."""
    if isinstance(number, Decimal) and number.is_nan():
        return math.nan
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


KINDS = {"U": "text", "S": "text", "M": "dates", "m": "durations", "c": "complex numbers"}


def came(array: AnyArray) -> str:
    """What an array holds instead of real numbers, for a message."""
    if array.dtype.kind != "O":
        named = KINDS.get(array.dtype.kind, f"dtype {array.dtype}")
        return named + (f" such as {array.flat[0].item()!r}" if named == "text" and array.size else "")
    odd = [element for element in array.flat if not isinstance(element, Real)]
    if not odd:
        return "numbers beyond float64"
    return "None" if odd[0] is None else f"{kind_of(odd[0])}, {shorten(repr(odd[0]), 40, placeholder='...')}"


def advice(name: str, array: AnyArray) -> str:
    """How to fix an array that does not hold real numbers, given what it does hold."""
    if _spells_numbers(array):
        return f"Convert it: {name}.astype(float)."
    if array.dtype.kind in "US" and _spells_numbers(np.char.replace(array.astype(str), ",", ".")):
        return f"Convert them to numbers: np.char.replace(np.array({name}, str), ',', '.').astype(float)."
    return {
        "M": f"Convert them to numbers of days, for example: ({name} - {name}.min()) / np.timedelta64(1, 'D').",
        "m": f"Convert them to numbers of seconds, for example: {name} / np.timedelta64(1, 's').",
        "c": f"Give both parts: np.column_stack([{name}.real, {name}.imag]).",
        "O": "Fill in what is missing, and convert the rest to numbers; or use thinnet.sklearn, whose estimators take "
        "tables with text, categories and missing values.",
    }.get(
        array.dtype.kind,
        "Give each word a column of zeros and ones; or use thinnet.sklearn, whose estimators take tables with text.",
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
    """`array` as `dtype`; not copied if it already is.

    Raises:
        error: if a finite number becomes infinite; it names the column.
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
    """The column names of a data frame; empty for anything else."""
    names = getattr(X, "column_names", getattr(X, "columns", ()))  # Arrow tables have column_names
    return [] if isinstance(X, type) else list(names)


def check_order(name: str, labels: list[Any], before: list[Any], error: Error = ArgumentError) -> None:
    """Raise `error` if the columns have the same names as before in a different order."""
    if labels != before and set(labels) == set(before):
        raise error(
            f"{name} must have its columns in the order of training, {shortened(before)}, got {shortened(labels)}. "
            f"Give {name}[columns], with the columns that training had."
        )


def warn_of_order(X: Any, beside: Mapping[str, Any], stacklevel: int, rows: str = "X") -> None:
    """Warn if pandas index labels are those of X, called `rows`, in another order: rows are paired by position.

    Labels are compared only if they have the same dtype and are unique; otherwise the match is not certain.
    """
    own: Any = getattr(X, "index", None)
    for name, value in beside.items():
        labels: Any = getattr(value, "index", None)
        if not all(type(index).__module__.startswith("pandas.") for index in (own, labels)) or own.equals(labels):
            continue
        alike = len(own) == len(labels) and own.dtype == labels.dtype and own.nlevels == labels.nlevels
        if alike and own.is_unique and labels.is_unique and labels.isin(own).all():
            warnings.warn(
                f"{name} has the index labels of {rows} in another order, and rows are paired by position. If the "
                f"labels say which belong together, give {name}.loc[{rows}.index]; if not, {name}.to_numpy()",
                UserWarning,
                stacklevel=stacklevel + 1,
            )


def is_finite(array: AnyArray) -> bool:
    """Whether all elements are finite. A finite sum proves it; the elements are checked only if the sum is not."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum()) or np.isfinite(array).all())


def check_finite(
    name: str, array: AnyArray, error: Error = DataError, what: str = "finite numbers", first_row: int = 0
) -> None:
    """Raise `error` if floats are NaN or infinite; row numbers start at `first_row`."""
    if array.dtype.kind != "f" or is_finite(array):
        return
    table = array.reshape(len(array), -1)
    row, column = np.unravel_index(np.isfinite(table).argmin(), table.shape)
    where = f"row {first_row + row}" + (f", column {column}" if table.shape[1] > 1 else "")
    raise error(f"{name} must hold {what}, got {table[row, column]} in {where}. Remove such rows, or fill them in.")


def refuse_columns(
    name: str, wrong: AnyArray, what: str, error: Error = ArgumentError, where: str | None = None
) -> None:
    """Raise `error` if any column is `wrong`; `what` says why, and `where` names the column (default: by number)."""
    if wrong.any():
        where = where or f"column {int(np.flatnonzero(wrong)[0])}"
        raise error(f"{name} must hold columns that float64 can standardize, got {what} in {where}. Scale it.")


def narrowest(dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "b" or dtype == np.uint8:
        return np.uint8
    return np.float32 if np.can_cast(dtype, np.float32) else np.float64
