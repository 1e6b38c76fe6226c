"""The data sets that are known by name: what they are, where they were found, how to get them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from thinnet.checks import check_choice
from thinnet.data.cifar10 import find_cifar10, look_for_cifar10
from thinnet.errors import ArgumentError


@dataclass(frozen=True)
class Known:
    """A data set by name; `download` is None where it cannot be downloaded."""

    name: str
    about: str
    place: Callable[[], str]  # where it is, or "" if it is not found
    missing: str  # what to do then
    download: Callable[[], Path] | None = None


def _digits() -> str:
    return "inside scikit-learn" if importlib.util.find_spec("sklearn") else ""


def _cifar10() -> str:
    found = look_for_cifar10()
    return str(found.absolute()) if found else ""


CATALOG = (
    Known("digits", "1,797 handwritten digits, 8 x 8 pixels", _digits, "pip install 'thinnet[digits]'"),
    Known(
        "cifar10",
        "60,000 color images in ten classes, 32 x 32 pixels, 170 MB",
        _cifar10,
        "thinnet data --download cifar10, or set THINNET_DATA to the folder that has it",
        find_cifar10,
    ),
    Known(
        "fashion-mnist",
        "70,000 gray images of clothes, 28 x 28 pixels",
        lambda: "",
        "name the folder with its four files: thinnet train --data fashion-mnist --root FOLDER",
    ),
)


def download(name: str) -> Path:
    """The folder of a data set, downloaded if it is not found, with checked hashes.

    Raises:
        ArgumentError: if the name is not known, or the data set cannot be downloaded.
        DataError: if the download fails.
    """
    check_choice("data", name, [known.name for known in CATALOG])
    known = next(known for known in CATALOG if known.name == name)
    if known.download is None:
        raise ArgumentError(f"data must be one that can be downloaded, got {name!r}. Instead: {known.missing}.")
    return known.download()
