"""IDX files, the format in which MNIST and Fashion-MNIST are published, plain or gzipped."""

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from thinnet.checks import check_path
from thinnet.data.files import LARGEST_FILE, LONGEST_HEAD, damaged, file_size, looks_like, unreadable
from thinnet.typing import AnyArray

EXPECTED = "an IDX file of uint8 values"
FIX = "Download it again."
UINT8 = 0x08
MOST_DIMENSIONS = 4


def read_idx(path: str | os.PathLike[str]) -> AnyArray:
    """The array in an IDX file: two zero bytes, a code for uint8, the number of dimensions, their sizes, the values.

    Gzip is recognized by content, since browsers may decompress a file but keep its name.

    Args:
        path: the path of a file such as ``train-images-idx3-ubyte.gz``.

    Returns:
        uint8 values in the shape from the file's header, one to four axes.

    Raises:
        DataError: if the file is missing (then also a `FileNotFoundError`), a folder, empty, damaged, not of uint8
            values, or longer or shorter than its header says.
        ArgumentError: if `path` is not a path.

    Source: Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits", which defines the format.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "labels-idx1-ubyte")
    ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 9, 0, 2]))
    ...     read_idx(path)
    array([9, 0, 2], dtype=uint8)
    """
    path = check_path("path", path)
    file_size(path, EXPECTED, FIX)
    try:
        with path.open("rb") as plain:
            zipped = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            file = gzip.GzipFile(fileobj=plain) if zipped else plain
            return _read(cast(BinaryIO, file), path)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise damaged(path, EXPECTED, f"a damaged or truncated gzip file ({error})", FIX) from error
    except OSError as error:
        raise unreadable(path, EXPECTED, error) from error


def _read(file: BinaryIO, path: Path) -> AnyArray:
    shape = _read_shape(file, path)
    count = math.prod(shape)
    if math.prod(max(size, 1) for size in shape) > LARGEST_FILE:  # before allocating anything of that size
        raise damaged(path, EXPECTED, f"the shape {shape}, which is more than {LARGEST_FILE:,} bytes", FIX)
    values = file.read(count + 1)  # one extra byte, to detect a file that is too long
    if len(values) != count:
        came = "more" if len(values) > count else f"{len(values):,}"
        raise damaged(path, f"an IDX file of {count:,} values, for the shape {shape}", came, FIX)
    return np.frombuffer(values, np.uint8).reshape(shape).copy()  # a copy, so that it is writable


def _read_shape(file: BinaryIO, path: Path) -> tuple[int, ...]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise damaged(path, EXPECTED, looks_like(magic + file.read(LONGEST_HEAD)), FIX)
    if magic[2] != UINT8:
        raise damaged(path, EXPECTED, f"the data type {magic[2]:#04x} rather than 0x08", FIX)
    if not 1 <= magic[3] <= MOST_DIMENSIONS:
        raise damaged(path, EXPECTED, f"{magic[3]} dimensions rather than 1 to {MOST_DIMENSIONS}", FIX)
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise damaged(path, EXPECTED, "a file that ends within its header", FIX)
    return struct.unpack(f">{magic[3]}I", sizes)
