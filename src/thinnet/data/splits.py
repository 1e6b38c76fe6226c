"""How many rows each split takes, checked against how many there are."""

from __future__ import annotations

import numbers
from typing import Any

from thinnet.errors import ArgumentError, DataError


def check_size(name: str, value: Any, low: int = 0) -> int:
    """Return `value` as an int if it is a whole number of rows, at least `low`."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < low:
        raise ArgumentError(
            f"{name} must be an integer >= {low}, got {value!r} ({type(value).__name__}). Give a number of rows."
        )
    return int(value)


def check_rows(names: str, wanted: int, available: int, what: str) -> None:
    """Raise DataError if more rows are `wanted`, by the arguments `names`, than are `available` of `what`."""
    if wanted > available:
        raise DataError(f"{names} must be at most {available:,}, the {what}, got {wanted:,}. Ask for fewer images.")
