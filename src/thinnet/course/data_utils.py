"""CIFAR-10 as the courses' notebooks expect it: float64 images in dicts and tuples."""

import builtins
import os
from functools import cache
from typing import Any

import numpy as np

from thinnet.arguments import known_arguments
from thinnet.course.saying import say
from thinnet.data.cifar10 import FOLDER, load_cifar10, look_for_cifar10, read_cifar10_batch, read_cifar10_folder
from thinnet.errors import DataError, MissingDataError
from thinnet.typing import AnyArray, FloatArray, IntArray

IMAGE_SHAPE = (3, 32, 32)
ABSENT = (
    "CIFAR-10 is not on this machine. Download it with: thinnet data --download cifar10. Or copy the folder "
    f"{FOLDER} from another machine, and put it beside the notebook."
)


@known_arguments
def get_CIFAR10_data(
    num_training: int = 49000, num_validation: int = 1000, num_test: int = 1000, subtract_mean: bool = True
) -> dict[str, AnyArray]:
    """The courses' dict X_train, y_train, X_val, y_val, X_test, y_test, located as by `thinnet.load_cifar10`.

    Images are float64 of shape (N, 3, 32, 32), which is 1.2 GB for all of them; with `subtract_mean`, the mean
    training image is subtracted from each.

    Raises:
        DataError: if CIFAR-10 cannot be found or read, or has fewer images.
    """
    try:
        data = load_cifar10(num_train=num_training, num_val=num_validation, num_test=num_test)
    except DataError as error:
        if look_for_cifar10() is None:
            raise MissingDataError(f"{ABSENT} (The download failed: {type(error.__cause__).__name__}.)") from error
        raise
    mean = data.X_train.mean(axis=0, dtype=np.float64) if subtract_mean else np.zeros(data.num_features)
    result: dict[str, AnyArray] = {}
    for split in ("train", "val", "test"):
        rows, labels = getattr(data, f"X_{split}"), getattr(data, f"y_{split}")
        if rows is not None:
            images = rows.astype(np.float64)
            images -= mean  # in place, since memory may not hold two arrays of that size
            result[f"X_{split}"] = images.reshape(-1, *IMAGE_SHAPE)
            result[f"y_{split}"] = labels
    return result


def load_CIFAR10(ROOT: str | os.PathLike[str]) -> tuple[FloatArray, IntArray, FloatArray, IntArray]:
    """Everything in the folder ``cifar-10-batches-py``: float64 images of shape (N, 32, 32, 3), and labels.

    If the folder is missing, read what `thinnet.load_cifar10` finds without downloading, and say so.

    Raises:
        DataError: if a file is missing or damaged.
    """
    X_train, y_train, X_test, y_test = read_cifar10_folder(_needed(ROOT))
    return _channels_last(X_train), y_train, _channels_last(X_test), y_test


def load_CIFAR_batch(filename: str | os.PathLike[str]) -> tuple[FloatArray, IntArray]:
    """One batch file: float64 images of shape (N, 32, 32, 3), and labels; located as by `load_CIFAR10`.

    Raises:
        DataError: if the file is missing or damaged.
    """
    folder, name = os.path.split(filename)
    X, y = read_cifar10_batch(os.path.join(_needed(folder), name))
    return _channels_last(X), y


def lend_images(namespace: dict[str, Any]) -> None:
    """Make ``open``, also in the cells that use this namespace, find CIFAR-10 if the given folder is missing.

    A student's own ``load_CIFAR10`` looks for the files where they are on the student's machine.
    """
    plain = builtins.open

    def find(file: Any, *options: Any, **named: Any) -> Any:
        folder, name = os.path.split(file) if isinstance(file, str | os.PathLike) else ("", "")
        return plain(
            os.path.join(_found(folder), name) if os.path.basename(folder) == FOLDER else file, *options, **named
        )

    builtins.open = namespace["open"] = find


def _needed(folder: str | os.PathLike[str]) -> str | os.PathLike[str]:
    found = _found(folder)
    if not os.path.exists(found or "."):
        raise MissingDataError(f"{ABSENT} (There is no {os.fspath(folder)}.)")
    return found


def _found(folder: str | os.PathLike[str]) -> str | os.PathLike[str]:
    found = None if os.path.exists(folder or ".") else look_for_cifar10()
    if found is not None:
        _tell(os.fspath(folder), f"there is no such folder; reading {found}")
    return found or folder


_tell = cache(say)  # only once for all files of a folder


def _channels_last(X: AnyArray) -> FloatArray:
    return X.reshape(-1, *IMAGE_SHAPE).transpose(0, 2, 3, 1).astype(np.float64)
