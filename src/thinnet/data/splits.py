"""How many rows each split takes, checked against how many there are."""

from __future__ import annotations

import numbers
from typing import Any

from thinnet.errors import ArgumentError, DataError


def check_size(name: str, value: Any, low: int = 0) -> int:
    """Return `value` as an int if it is a whole number of rows, at least `low`.

    Raises:
        ArgumentError: if it is not.

    >>> check_size("num_val", 1000)
    1000
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < low:
        raise ArgumentError(
            f"{name} must be an integer >= {low}, got {value!r} ({type(value).__name__}). Give a number of rows."
        )
    return int(value)


def check_rows(names: str, wanted: int, available: int, what: str) -> None:
    """Raise if more rows are `wanted` than are `available`.

    Args:
        names: the arguments that ask for them, such as ``"num_train + num_val"``.
        wanted, available: numbers of rows.
        what: what there are too few of, such as ``"test images in data/"``.

    Raises:
        DataError: if there are not enough.
    """
    if wanted > available:
        raise DataError(f"{names} must be at most {available:,}, the {what}, got {wanted:,}. Ask for fewer images.")
