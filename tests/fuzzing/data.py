"""Data files: batches of CIFAR-10 and IDX files."""

from __future__ import annotations

import gzip
import math
import pickle
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import TypeVar

import numpy as np

from fuzzing import changed, file_with, outcome, random_bytes
from thinnet.data.cifar10 import read_cifar10_batch
from thinnet.data.idx import read_idx
from thinnet.errors import DataError

T = TypeVar("T")

PIECES = [  # of the stack machine's programs, some of them dangerous to another machine
    *(b"\x80\x02", b"(", b"]", b"}", b")", b"N", b"\x88", b"K\x05", b"M\x00\x0c", b"J\xff\xff\xff\xff", b"."),
    *(b"J\xff\xff\xff\x7f", b"U\x04data", b"U\x06labels", b"T\x04\x00\x00\x00data", b"T\xff\xff\xff\x7f", b"U\x01b"),
    *(b"X\x03\x00\x00\x00abc", b"X\x02\x00\x00\x00u1", b"X\x06\x00\x00\x00latin1", b"q\x00", b"q\x01"),
    *(b"r\xff\xff\xff\xff", b"h\x00", b"h\x01", b"j\x00\x00\x00\x00", b"a", b"e", b"s", b"u", b"t", b"0", b"2", b"o"),
    *(b"\x85", b"\x86", b"\x87", b"R", b"b", b"P", b"\x93", b"\x81", b"\x95" + bytes(8), b"cnumpy\nndarray\n"),
    *(b"\x80\x04", b"\x80\x05", b"\x94", b"C\x04data", b"\x8c\x05numpy", b"\x8c\x07ndarray", b"\x8e" + b"\xff" * 8),
    *(
        b"\x96\x04" + bytes(11),
        b"\x96" + b"\xff" * 7 + b"\x7f",
        b"cnumpy.core.numeric\n_frombuffer\n",
        b"B\xff\xff\xff\xff",
    ),
    *(b"cnumpy.core.multiarray\nscalar\n", b"\x8c\x02os", b"\x8c\x06system"),
    *(b"cnumpy\ndtype\n", b"c_codecs\nencode\n", b"cnumpy.core.multiarray\n_reconstruct\n", b"cos\nsystem\n"),
    *(b"cbuiltins\nexec\n", b"c__builtin__\neval\n", b"i\nos\nsystem\n"),
]


def _read(reader: Callable[[Path], T], content: bytes) -> T | None:
    """What a reader makes of this content, or None if it refuses it with DataError."""
    path = file_with(content)
    found, refusal = outcome(lambda: reader(path), DataError)
    assert found is not None or refusal.startswith(f"{path} must be ")
    return found


@cache
def cifar_batch(protocol: int = 2) -> bytes:
    batch = {b"data": np.zeros((1, 3072), np.uint8), b"labels": [3], b"filenames": [b"a.png"]}
    return pickle.dumps(batch, protocol=protocol)


def random_pickle(rng: Random) -> bytes:
    kind = rng.randrange(4)
    if kind == 0:
        return random_bytes(rng, 60)
    if kind == 1:
        return b"".join(rng.choice(PIECES) for _ in range(rng.randrange(25)))
    return changed(rng, cifar_batch(rng.randrange(2, 6)))


def check_pickle(content: bytes) -> bool:
    """Reading it must give a batch or raise DataError; return whether it was a batch."""
    batch = _read(read_cifar10_batch, content)
    if batch is None:
        return False
    X, y = batch
    assert X.dtype == np.uint8
    assert X.shape == (len(y), 3072)
    assert y.dtype == np.int64
    assert ((y >= 0) & (y < 10)).all()
    return True


def idx_file(code: int, dims: list[int], values: bytes) -> bytes:
    return struct.pack(">HBB", 0, code, len(dims)) + b"".join(struct.pack(">I", d) for d in dims) + values


VALID_IDX = idx_file(8, [2, 3], b"abcdef")


def random_idx(rng: Random) -> bytes:
    kind = rng.randrange(6)
    if kind == 0:
        return random_bytes(rng, 40)
    if kind < 3:
        return changed(rng, rng.choice((VALID_IDX, gzip.compress(VALID_IDX, mtime=0))))
    dims = [rng.choice((rng.randrange(5), rng.randrange(5), rng.randrange(2**32))) for _ in range(rng.randrange(7))]
    exact = math.prod(dims) if math.prod(dims) < 999 and rng.randrange(4) else rng.randrange(30)
    content = idx_file(rng.choice((8, 8, 8, 9, 13, 0)), dims, bytes(exact))
    return gzip.compress(content, 1, mtime=0) if kind == 5 else content


def check_idx(content: bytes) -> bool:
    """Reading it must give an array as large as the file says, or raise DataError."""
    array = _read(read_idx, content)
    if array is None:
        return False
    assert array.dtype == np.uint8
    assert 1 <= array.ndim <= 4
    plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    assert plain[4 + 4 * array.ndim :] == array.tobytes()
    return True
