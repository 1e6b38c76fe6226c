"""Rows of a data set in the form that a model takes, ours or not."""

from typing import Any

from thinnet.data.dataset import Dataset
from thinnet.nets import FullyConnectedNet
from thinnet.typing import IntArray


def model_batch(model: Any, data: Dataset, split: str, rows: IntArray, **draws: int) -> tuple[Any, Any]:
    """Rows and labels, in the model's dtype if it has one; image data have image shape unless the model is ours.

    With `draws` (the seed, step and epoch of a minibatch), they are augmented training rows.
    """
    own = isinstance(model, FullyConnectedNet)
    floats = data.X_train.dtype if data.X_train.dtype.kind == "f" else "float32"
    dtype = getattr(model, "dtype", floats)
    X, y = data.augmented_batch(rows, dtype, **draws) if draws else data.batch(split, rows, dtype)
    return (X if own or data.image_shape is None else X.reshape(-1, *data.image_shape)), y
