"""A data set in a file of arrays, as ``numpy.savez`` writes it: X_train, y_train, X_val and so on."""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from thinnet.data.dataset import ROWS_AT_ONCE, Dataset
from thinnet.data.shares import Share, share_of
from thinnet.errors import DataError
from thinnet.typing import AnyArray


def load_npz(path: Path, share: tuple[int, int] | None = None) -> Dataset:
    """The data set of a file.

    Args:
        path: an ``.npz`` file with the keys of `Dataset.from_dict`.
        share: ``(rank, size)`` to keep only the share of one of `size` processes in memory; see `Dataset.shared`.

    Raises:
        DataError: if it is no such file, or its arrays are no data set.
    """
    try:
        with path.open("rb") as file:  # which np.load would leave open where the archive is broken
            loaded = np.load(file, allow_pickle=False)
            if not isinstance(loaded, np.lib.npyio.NpzFile):
                raise ValueError("a single array")
            if share is None:
                return Dataset.from_dict(dict(loaded), name=path.stem)
            return _shared(loaded, share, path.stem)
    except FileNotFoundError as error:
        raise DataError(
            f"{path} must be a file of arrays as numpy.savez writes it, got no such file. Check its path."
        ) from error
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, DataError):
            raise DataError(f"{path}: {error}") from error
        raise DataError(
            f"{path} must be a file of arrays as numpy.savez writes it, got {error}. Write it again, with X_train=..."
        ) from error


def _shared(loaded: Any, share: tuple[int, int], name: str) -> Dataset:
    arrays, totals = {}, {"train": 0, "val": 0, "test": 0}
    for key in loaded.files:
        with loaded.zip.open(f"{key}.npy") as file:
            arrays[key], totals[key.partition("_")[2]] = _read_share(file, *share)
    part = Dataset.from_dict(arrays, name)
    y = loaded["y_train"]
    num_classes = y.shape[1] if y.ndim == 2 else int(y.max(initial=-1)) + 1
    return part.part_of(Share(*share, totals, num_classes))


def _read_share(file: IO[bytes], rank: int, size: int) -> tuple[AnyArray, int]:
    """One process's rows of an array, a piece in memory at a time; and how many rows there are."""
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, columns_first, dtype = read_header(file)
    if dtype.hasobject:
        raise ValueError("Python objects in place of numbers")
    if columns_first and len(shape) > 1:
        raise ValueError("an array stored column by column, which cannot be read in parts")
    if not shape:
        raise ValueError("a single number")
    rows, row_bytes = share_of(shape[0], rank, size), dtype.itemsize * math.prod(shape[1:])
    for start in range(0, rows.start, ROWS_AT_ONCE):
        _read(file, (min(start + ROWS_AT_ONCE, rows.start) - start) * row_bytes)
    own = np.empty((rows.stop - rows.start, *shape[1:]), dtype)
    for start in range(0, len(own), ROWS_AT_ONCE):
        piece = own[start : start + ROWS_AT_ONCE]
        piece[...] = np.frombuffer(_read(file, piece.nbytes), dtype).reshape(piece.shape)
    return own, shape[0]


def _read(file: IO[bytes], count: int) -> bytes:
    content = file.read(count)
    if len(content) < count:
        raise EOFError("an array that ends early")
    return content
