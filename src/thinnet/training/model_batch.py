"""Rows of a data set as a model takes them, whoever wrote it."""

from typing import Any

from thinnet.data.dataset import Dataset
from thinnet.nets import FullyConnectedNet
from thinnet.typing import IntArray


def model_batch(model: Any, data: Dataset, split: str, rows: IntArray, **draws: int) -> tuple[Any, Any]:
    """Rows and labels, in the model's dtype where it has one, and as images unless it is ours.

    With `draws`, the seed, the step and the epoch of a minibatch, they are training rows and augmented.
    """
    own = isinstance(model, FullyConnectedNet)
    floats = data.X_train.dtype if data.X_train.dtype.kind == "f" else "float32"
    dtype = getattr(model, "dtype", floats)
    X, y = data.augmented_batch(rows, dtype, **draws) if draws else data.batch(split, rows, dtype)
    return (X if own or data.image_shape is None else X.reshape(-1, *data.image_shape)), y
