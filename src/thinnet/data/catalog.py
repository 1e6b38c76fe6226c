"""The data sets known by name: what they are, where they are, and how to download and load them."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from thinnet.checks import check_choice
from thinnet.data.cifar10 import find_cifar10, load_cifar10, look_for_cifar10
from thinnet.data.dataset import Dataset
from thinnet.data.digits import load_digits
from thinnet.data.fashion_mnist import load_fashion_mnist
from thinnet.errors import ArgumentError

RankAndSize = tuple[int, int]  # of a process, if there are several


@dataclass(frozen=True)
class Known:
    """A data set known by name.

    Args:
        about: what it is, in a few words.
        load: loads it, from a folder if one is given; with several processes, it may load only this one's share.
        find: returns where it is, or an empty string if it is not found.
        missing: what to do if it is not found.
        download: downloads it and returns its folder; None if it cannot be downloaded.
    """

    about: str
    load: Callable[[str | None, RankAndSize | None], Dataset]
    find: Callable[[], str]
    missing: str
    download: Callable[[], Path] | None = None


def _load_fashion_mnist(root: str | None, share: RankAndSize | None) -> Dataset:
    if root is None:
        raise ArgumentError("root must be the folder with Fashion-MNIST's four files, got None. Give root='FOLDER'.")
    return load_fashion_mnist(root)


CATALOG = {
    "digits": Known(
        "1,797 handwritten digits, 8 x 8 pixels",
        lambda root, share: load_digits(),
        lambda: "inside scikit-learn" if importlib.util.find_spec("sklearn") else "",
        'pip install "thinnet[digits]"',
    ),
    "cifar10": Known(
        "60,000 color images in ten classes, 32 x 32 pixels, 170 MB",
        lambda root, share: load_cifar10(root, num_test=None, share=share),
        lambda: str(found.absolute()) if (found := look_for_cifar10()) else "",
        "thinnet data --download cifar10, or set THINNET_DATA to the folder that has it",
        find_cifar10,
    ),
    "fashion-mnist": Known(
        "70,000 gray images of clothes, 28 x 28 pixels",
        _load_fashion_mnist,
        lambda: "",
        "name the folder with its four files: thinnet train --data fashion-mnist --root FOLDER",
    ),
}


def load(name: str, root: str | None = None, share: RankAndSize | None = None) -> Dataset:
    """The data set with this name; see `Known`.

    Raises:
        ArgumentError: if the name is not known, or a folder is needed but none is given.
        DataError: if it is not found, or a file is missing or damaged.
    """
    return CATALOG[check_choice("data", name, tuple(CATALOG))].load(root, share)


def download(name: str) -> Path:
    """The folder of a data set, downloaded with hash checks if it is not found.

    Raises:
        ArgumentError: if the name is not known, or the data set cannot be downloaded.
        DataError: if the download fails.
    """
    known = CATALOG[check_choice("data", name, tuple(CATALOG))]
    if known.download is None:
        raise ArgumentError(f"data must be a data set that can be downloaded, got {name!r}. Instead: {known.missing}.")
    return known.download()
