"""A data set in an ``.npz`` file, as ``numpy.savez`` writes it, with arrays X_train, y_train, X_val and so on."""

import math
import os
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from thinnet.data.dataset import ROWS_AT_ONCE, Dataset
from thinnet.data.fields import ARRAYS
from thinnet.data.files import LONGEST_HEAD, ZIP, damaged, looks_like, unreadable
from thinnet.data.shares import Share, share_of
from thinnet.errors import DataError
from thinnet.targets import checked_targets
from thinnet.typing import AnyArray

FIX = "Write it again: numpy.savez(path, X_train=..., y_train=...)."
EXPECTED = "a file of arrays as numpy.savez writes it"


def load_npz(path: Path, share: tuple[int, int] | None = None) -> Dataset:
    """The data set in an ``.npz`` file with the keys of `Dataset.from_dict`; DataError if it is not such a file.

    With `share`, a pair ``(rank, size)``, only the share of one of `size` processes is kept in memory; see
    `Dataset.shared`.
    """
    kind = ""
    try:
        with path.open("rb") as file:  # np.load would leave the file open if the archive is broken
            kind = looks_like(file.read(LONGEST_HEAD))
            if kind != ZIP:
                raise ValueError(kind)
            file.seek(0)
            loaded: Any = np.load(file, allow_pickle=False)
            if share is None:
                return Dataset.from_dict({key: _member(loaded, key) for key in loaded.files}, name=path.stem)
            return _shared(loaded, share, path.stem)
    except OSError as error:
        raise unreadable(path, EXPECTED, error) from error
    except DataError as error:
        raise DataError(f"In {path}, {error}") from error
    except (ValueError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        came = f"{ZIP} that is damaged ({error})" if kind == ZIP else kind
        raise damaged(path, EXPECTED, came, FIX) from error


def _member(loaded: Any, key: str) -> AnyArray | None:
    """One of the arrays; None if the key is not part of a data set."""
    try:
        array = loaded[key] if key in ARRAYS else None
    except ValueError as error:
        if "object" not in str(error).lower():
            raise
        raise _of_objects(key) from None  # NumPy's error would suggest loading the file unsafely
    if isinstance(array, bytes):  # NumPy returns members it does not recognize as bytes
        raise ValueError(f"{key} is not an array")
    return array


def _of_objects(key: str) -> DataError:
    """The error for an array stored as a pickle, which is how NumPy writes the text of data frames."""
    dtype = "str" if key.startswith("y") else "float"
    return DataError(
        f"{key} must be an array of numbers or of text, got one of Python objects. Write the file again with plain "
        f"values: {key}={key}.astype({dtype}), for example."
    )


def _shared(loaded: Any, share: tuple[int, int], name: str) -> Dataset:
    """A share of a file's rows; first, all targets are read, since the encoding of each depends on all."""
    targets, names, is_text = checked_targets(
        {key: _member(loaded, key) for key in loaded.files if key in ARRAYS and key.startswith("y")}
    )
    arrays: dict[str, AnyArray | None] = {}
    totals = {"train": 0, "val": 0, "test": 0}
    for key in loaded.files:
        if key in targets:
            own = targets[key][share_of(len(targets[key]), *share)]
            arrays[key] = np.array(names)[own] if is_text else own.copy()
        elif key not in ARRAYS:
            arrays[key] = None  # so that misspelled keys are noticed
        else:
            arrays[key], totals[key.partition("_")[2]] = _read_share(loaded, key, *share)
    part = Dataset.from_dict(arrays, name, names)
    y = targets["y_train"]
    num_classes = y.shape[1] if y.ndim == 2 else len(names) or int(y.max(initial=-1)) + 1
    return part.part_of(Share(*share, totals, num_classes))


def _read_share(loaded: Any, key: str, rank: int, size: int) -> tuple[AnyArray, int]:
    """One process's rows of an array, read a piece at a time; and the total number of rows."""
    with loaded.zip.open(f"{key}.npy") as file:
        shape, columns_first, dtype = _header(file)
        if dtype.hasobject:
            raise _of_objects(key)
        if not shape:
            raise ValueError("a single number")
        rows = share_of(shape[0], rank, size)
        if columns_first and len(shape) > 1:  # each row is scattered over the whole file
            return loaded[key][rows].copy(), shape[0]
        return _rows(file, rows, shape, dtype), shape[0]


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read_header(file)


def _rows(file: IO[bytes], rows: slice, shape: tuple[int, ...], dtype: np.dtype[Any]) -> AnyArray:
    file.seek(rows.start * dtype.itemsize * math.prod(shape[1:]), os.SEEK_CUR)
    own = np.empty((rows.stop - rows.start, *shape[1:]), dtype)
    for start in range(0, len(own), ROWS_AT_ONCE):
        piece = own[start : start + ROWS_AT_ONCE]
        content = file.read(piece.nbytes)
        if len(content) < piece.nbytes:
            raise EOFError("an array that ends early")
        piece[...] = np.frombuffer(content, dtype).reshape(piece.shape)
    return own
