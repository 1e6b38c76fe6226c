"""Labels and values as people have them, in the two forms that losses take."""

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from thinnet.arrays import cast, narrowest
from thinnet.checks import Error, as_array
from thinnet.errors import ArgumentError, DataError
from thinnet.typing import AnyArray, FloatArray


def as_targets(name: str, y: Any, error: Error = ArgumentError) -> AnyArray:
    """Labels as (N,) int64, or as (N,) text; values as float32 or float64.

    Floats of one axis that are all whole numbers from 0 on are taken for labels, and so is a single column of
    integers; several columns of integers for values.

    Raises:
        error: if it holds something else.

    >>> as_targets("y", [0.0, 2.0]), as_targets("y", [0.5, 2.0]), as_targets("y", [True, False])
    (array([0, 2]), array([0.5, 2. ]), array([1, 0]))
    """
    array: AnyArray = as_array(name, y, error)
    if array.dtype.kind == "O":  # as data frames keep text
        array = _without_objects(array)
    if array.dtype.kind in "UT":
        return array.astype(str)
    if array.dtype.kind == "S":
        text: AnyArray = np.char.decode(array, "latin1")
        return text
    if array.dtype.kind not in "fiub":
        raise error(
            f"{name} must be labels or real numbers, got dtype {array.dtype}. Give each class a number or a name."
        )
    if array.dtype.kind == "f":
        values = cast(name, array, narrowest(array.dtype), error)
        return values.astype(np.int64) if values.ndim == 1 and _are_whole(values) else values
    if array.ndim == 2 and array.shape[1] != 1:
        return array.astype(np.float32 if np.can_cast(array.dtype, np.float32) else np.float64)
    labels = array.astype(np.int64, copy=False)
    return labels[:, 0] if labels.ndim == 2 else labels


def targets_for(kind: str, num_outputs: int, name: str, y: Any, error: Error = ArgumentError) -> AnyArray:
    """Targets as a loss on ``"labels"``, or of another `kind`, takes them from a net of so many outputs.

    Raises:
        error: if they are text, whose numbers a net does not know, or something else.
    """
    targets = as_targets(name, y, error)
    if targets.dtype.kind == "U":
        raise error(
            f"{name} must be numbers, got text such as {str(targets.flat[0])!r}. Number the classes: names, y = "
            f"np.unique({name}, return_inverse=True)."
        )
    return as_values(targets) if kind != "labels" and num_outputs == 1 else targets


def as_values(y: AnyArray) -> AnyArray:
    """Targets of one axis as the single column of values that a loss on values takes."""
    return y.reshape(-1, 1).astype(np.float64) if y.ndim == 1 else y


def checked_targets(
    arrays: Mapping[str, Any], class_names: tuple[str, ...] = ()
) -> tuple[dict[str, AnyArray], tuple[str, ...]]:
    """The targets of all splits in one form, by the names of their arguments; and the names of the classes.

    Text becomes its number among the names. Where any split's floats of one axis are not whole, all are values.

    Raises:
        DataError: if there is text beside numbers, or none of the names.
    """
    targets = {name: as_targets(name, y, DataError) for name, y in arrays.items()}
    kinds = {name: y.dtype.kind for name, y in targets.items()}
    if "U" in kinds.values():
        return _numbered(targets, class_names)
    if any(y.ndim == 1 and y.dtype.kind == "f" for y in targets.values()):
        return {name: as_values(y) for name, y in targets.items()}, class_names
    return targets, class_names


def _numbered(
    targets: Mapping[str, AnyArray], class_names: tuple[str, ...]
) -> tuple[dict[str, AnyArray], tuple[str, ...]]:
    """The indices of labels that are text in the names of the classes."""
    for name, y in targets.items():
        if y.dtype.kind != "U" or y.ndim != 1:
            raise DataError(
                f"{name} must be (N,) text where other labels are, got {y.dtype} of shape {y.shape}. Give all labels "
                f"as text, or all as numbers: names, y = np.unique(labels, return_inverse=True)."
            )
    names = np.array(class_names or np.unique(np.concatenate([*targets.values()])).tolist())
    order = names.argsort()
    numbered = {}
    for name, y in targets.items():
        indices = order[np.searchsorted(names, y, sorter=order).clip(max=len(names) - 1)]
        unknown = names[indices] != y
        if unknown.any():
            raise DataError(
                f"{name} must hold only the labels in class_names, got {str(y[unknown][0])!r}. Name every class."
            )
        numbered[name] = indices
    return numbered, tuple(names.tolist())


def _are_whole(values: FloatArray) -> bool:
    return bool(((values >= 0) & (values < 2.0**53)).all() and (values == np.floor(values)).all())  # NaN is not


def _without_objects(array: AnyArray) -> AnyArray:
    """Objects that are all text or all numbers as what they are; others left alone."""
    elements = array.ravel().tolist()
    if all(isinstance(element, str) for element in elements) or all(isinstance(element, Real) for element in elements):
        return np.array(elements).reshape(array.shape)
    return array
