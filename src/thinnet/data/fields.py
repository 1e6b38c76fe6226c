"""Checks a data set's fields and converts them to their stored form: the splits' arrays, class names, weights."""

from typing import Any

from thinnet.arrays import as_rows, check_finite, check_order, column_labels, warn_of_order
from thinnet.checks import check_names
from thinnet.data import checking
from thinnet.data.augmentation import checked_augmentation
from thinnet.errors import DataError
from thinnet.targets import checked_targets

SPLITS = ("train", "val", "test")
ARRAYS = {f"{part}_{split}": split for split in SPLITS for part in "Xy"}  # field → the split whose rows it holds


def checked_fields(data: Any) -> dict[str, Any]:
    """The fields of a new `Dataset` in the form in which they are stored; DataError if they do not fit together."""
    if data.X_train is None and data.y_train is None:
        raise DataError("X_train and y_train must be arrays, got None. Give the training rows and their labels.")
    given = [split for split in SPLITS if _has(data, split)]
    named = check_names(data.class_names, None, DataError)
    targets, names, is_text = checked_targets({f"y_{split}": getattr(data, f"y_{split}") for split in given}, named)
    fields: dict[str, Any] = {"class_names": names, "text_labels": is_text, "image_shape": data.image_shape}
    labels = {split: column_labels(getattr(data, f"X_{split}")) for split in given}
    width = None
    for split in given:
        check_order(f"X_{split}", labels[split], labels["train"], DataError)
        beside = {f"y_{split}": getattr(data, f"y_{split}"), "weights": data.weights if split == "train" else None}
        warn_of_order(getattr(data, f"X_{split}"), beside, stacklevel=5, rows=f"X_{split}")
        X, y = as_rows(f"X_{split}", getattr(data, f"X_{split}"), DataError), targets[f"y_{split}"]
        if split == "train" and data.image_shape is None and X.ndim > 2:
            fields["image_shape"] = X.shape[1:]
        rows = checking.checked_rows(split, X, y, width, fields["image_shape"])
        width = int(rows.shape[1])
        if y.dtype.kind != "f":
            checking.check_labels(split, y, names)
        check_finite(f"X_{split}", rows)
        check_finite(f"y_{split}", y)
        fields |= {f"X_{split}": rows, f"y_{split}": y}
    if data.weights is not None:
        rows = fields["X_train"]
        fields["weights"] = checking.checked_weights(data.weights, len(rows), "weights", "X_train", DataError)
    fields["augmentation"] = checked_augmentation(data.augmentation, fields["X_train"].shape[1])
    return fields


def _has(data: Any, split: str) -> bool:
    X, y = getattr(data, f"X_{split}"), getattr(data, f"y_{split}")
    if (X is None) != (y is None):
        raise DataError(f"X_{split} and y_{split} must be given together, got only one. Give both.")
    return X is not None
