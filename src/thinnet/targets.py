"""Converts users' labels and values to the two forms that losses take."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np

from thinnet.arrays import advice, as_array, came, cast, narrowest, without_objects
from thinnet.checks import Error
from thinnet.errors import ArgumentError, DataError
from thinnet.spelling import nearest
from thinnet.typing import AnyArray, FloatArray, IntArray

SHARES_OFF = 0.02  # how far from 1 the sum of a row's shares may be, even in half precision
MANY_CLASSES = 100  # up to this many, there may be as many classes as rows


def as_targets(name: str, y: Any, error: Error = ArgumentError) -> AnyArray:
    """Labels as (N,) int64, or as (N,) text; values as float32 or float64.

    A 1-D float array of nonnegative whole numbers counts as labels, and so does a single column of integers or text.
    Several columns of integers count as values.

    Raises:
        error: if it holds anything else.
    """
    array: AnyArray = as_array(name, y, error)
    if array.dtype.kind == "U" and isinstance(y, list | tuple):  # NumPy has turned NaN and numbers into text, too
        array = np.array(y, object)
    if array.dtype.kind == "O":  # how data frames store text
        array = uniform(name, array, error)
    if array.dtype.kind == "S":
        array = np.char.decode(array, "latin1")
    if array.ndim == 2 and array.shape[1] == 1 and array.dtype.kind in "Uiub":
        array = array[:, 0]
    if array.dtype.kind == "U":
        return array
    if array.dtype.kind not in "fiub":
        raise error(f"{name} must be labels or real numbers, got {came(array)}. {advice(name, array)}")
    if array.dtype.kind == "f":
        values = cast(name, array, narrowest(array.dtype), error)
        return values.astype(np.int64) if values.ndim == 1 and _are_whole(values) else values
    if array.ndim == 2:
        return array.astype(np.float32 if np.can_cast(array.dtype, np.float32) else np.float64)
    if (largest := array.max(initial=0)) > np.iinfo(np.int64).max:
        raise error(
            f"{name} must hold labels within int64, got {largest}. Number the classes: names, y = "
            f"np.unique({name}, return_inverse=True); for regression give {name}.astype(float)."
        )
    return array.astype(np.int64, copy=False)


def targets_for(kind: str, num_outputs: int, y: Any, class_names: Sequence[str] = ()) -> AnyArray:
    """Targets in the form that a loss of this `kind`, such as ``"labels"``, takes for a net with `num_outputs` outputs.

    Text is numbered in the order of `class_names`.

    Raises:
        ArgumentError: if they are text and there are no names, or are neither labels nor values.
    """
    targets = as_targets("y", y)
    if targets.dtype.kind == "U" and class_names:
        targets = numbered("y", targets, class_names, ArgumentError)
    if targets.dtype.kind == "U":
        fix = "Give numbers."
        if kind == "labels":
            fix = "Number the classes: names, y = np.unique(y, return_inverse=True); or give the net class_names."
        raise ArgumentError(f"y must be numbers, got text such as {str(targets.flat[0])!r}. {fix}")
    if kind == "labels":
        column = targets.ndim == 2 and targets.shape[1] == 1 < num_outputs and _are_whole(targets)
        return targets[:, 0].astype(np.int64) if column else targets
    return as_values(targets) if num_outputs == 1 else targets


def check_shares(y: AnyArray) -> None:
    """Raise if the targets (N, C) of a loss on classes do not sum to 1 in each row.

    A row without a class would have a loss of 0, and a row with several would count several times.
    """
    off = np.abs(y.sum(axis=1, dtype=np.float64) - 1)
    if off.max() > SHARES_OFF:
        row = int(off.argmax())
        raise ArgumentError(
            f"y must be shares of the classes, which sum to 1 in each row, got {y[row].sum():g} in row {row}. "
            "Divide each row by its sum; if rows have several labels, use loss='logistic'."
        )


def as_values(y: AnyArray) -> AnyArray:
    """1-D targets as a single column of values, the form that losses on values take."""
    return y.reshape(-1, 1).astype(np.float64) if y.ndim == 1 else y


def checked_targets(
    arrays: Mapping[str, Any], class_names: tuple[str, ...] = ()
) -> tuple[dict[str, AnyArray], tuple[str, ...], bool]:
    """The targets of all splits in one form, by argument name; the class names; and whether the labels are text.

    Text becomes its index in the names. If any split has 1-D floats that are not whole, all are values.

    Raises:
        DataError: if text is mixed with numbers, or a label is not in the names.
    """
    targets = {name: as_targets(name, y, DataError) for name, y in arrays.items()}
    kinds = {name: y.dtype.kind for name, y in targets.items()}
    if "U" in kinds.values():
        names = class_names or tuple(np.unique(np.concatenate([y.ravel() for y in targets.values()])).tolist())
        return {name: numbered(name, y, names) for name, y in targets.items()}, names, True
    if any(y.ndim == 1 and y.dtype.kind == "f" for y in targets.values()):
        return {name: as_values(y) for name, y in targets.items()}, class_names, False
    return targets, class_names, False


def numbered(name: str, y: AnyArray, class_names: Sequence[str], error: Error = DataError) -> IntArray:
    """The indices of text labels in the class names.

    Raises:
        error: if they are numbers, or a label is not in the names.
    """
    if y.dtype.kind != "U" or y.ndim != 1:
        raise error(
            f"{name} must be (N,) text where other labels are, got {y.dtype} of shape {y.shape}. Give all labels "
            f"as text, or all as numbers: names, y = np.unique(labels, return_inverse=True)."
        )
    indices = places(y, np.array(class_names))
    if indices.min(initial=0) < 0:
        word = str(y[indices < 0][0])
        raise error(
            f"{name} must hold only the labels in class_names, got {word!r}. Name every class. "
            f"{nearest(word, class_names)}".rstrip()
        )
    return indices


def places(y: AnyArray, known: AnyArray) -> IntArray:
    """The index of each of the (N,) labels in `known`; −1 if it is not there."""
    order = known.argsort()
    try:
        indices = order[np.searchsorted(known, y, sorter=order).clip(max=len(known) - 1)]
    except TypeError:  # types that cannot be compared
        return np.full(len(y), -1)
    return np.where(known[indices] == y, indices, -1)


def seem_no_classes(name: str, num_labels: int, num_rows: int) -> str:
    """A warning if there are too many labels for the rows, as with values or ids; otherwise an empty string."""
    if num_labels <= MANY_CLASSES or 2 * num_labels <= num_rows:
        return ""
    return (
        f"{name} has {num_labels:,} different labels in {num_rows:,} rows. A net needs an output for each, which is "
        f"slow and hard to learn. If they are IDs, use another column; if they are values, "
    )


def is_one_hot(y: AnyArray) -> bool:
    """Whether each row of (N, C) targets is one-hot, as other libraries encode classes."""
    return y.shape[1] > 1 and bool(np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all())


def _are_whole(values: FloatArray) -> bool:
    return bool(((values >= 0) & (values < 2.0**53)).all() and (values == np.floor(values)).all())  # False for NaN


def check_present(name: str, array: AnyArray, error: Error, what: str, instead: str) -> None:
    """Raise `error` if a target, (N,) or (N, C), is missing; `what` is what each row needs, `instead` another fix."""
    missing = np.array([*map(is_missing, array.flat)]) if array.dtype.kind == "O" else np.asarray(array != array)
    if missing.any():
        rows = np.flatnonzero(missing.reshape(len(np.atleast_1d(array)), -1).any(axis=1))
        raise error(
            f"{name} must have {what} for each row, got {array.flat[int(missing.argmax())]} in row {rows[0]} (rows "
            f"without {what}: {len(rows)}). Remove them, or {instead}."
        )


def uniform(name: str, array: AnyArray, error: Error = ArgumentError) -> AnyArray:
    """Convert an object array whose elements are all of one kind.

    Raises:
        error: if elements are missing, are of several kinds, or are neither text nor numbers.
    """
    check_present(name, array, error, "a label or a value", "give them a label of their own")
    elements = array.ravel().tolist()
    plain = without_objects(array)
    if plain.dtype.kind != "O" or not elements:
        return plain
    if all(isinstance(element, Real) for element in elements):
        raise error(f"{name} must be within 64 bits, got {max(elements, key=abs)}. Convert them to text or floats.")
    kinds = {type(element).__name__: element for element in reversed(elements)}
    came = " and ".join(f"{kind} such as {element!r}" for kind, element in list(kinds.items())[:2])
    raise error(
        f"{name} must be all text or all numbers, got {came}. Convert all to text, "
        f"[str(label) for label in {name}], or all to numbers."
    )


def is_missing(element: Any) -> bool:
    """Whether the element is a missing value: None, NaN, or one of pandas's markers."""
    none = element is None or type(element).__name__ in ("NAType", "NaTType")
    return none or (
        element.is_nan() if isinstance(element, Decimal) else isinstance(element, float) and element != element
    )
