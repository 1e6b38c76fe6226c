"""Fashion-MNIST and its IDX files: plain and gzipped, intact and damaged."""

from __future__ import annotations

import contextlib
import gzip
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thinnet.data.idx
from thinnet.data import load_fashion_mnist
from thinnet.data.idx import read_idx
from thinnet.errors import ArgumentError, DataError

RNG = np.random.default_rng(0)
IMAGES = {"train": RNG.integers(0, 256, (12, 28, 28), np.uint8), "t10k": RNG.integers(0, 256, (5, 28, 28), np.uint8)}
LABELS = {name: RNG.integers(0, 10, len(images), np.uint8) for name, images in IMAGES.items()}
SMALL = {"num_train": 9, "num_val": 3}


def idx(array: np.ndarray[Any, Any]) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture(params=["", ".gz"], ids=["plain", "gzipped"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    for name in IMAGES:
        for array, kind in ((IMAGES[name], "images-idx3"), (LABELS[name], "labels-idx1")):
            raw = gzip.compress(idx(array), mtime=0) if request.param else idx(array)
            (tmp_path / f"{name}-{kind}-ubyte{request.param}").write_bytes(raw)
    return tmp_path


def test_the_splits(root: Path) -> None:
    data = load_fashion_mnist(root, **SMALL)
    assert data.X_val is not None
    assert data.X_test is not None
    rows = np.concatenate([data.X_train, data.X_val, data.X_test])
    np.testing.assert_array_equal(rows, np.concatenate([IMAGES["train"], IMAGES["t10k"]]).reshape(17, 784))
    labels = np.concatenate([data.y_train, data.labels("val"), data.labels("test")])
    np.testing.assert_array_equal(labels, np.concatenate([LABELS["train"], LABELS["t10k"]]))
    assert [data.num_rows(split) for split in ("train", "val", "test")] == [9, 3, 5]
    assert data.X_train.dtype == np.uint8
    assert data.y_train.dtype == np.int64
    assert (data.image_shape, len(data.class_names)) == ((28, 28), 10)


def test_training_images_under_the_names_of_test_images_are_refused(root: Path) -> None:
    for file in root.glob("train-*"):
        (root / file.name.replace("train", "t10k")).write_bytes(file.read_bytes())
    with pytest.raises(
        DataError, match=r"t10k-.* must be a file of other images than train-.*, got the same ones\. Take the"
    ):
        load_fashion_mnist(root, **SMALL)


def test_splits_may_be_empty(root: Path) -> None:
    data = load_fashion_mnist(root, num_train=12, num_val=0, num_test=0)
    assert (data.num_rows("train"), data.X_val, data.X_test) == (12, None, None)


def test_asking_for_more_than_there_is(root: Path) -> None:
    with pytest.raises(
        DataError, match=r"num_train \+ num_val must be at most 12, the number of training images .* got 60,000"
    ):
        load_fashion_mnist(root)
    with pytest.raises(DataError, match=r"num_test must be at most 5, the number of test images in .* got 6"):
        load_fashion_mnist(root, **SMALL, num_test=6)
    with pytest.raises(ArgumentError, match="num_test must be an integer >= 0, got -1"):
        load_fashion_mnist(root, **SMALL, num_test=-1)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"root must be a folder with train-images-idx3-ubyte, plain .* has neither"):
        load_fashion_mnist(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("train-images-idx3-ubyte", np.zeros((12, 32, 32), np.uint8), r"images of shape \(N, 28, 28\), got shape"),
        ("train-labels-idx1-ubyte", np.zeros(11, np.uint8), r"12 labels, one per image, got shape \(11,\)"),
        ("train-labels-idx1-ubyte", np.full(12, 10, np.uint8), "labels from 0 to 9, got the label 10"),
    ],
)
def test_files_that_do_not_fit(root: Path, name: str, content: np.ndarray[Any, Any], text: str) -> None:
    (root / name).write_bytes(idx(content))  # if both exist, the plain file is read
    with pytest.raises(DataError, match=text):
        load_fashion_mnist(root, **SMALL)


WHOLE = idx(LABELS["train"])
ZIPPED = gzip.compress(WHOLE, mtime=0)
BAD_FILES = {
    "empty": (b"", "an empty file"),
    "a web page": (b"<!DOCTYPE html>", "an HTML page"),
    "floats": (b"\0\0\x0d\x01\0\0\0\x01" + b"\0" * 4, "the data type 0x0d rather than 0x08"),
    "no dimensions": (b"\0\0\x08\0\0", "0 dimensions rather than 1 to 4"),
    "many dimensions": (b"\0\0\x08\xff" + b"\0" * 2000, "255 dimensions rather than 1 to 4"),
    "short header": (b"\0\0\x08\x03\0\0\0\x01", "ends within its header"),
    "absurd shape": (b"\0\0\x08\x02" + b"\xff" * 8, r"the shape \(4294967295, 4294967295\), which is more"),
    "truncated": (WHOLE[:-1], r"12 values, for the shape \(12,\), got 11"),
    "trailing": (WHOLE + b"\0", r"12 values, for the shape \(12,\), got more"),
    "truncated gzip": (ZIPPED[:-9], "a damaged or truncated gzip file"),
    "gzip of a truncated file": (gzip.compress(WHOLE[:-1]), "12 values.* got 11"),
    "bytes after the gzip": (ZIPPED + b"more", "a damaged or truncated gzip file"),
    "damaged gzip": (ZIPPED[:10] + b"\xff" * 10 + ZIPPED[20:], "a damaged or truncated gzip file"),
}


@pytest.mark.parametrize(("raw", "text"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_damaged_idx_files(tmp_path: Path, raw: bytes, text: str) -> None:
    path = tmp_path / "some-idx1-ubyte.gz"
    path.write_bytes(raw)
    with pytest.raises(DataError, match=text) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)
    assert "Download it again." in str(caught.value)


def test_gzip_is_seen_from_the_content(tmp_path: Path) -> None:
    """Browsers may decompress a file but keep its name."""
    for name, raw in (("labels.gz", WHOLE), ("labels", ZIPPED)):
        (tmp_path / name).write_bytes(raw)
        np.testing.assert_array_equal(read_idx(tmp_path / name), LABELS["train"])


def test_a_small_gzip_cannot_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thinnet.data.idx, "LARGEST_FILE", 1000)
    (tmp_path / "bomb").write_bytes(gzip.compress(idx(np.zeros(2000, np.uint8))))
    with pytest.raises(DataError, match=r"the shape \(2000,\), which is more than 1,000 bytes"):
        read_idx(tmp_path / "bomb")


def test_missing_directory_and_unreadable_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="got no such file"):
        read_idx(tmp_path / "absent")
    with pytest.raises(DataError, match="got a directory"):
        read_idx(tmp_path)

    def refuse(self: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "locked").write_bytes(WHOLE)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"an error while reading it \(Permission denied\)"):
        read_idx(os.fspath(tmp_path / "locked"))


@given(raw=st.binary(max_size=100), head=st.sampled_from([b"\xff", b"\x1f\x8b\x08", ZIPPED[:15], b"\0\0\x08\x02\0\0"]))
@settings(max_examples=300)
def test_garbage_gives_an_array_or_a_data_error(tmp_path: Path, raw: bytes, head: bytes) -> None:
    path = tmp_path / "garbage"
    path.write_bytes(head + raw)
    with contextlib.suppress(DataError):
        assert read_idx(path).dtype == np.uint8


@pytest.mark.parametrize("raw", [WHOLE, ZIPPED], ids=["plain", "gzipped"])
def test_every_flipped_bit_and_every_prefix(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "damaged"
    damaged = [raw[:end] for end in range(len(raw))]
    for place in range(8 * len(raw)):
        flipped = bytearray(raw)
        flipped[place // 8] ^= 1 << place % 8
        damaged.append(bytes(flipped))
    for content in damaged:
        path.write_bytes(content)
        with contextlib.suppress(DataError):
            assert read_idx(path).dtype == np.uint8
