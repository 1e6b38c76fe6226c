"""What rows, targets and weights may be given as: whatever is in memory, as against plans of how to compute them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Any

import numpy as np

from thinnet.errors import ArgumentError

# How things that are not in memory are brought there, the surer way first: PySpark has several of these.
METHODS = ("toPandas", "to_pandas", "collect", "compute", "execute", "to_numpy")


def check_in_memory(**given: Any) -> None:
    """Raise ArgumentError, with the fix, for what NumPy would take as one object rather than as an array.

    >>> check_in_memory(X=[[1.0, 2.0]], y=None)
    >>> check_in_memory(X=(row for row in [[1.0]]))
    Traceback (most recent call last):
    ...
    thinnet.errors.ArgumentError: X must be an array, a sparse matrix or a data frame in memory, got a generator. ...
    """
    for name, value in given.items():
        if value is None or np.isscalar(value) or hasattr(value, "__array__") or hasattr(value, "tocsr"):
            continue  # what it holds is checked with everything else
        is_array = hasattr(value, "__getitem__") and hasattr(value, "__len__") and not isinstance(value, Mapping)
        methods = [method for method in METHODS if callable(getattr(value, method, None))]
        if is_array and not methods:
            continue
        raise ArgumentError(
            f"{name} must be an array, a sparse matrix or a data frame in memory, got a {type(value).__name__}. "
            f"{_fix(name, value, methods)}"
        )


def _fix(name: str, value: Any, methods: list[str]) -> str:
    if methods:
        return f"Compute it first: give {name}.{methods[0]}()."
    if isinstance(value, Iterator | Set):
        return f"Give list({name}); rows that do not fit into memory can be given to partial_fit in parts."
    if isinstance(value, Mapping):
        return f"Give pandas.DataFrame({name}), for example."
    return f"Convert it: numpy.asarray({name}), for example."
