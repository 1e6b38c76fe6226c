"""Fashion-MNIST: 70,000 grayscale images of clothes, 28 x 28 pixels, in ten classes."""

import os
from pathlib import Path

import numpy as np

from thinnet.arguments import known_arguments
from thinnet.checks import check_number, check_path
from thinnet.data.checking import check_rows
from thinnet.data.dataset import Dataset
from thinnet.data.files import damaged, looked_for
from thinnet.data.idx import read_idx
from thinnet.errors import MissingDataError
from thinnet.typing import AnyArray, IntArray

CLASS_NAMES = (
    "T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
IMAGES = "{}-images-idx3-ubyte"
FIX = "Take the four files from https://github.com/zalandoresearch/fashion-mnist."


@known_arguments
def load_fashion_mnist(
    root: str | os.PathLike[str], *, num_train: int = 55000, num_val: int = 5000, num_test: int | None = None
) -> Dataset:
    """Fashion-MNIST from its four IDX files, with pixels kept as uint8.

    Args:
        root: the folder with ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte``
            and ``t10k-labels-idx1-ubyte``, each plain, or gzipped with the extension ``.gz``.
        num_train: how many of the 60,000 training images to train with: the first ones.
        num_val: how many of the images after those to validate with.
        num_test: how many of the 10,000 test images to test with: the first ones; ``None`` for all.

    Returns:
        A `Dataset`: rows of 784 uint8 pixels; labels int64 from 0 to 9.

    Raises:
        DataError: if a file is missing (then also a `FileNotFoundError`) or damaged, or there are fewer images
            than requested.
        ArgumentError: if a number of images is not a whole number.

    Source: H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST", 2017, arXiv 1708.07747.

    >>> load_fashion_mnist("no/such/folder")
    Traceback (most recent call last):
    ...
    thinnet.errors.MissingDataError: root must be a folder with train-images-idx3-ubyte, plain or with .gz, ...
    """
    wanted = check_number("num_train", num_train) + check_number("num_val", num_val)
    if num_test is not None:
        check_number("num_test", num_test)
    root = check_path("root", root)
    X, y = _read_pair(root, "train")
    check_rows("num_train + num_val", wanted, len(X), f"training images in {os.fspath(root)}")
    X_test, y_test = _read_pair(root, "t10k")
    if len(X_test) and np.array_equal(X, X_test):
        images, others = (_find(root, IMAGES.format(prefix)) for prefix in ("t10k", "train"))
        raise damaged(images, f"a file of other images than {others.name}", "the same ones", FIX)
    check_rows("num_test", num_test or 0, len(X_test), f"test images in {os.fspath(root)}")
    train, val = ((X[rows], y[rows]) for rows in (slice(num_train), slice(num_train, wanted)))
    test = X_test[:num_test], y_test[:num_test]
    return Dataset.from_splits(train, val, test, name="Fashion-MNIST", class_names=CLASS_NAMES, image_shape=(28, 28))


def _read_pair(root: Path, prefix: str) -> tuple[AnyArray, IntArray]:
    images, labels = _find(root, IMAGES.format(prefix)), _find(root, f"{prefix}-labels-idx1-ubyte")
    X, y = read_idx(images), read_idx(labels)
    if X.shape[1:] != (28, 28):
        raise damaged(images, "a file of images of shape (N, 28, 28)", f"shape {X.shape}", FIX)
    if y.shape != (len(X),):
        raise damaged(labels, f"a file of {len(X):,} labels, one per image", f"shape {y.shape}", FIX)
    if y.size and y.max() >= len(CLASS_NAMES):
        raise damaged(labels, "a file of labels from 0 to 9", f"the label {y.max()}", FIX)
    return X, y.astype(np.int64)


def _find(root: Path, name: str) -> Path:
    for path in (root / name, root / f"{name}.gz"):
        if os.path.exists(path):
            return path
    raise MissingDataError(
        f"root must be a folder with {name}, plain or with .gz, got {os.fspath(root)!r}, which has neither. {FIX} "
        f"{looked_for(root / name)}"
    )
