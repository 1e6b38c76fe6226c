"""Rows of a data set as a model takes them, whoever wrote it."""

from __future__ import annotations

from typing import Any

from thinnet.data.dataset import Dataset
from thinnet.nets import FullyConnectedNet
from thinnet.typing import IntArray


def model_batch(model: Any, data: Dataset, split: str, rows: IntArray) -> tuple[Any, Any]:
    """Rows and labels, in the model's dtype where it has one, and as images unless it is ours."""
    own = isinstance(model, FullyConnectedNet)
    floats = data.X_train.dtype if data.X_train.dtype.kind == "f" else "float32"
    X, y = data.batch(split, rows, getattr(model, "dtype", floats))
    return (X if own or data.image_shape is None else X.reshape(-1, *data.image_shape)), y
