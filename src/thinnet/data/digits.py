"""Digits: 1,797 handwritten digits of 8 x 8 pixels, which come with scikit-learn."""

import importlib.util
from pathlib import Path

import numpy as np

from thinnet.arguments import known_arguments
from thinnet.checks import check_number
from thinnet.data.checking import check_rows
from thinnet.data.dataset import Dataset
from thinnet.errors import require
from thinnet.typing import AnyArray

FILE = "datasets/data/digits.csv.gz"  # in scikit-learn's folder


@known_arguments
def load_digits(*, num_train: int | None = None, num_val: int = 400, num_test: int = 400, seed: int = 0) -> Dataset:
    """Handwritten digits of 8 x 8 pixels, shuffled and split; nothing is downloaded.

    The validation and test rows depend only on `num_val`, `num_test` and `seed`, not on `num_train`.

    Args:
        num_train: the number of training images; ``None`` for all that are left, 997 by default.
        num_val: the number of validation images.
        num_test: the number of test images.
        seed: the seed of the shuffle.

    Returns:
        A `Dataset`: rows of 64 uint8 pixels from 0 (white) to 16 (black); labels int64 from 0 to 9.

    Raises:
        MissingExtraError: if scikit-learn is not installed.
        DataError: if there are fewer images than requested.
        ArgumentError: if a number of images or the seed is not a whole number within its limits.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998, by way of scikit-learn.

    >>> load_digits()
    <Dataset digits: train 997, val 400, test 400; 64 features of uint8>
    """
    held_out = check_number("num_val", num_val) + check_number("num_test", num_test)
    wanted = 1 if num_train is None else check_number("num_train", num_train)
    check_number("seed", seed)
    pixels, labels = _read()
    check_rows("num_train + num_val + num_test", wanted + held_out, len(pixels), "digits")
    order = np.random.default_rng(seed).permutation(len(pixels))
    X, y = pixels[order].astype(np.uint8), labels[order].astype(np.int64)
    train = slice(held_out, None if num_train is None else held_out + num_train)
    splits = [(X[rows], y[rows]) for rows in (train, slice(num_val), slice(num_val, held_out))]
    return Dataset.from_splits(*splits, name="digits", class_names=tuple(map(str, range(10))), image_shape=(8, 8))


def _read() -> tuple[AnyArray, AnyArray]:
    """All pixels and labels, read directly from the file: importing scikit-learn takes longer than a short training."""
    found = importlib.util.find_spec("sklearn")
    for folder in (found and found.submodule_search_locations) or ():
        if (path := Path(folder, FILE)).is_file():
            table = np.loadtxt(path, np.uint8, delimiter=",")
            return table[:, :-1], table[:, -1]
    source = require("sklearn.datasets", extra="digits", purpose="load_digits").load_digits()
    return source.data, source.target
