"""Checks of a data set's arrays, and of the number of rows requested."""

import math
import warnings
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from thinnet.arrays import as_array, came, check_finite, without_objects
from thinnet.checks import Error, kind_of
from thinnet.errors import ArgumentError, DataError
from thinnet.spelling import nearest
from thinnet.targets import is_one_hot
from thinnet.typing import AnyArray


def checked_rows(
    split: str, X: AnyArray, y: AnyArray, width: int | None, image_shape: tuple[int, ...] | None
) -> AnyArray:
    """X as (N, D), after checking that it fits y, the image shape, and the `width` columns of the training rows."""
    if X.ndim < 2 or y.ndim not in (1, 2) or X.shape[0] != y.shape[0]:
        fix = "Put one example in each row."
        if X.ndim > 1 and X.shape[1:] == y.shape[1:]:  # as train_test_split gives them
            fix = "These seem to be the rows of two splits: write Dataset(X_train, y_train, X_val, y_val)."
        raise DataError(
            f"X_{split} must have shape (N, D) with one label per row, got X of shape {X.shape} and "
            f"y of shape {y.shape}. {fix}"
        )
    rows = X.reshape(X.shape[0], math.prod(X.shape[1:]))
    if width not in (None, rows.shape[1]):
        raise DataError(
            f"X_{split} must have {width} columns, like X_train, got {rows.shape[1]}. Use the same features."
        )
    if image_shape is not None:
        check_fits(image_shape, rows.shape[1], f"X_{split}", error=DataError)
    return rows


def check_fits(
    image_shape: tuple[int, ...],
    columns: int,
    of: str = "a row",
    name: str = "image_shape",
    error: Error = ArgumentError,
) -> None:
    """Raise `error` unless images of this shape have this many elements."""
    if math.prod(image_shape) != columns:
        raise error(
            f"{name} must have {columns} elements, as many as {of} has columns, got {image_shape}. Use the shape that "
            f"a row had before it was flattened."
        )


def check_labels(split: str, y: AnyArray, class_names: tuple[str, ...]) -> None:
    """Raise DataError if labels are not numbered from 0, or if there are names but not for all of them."""
    highest = len(class_names) - 1 if class_names else math.inf
    if y.ndim != 1 or (y.size and not 0 <= int(y.min()) <= int(y.max()) <= highest):
        span = f"{y.min()} to {y.max()}" if y.size else "none"
        known = f" (there are {len(class_names)} class_names)" if class_names else ""
        raise DataError(
            f"y_{split} must hold labels of shape (N,), numbered from 0{known}, got labels from {span} of shape "
            f"{y.shape}. Number the classes from 0: names, y = np.unique(y, return_inverse=True); "
            f"for regression give values, such as y.astype(float)."
        )


INSTEAD = {
    "split": "Write Dataset(X_train, y_train, X_val, y_val).",
    **{split: f"Write data.batch({split!r}), which gives rows and labels." for split in ("train", "val", "test")},
}  # hints for attributes that other libraries' data sets have
MOST_ABSENT = 1000  # with many more classes without a row than this, the labels are probably not classes


def check_no_words(data: Any, loss: str, wanted: str) -> None:
    """Raise ArgumentError if labels are text but the loss takes something else, named by `wanted`."""
    if data.text_labels and wanted != "labels":
        raise ArgumentError(
            f"y_train must hold {wanted}, since the net's loss is {loss!r}, got text such as {data.class_names[0]!r}. "
            f"Use loss='softmax' for classes, or give numbers."
        )


ONE_NUMBER = "number them: names, y = np.unique(y, return_inverse=True)"


def check_no_values(data: Any, loss: str) -> None:
    """Raise ArgumentError if targets are values but the loss takes labels."""
    if data.y_train.ndim == 2:
        odd = data.y_train[data.y_train != np.floor(data.y_train)]
        such = f" such as {(odd if odd.size else data.y_train.ravel())[0]:g}" if data.y_train.size else ""
        fix = "give the number of each row's class: y.argmax(axis=1)" if is_one_hot(data.y_train) else ONE_NUMBER
        raise ArgumentError(
            f"y_train must hold labels, since the net's loss is {loss!r}, got values{such}. Use loss='mse' for values; "
            f"if they are classes, {fix}."
        )


def warn_of_one_hot(data: Any) -> None:
    """Warn about one-hot rows, which a net takes as values if no loss is given."""
    if len(data.y_train) and is_one_hot(data.y_train):
        warnings.warn(
            "y_train has a one and zeros in each row, and the net learns them as values, with loss='mse'. If they are "
            "classes, give the number of each: y.argmax(axis=1). If they are values, write loss='mse'",
            UserWarning,
            stacklevel=4,
        )


def check_classes(data: Any, loss: str) -> None:
    """Raise ArgumentError if there is only one class, or if labels are unlikely to be class numbers."""
    if data.num_classes == 1:
        label = repr(data.class_names[0]) if data.class_names else "0"
        raise ArgumentError(
            f"y_train must hold labels of at least two classes with loss={loss!r}, got {label} alone. Give rows of "
            f"other classes too; for values build the net with loss='mse'."
        )
    seen = len(np.unique(data.y_train))
    if data.share is None and data.num_classes > MOST_ABSENT + 10 * seen:
        raise ArgumentError(
            f"labels must be numbered from 0 to the number of classes, got {seen} different ones in y_train and "
            f"numbers up to {data.num_classes - 1}, and a net would have an output for each. Number the classes: "
            f"names, y = np.unique(y, return_inverse=True); for values build the net with loss='mse'."
        )


def checked_weights(given: Any, num_rows: int, name: str, rows: str, error: Error) -> AnyArray:
    """Weights as an array, after checking that each of the training `rows` has a number of at least 0."""
    weights: AnyArray = without_objects(as_array(name, given, error))
    if weights.shape != (num_rows,) or weights.dtype.kind not in "fiub":
        found = weights.dtype if weights.dtype.kind in "fiub" else came(weights)
        raise error(
            f"{name} must have shape ({num_rows},), one number for each row of {rows}, got {found} of shape "
            f"{weights.shape}. Leave them out if every row counts once."
        )
    if not (weights >= 0).all():  # written this way, it also refuses NaN
        raise error(f"{name} must be >= 0, got {weights.min()}. Use 0 to leave a row out.")
    if weights.size and not weights.any():
        fix = f"Leave {name} out if every row counts once."
        raise error(f"{name} must have at least one number above zero, got zero for every row. {fix}")
    check_finite(name, weights, error)
    return weights


def check_keys(data: Any, known: Collection[str]) -> None:
    """Raise DataError unless `data` is a mapping with training rows and no key that looks like a misspelled one."""
    if not isinstance(data, Mapping) or "X_train" not in data or "y_train" not in data:
        came, fix = kind_of(data), "Write Dataset(X, y), or Dataset(X, y, X_val, y_val)."
        if isinstance(data, Mapping):
            came, fix = f"the keys {list(data)}", "Call the training rows X_train, and their labels y_train."
        raise DataError(f"data must be a Dataset or a dict with X_train and y_train, got {came}. {fix}")
    missing = [key for key in known if key not in data]
    for key in data:
        if key not in known and nearest(key, missing):  # X_valid, where X_val is missing
            raise DataError(f"data must have keys such as {list(known)}, got {key!r}. {nearest(key, missing)}")


def check_pairs(splits: Any) -> None:
    """Raise DataError unless these are one to three pairs of rows and labels."""
    wrong = [pair for pair in splits if not isinstance(pair, tuple | list) or len(pair) != 2]
    if wrong or not 1 <= len(splits) <= 3:
        came = kind_of(wrong[0]) if wrong else f"{len(splits)} pairs"
        raise DataError(
            f"splits must be one to three pairs of rows and labels, got {came}. Write "
            f"Dataset.from_splits((X_train, y_train), (X_val, y_val)), for example."
        )


def check_rows(names: str, wanted: int, available: int, what: str) -> None:
    """Raise DataError if the arguments `names` want more rows than are available; `what` describes them."""
    if wanted > available:
        raise DataError(
            f"{names} must be at most {available:,}, the number of {what}, got {wanted:,}. Ask for fewer images."
        )


def checked_floats(dtype: Any) -> np.dtype[Any]:
    """The float dtype of returned rows, checked."""
    with suppress(TypeError):
        found: np.dtype[Any] = np.dtype(dtype)
        if found.kind == "f":
            return found
    raise ArgumentError(f"dtype must be a float type, got {dtype!r}. Use 'float32' or 'float64'.")
