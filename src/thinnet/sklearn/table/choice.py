"""categorical_features: what it may be, and which columns it names."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from thinnet.checks import nearest
from thinnet.errors import ArgumentError
from thinnet.typing import BoolArray


def chosen(categorical_features: Any, names: Sequence[str], named: bool) -> list[bool | None]:
    """For each column whether it is of categories; None where its dtype says.

    >>> chosen(["b"], ["a", "b"], named=True)
    [None, True]
    """
    if categorical_features is None:
        return [False] * len(names)
    mask = _mask(categorical_features, names, named)
    return [True if one else None for one in mask]


def _mask(categorical_features: Any, names: Sequence[str], named: bool) -> BoolArray:
    """Which columns are named as categories."""
    if isinstance(categorical_features, str):
        if categorical_features == "from_dtype":
            return np.zeros(len(names), bool)
        raise _refusal(repr(categorical_features), f"Write [{categorical_features!r}] for the column of that name.")
    given = _listed(categorical_features)
    if given and all(isinstance(one, bool | np.bool_) for one in given):
        return _by_mask(given, names)
    if all(isinstance(one, Integral) and not isinstance(one, bool) for one in given):
        return _by_index(given, names)
    if all(isinstance(one, str) for one in given):
        return _by_name(given, names, named)
    raise _refusal(repr(categorical_features), "Give names, or numbers, or bools, and not some of each.")


def _listed(given: Any) -> list[Any]:
    if isinstance(given, dict | bytes) or not hasattr(given, "__len__") or not hasattr(given, "__iter__"):
        raise _refusal(repr(given), "Write ['color'] or [3], for example.")
    return list(given)


def _by_mask(mask: Sequence[Any], names: Sequence[str]) -> BoolArray:
    if len(mask) != len(names):
        raise _refusal(f"{len(mask)} bools for {len(names)} columns", "Give one bool for each column.")
    return np.array(mask, bool)


def _by_index(index: Sequence[int], names: Sequence[str]) -> BoolArray:
    mask = np.zeros(len(names), bool)
    for one in index:
        if not 0 <= one < len(names):
            raise _refusal(f"column {one}", f"The columns are numbered from 0 to {len(names) - 1}.")
        mask[one] = True
    return mask


def _by_name(given: Sequence[str], names: Sequence[str], named: bool) -> BoolArray:
    if not named:
        raise _refusal(f"{given[0]!r} for an X without names", "Give the columns' numbers, or a data frame as X.")
    mask = np.zeros(len(names), bool)
    for name in given:
        places = [i for i, known in enumerate(names) if known == name]
        if not places:
            raise _refusal(f"{name!r}, which X does not have", nearest(name, names) or f"It has {_list(names)}.")
        if len(places) > 1:
            raise _refusal(f"{name!r}, which {len(places)} columns are called", f"Give their numbers: {places}.")
        mask[places] = True
    return mask


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:10])) + (", ..." if len(names) > 10 else "")


def _refusal(came: str, fix: str) -> ArgumentError:
    return ArgumentError(
        f"categorical_features must be 'from_dtype', None, or a list of columns (their names, their numbers, or a bool "
        f"for each), got {came}. {fix}"
    )
