"""Row numbers: checks which rows of a split are requested."""

from contextlib import suppress
from typing import Any

import numpy as np

from thinnet.arrays import as_array, came, without_objects
from thinnet.checks import shown
from thinnet.errors import ArgumentError
from thinnet.typing import AnyArray, IntArray


def checked_index(rows: Any, num_rows: int) -> Any:
    """A slice, row numbers or a boolean mask, checked as a NumPy index into `num_rows` rows; None means all rows."""
    if rows is None:
        return slice(None)
    if isinstance(rows, slice):
        with suppress(TypeError, ValueError):
            rows.indices(num_rows)
            return rows
        raise ArgumentError(f"rows must be a slice of whole numbers, got {rows}. Write slice(0, 100), for example.")
    numbers = without_objects(as_array("rows", rows))
    if numbers.ndim == 1 and not numbers.size:
        return numbers.astype(np.intp)
    if numbers.ndim == 1 and numbers.dtype.kind in "iu":
        beyond = numbers[[numbers.argmin(), numbers.argmax()]]
        beyond = beyond[(beyond < -num_rows) | (beyond >= num_rows)]
        if beyond.size:
            raise ArgumentError(f"rows must be numbers from 0 to {num_rows - 1}, got {beyond[0]}. Count them from 0.")
        return numbers
    if numbers.shape == (num_rows,) and numbers.dtype.kind == "b":
        return numbers
    found = shown(numbers.item()) if numbers.ndim == 0 else f"{came(numbers)} of shape {numbers.shape}"
    raise ArgumentError(
        f"rows must be row numbers, a slice, or a mask of {num_rows} booleans, got {found}. {_fix(numbers)}"
    )


def _fix(numbers: AnyArray) -> str:
    if numbers.dtype.kind not in "iuf":
        return "Leave it out for all rows."
    if not (np.isfinite(numbers).all() and (numbers == np.trunc(numbers)).all()):
        return "Rows are numbered 0, 1, 2 and so on."
    if numbers.ndim == 0:
        so_many = f"slice(0, {numbers:.0f}) for that many rows, " if numbers > 0 else ""
        return f"Write {so_many}[{numbers:.0f}] for row {numbers:.0f}."
    return "Leave it out for all rows." if numbers.ndim != 1 else "Give np.array(rows, int)."


def checked_row_numbers(rows: Any, num_rows: int) -> IntArray:
    """Nonnegative row numbers, from anything that `checked_index` takes."""
    index = checked_index(rows, num_rows)
    if isinstance(index, slice) or index.dtype.kind == "b":
        index = np.arange(num_rows)[index]
    numbers: IntArray = np.where(index < 0, index + num_rows, index)
    return numbers
