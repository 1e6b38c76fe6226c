"""CIFAR-10: finding the folder, reading the batches, and splitting as the courses do."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thinnet.data.cifar10 as cifar10
from thinnet.data import load_cifar10
from thinnet.data.cifar10 import read_cifar10_batch, read_cifar10_folder
from thinnet.errors import ArgumentError, DataError

SMALL: dict[str, Any] = {"num_train": 15, "num_val": 5, "num_test": 3}


def write_batch(path: Path, X: Any, labels: Any, **more: Any) -> None:
    batch = {"data": X, "labels": labels, **more}
    path.write_bytes(pickle.dumps({key.encode(): value for key, value in batch.items()}, protocol=2))


def write_folder(folder: Path, rows: int = 4, seed: int = 0) -> tuple[np.ndarray[Any, Any], list[int]]:
    """Write five small batches and a test batch; return all their rows and labels, with the test batch last."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 256, (6 * rows, 3072), dtype=np.uint8)
    y = [int(label) for label in rng.integers(0, 10, 6 * rows)]
    folder.mkdir(parents=True)
    for k, name in enumerate([*cifar10.TRAIN_FILES, *cifar10.TEST_FILES]):
        part = slice(k * rows, (k + 1) * rows)
        write_batch(folder / name, X[part], y[part])
    return X, y


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_folder(tmp_path / cifar10.FOLDER)
    return tmp_path / cifar10.FOLDER


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No environment variable, an empty working directory, an empty cache, and no network access."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.delenv("THINNET_DATA", raising=False)
    monkeypatch.setattr("thinnet.data.download.cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(
        "thinnet.data.download.fetch_folder", lambda archive, parent: pytest.fail(f"download into {parent}")
    )


def test_the_splits_are_the_courses(tmp_path: Path) -> None:
    X, y = write_folder(tmp_path / cifar10.FOLDER)
    data = load_cifar10(tmp_path, **SMALL)
    assert data.X_val is not None
    assert data.X_test is not None
    np.testing.assert_array_equal(data.X_train, X[:15])
    np.testing.assert_array_equal(data.X_val, X[15:20])
    np.testing.assert_array_equal(data.X_test, X[20:23])
    assert [*data.y_train, *data.labels("val"), *data.labels("test")] == y[:23]
    assert data.X_train.dtype == np.uint8
    assert data.y_train.dtype == np.int64
    assert (data.name, data.image_shape, data.num_classes) == ("CIFAR-10", (3, 32, 32), 10)
    assert data.class_names == cifar10.CLASS_NAMES


def test_splits_are_writable_and_keep_nothing_else_in_memory(folder: Path) -> None:
    data = load_cifar10(folder, **SMALL)
    for X in (data.X_train, data.X_val, data.X_test):
        assert X is not None
        assert X.flags.writeable
        whole = X if X.base is None else X.base
        assert whole.nbytes == X.nbytes


def test_none_means_all_test_images_and_zero_means_none(folder: Path) -> None:
    assert load_cifar10(folder, num_train=20, num_val=0, num_test=None).num_rows("test") == 4
    data = load_cifar10(folder, num_train=1, num_val=0, num_test=0)
    assert (data.X_val, data.X_test) == (None, None)


def test_no_more_files_are_decoded_than_are_needed(folder: Path) -> None:
    (folder / "data_batch_3").write_bytes(b"damaged")
    assert load_cifar10(folder, num_train=7, num_val=1, num_test=0).num_rows("train") == 7
    with pytest.raises(DataError, match="data_batch_3 must be a batch of CIFAR-10"):
        load_cifar10(folder, num_train=8, num_val=1, num_test=0)


def test_asking_for_more_than_there_is_says_how_many_there_are(folder: Path) -> None:
    with pytest.raises(
        DataError, match=r"num_train \+ num_val must be at most 20, the number of training images .*, got 50,000"
    ):
        load_cifar10(folder)
    with pytest.raises(DataError, match=r"num_test must be at most 4, the number of test images in .*, got 5"):
        load_cifar10(folder, num_train=10, num_val=10, num_test=5)


@pytest.mark.parametrize(
    ("sizes", "text"),
    [
        ({"num_train": 0}, r"num_train must be an integer >= 1, got 0"),
        ({"num_val": -1}, r"num_val must be an integer >= 0, got -1"),
        ({"num_test": 2.5}, r"num_test must be an integer >= 0, got 2.5 \(float\)"),
        ({"num_val": True}, r"num_val must be an integer >= 0, got True \(bool\)"),
    ],
)
def test_sizes_must_be_whole_numbers(folder: Path, sizes: dict[str, Any], text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        load_cifar10(folder, **sizes)


def test_the_readers_give_everything(tmp_path: Path) -> None:
    X, y = write_folder(tmp_path / "any name")
    X_train, y_train, X_test, y_test = read_cifar10_folder(tmp_path / "any name")
    np.testing.assert_array_equal(np.concatenate([X_train, X_test]), X)
    assert [*y_train, *y_test] == y
    X_one, y_one = read_cifar10_batch(tmp_path / "any name" / "data_batch_2")
    np.testing.assert_array_equal(X_one, X[4:8])
    assert X_one.dtype == np.uint8
    assert y_one.dtype == np.int64
    assert X_one.flags.writeable


def test_root_is_the_folder_or_its_parent(folder: Path) -> None:
    for root in (folder, folder.parent, str(folder)):
        assert load_cifar10(root, **SMALL).num_rows("train") == 15


def test_nothing_at_root_is_an_error_and_no_download(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"root must be .*absent', but neither .*batches-py has batch files\. Unpack"):
        load_cifar10(tmp_path / "absent")


def test_home_is_expanded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    assert load_cifar10("~", **SMALL).num_rows("train") == 15


def test_the_order_of_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Places are filled in this order, and each takes precedence over the earlier ones: cache, working directory,
    variable, root."""
    work, variable = tmp_path / "work", tmp_path / "variable"
    places = [
        tmp_path / "cache",
        work / "datasets",
        work / "cs231n" / "datasets",
        work,
        variable,
        tmp_path / "root",
    ]
    for seed, place in enumerate(places):
        X, _ = write_folder(place / cifar10.FOLDER, seed=seed)
        if place == variable:
            monkeypatch.setenv("THINNET_DATA", str(place))
        root = place if place.name == "root" else None
        np.testing.assert_array_equal(load_cifar10(root, **SMALL).X_train, X[:15])
    monkeypatch.setenv("THINNET_DATA", str(variable / cifar10.FOLDER))
    assert cifar10.find_cifar10() == variable / cifar10.FOLDER


@pytest.mark.parametrize("inside", ["", cifar10.FOLDER], ids=["parent", "folder itself"])
def test_a_download_goes_where_the_variable_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str) -> None:
    monkeypatch.setattr("thinnet.data.download.fetch_folder", lambda archive, parent: parent / archive.folder)
    monkeypatch.setenv("THINNET_DATA", str(tmp_path / "new" / inside))
    assert cifar10.find_cifar10() == tmp_path / "new" / cifar10.FOLDER
    monkeypatch.delenv("THINNET_DATA")
    assert cifar10.find_cifar10() == tmp_path / "cache" / cifar10.FOLDER


def test_a_missing_batch_is_named(folder: Path) -> None:
    (folder / "data_batch_4").unlink()
    with pytest.raises(DataError, match=r"data_batch_4 must be a batch of CIFAR-10.* got no such file\. Put the file"):
        load_cifar10(folder, num_train=1, num_val=0, num_test=0)


@pytest.mark.parametrize(("size", "text"), [(0, "an empty file"), (2000, "a truncated or damaged pickle")])
def test_a_download_that_was_cut_short_is_not_a_matter_of_fewer_images(folder: Path, size: int, text: str) -> None:
    path = folder / "test_batch"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match=rf"test_batch must be a batch of CIFAR-10.* got {text}.*Put the file"):
        load_cifar10(folder, **SMALL)


def test_a_folder_further_down_or_of_another_name_is_proposed(folder: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    for name in (cifar10.FOLDER, "cifar10"):
        (outer / cifar10.FOLDER).mkdir(parents=True)
        folder.rename(outer / cifar10.FOLDER / name)
        with pytest.raises(DataError, match=rf"or leave .* Did you mean '.*outer/{cifar10.FOLDER}/{name}'\?"):
            load_cifar10(outer)
        (outer / cifar10.FOLDER / name).rename(folder)
        (outer / cifar10.FOLDER).rmdir()


def test_a_link_that_leads_nowhere_is_not_proposed_for_itself(folder: Path) -> None:
    (folder / "data_batch_1").rename(folder / "elsewhere")
    (folder / "data_batch_1").symlink_to(folder / "absent")
    with pytest.raises(DataError, match=r"got no such file\. Put the file from"):
        load_cifar10(folder, **SMALL)


ONE = np.zeros((1, 3072), np.uint8)
BAD_BATCHES = {
    "no dict": ([1], r"got a pickle of type list rather than a dict"),
    "no keys": ({}, "got the keys of an empty dict"),
    "CIFAR-100": ({"data": ONE, "fine_labels": [1]}, "got the keys data, fine_labels"),
    "flat data": ({"data": ONE[0], "labels": [1]}, r"uint8 of shape \(N, 3072\), got uint8 of shape \(3072,\)"),
    "narrow data": ({"data": ONE[:, :100], "labels": [1]}, r"got uint8 of shape \(1, 100\)"),
    "data in a list": ({"data": [1, 2], "labels": [1]}, r"whose data is uint8 of shape \(N, 3072\), got a list"),
    "wide data": ({"data": ONE.astype(int), "labels": [1]}, r"got int64 of shape \(1, 3072\)"),
    "float labels in an array": (
        {"data": ONE, "labels": np.ones(1)},
        "an array of dtype 'f8' rather than uint8, int32",
    ),
    "float data": ({"data": ONE.astype(np.float32), "labels": [1]}, "an array of dtype 'f4' rather than uint8"),
    "too many labels": ({"data": ONE, "labels": [1, 2]}, "a list of 1 labels, one per row, got 2"),
    "labels in an array": ({"data": ONE, "labels": ONE[0]}, "a list of 1 labels, one per row, got 3,072"),
    "label 10": ({"data": ONE, "labels": [10]}, "labels are integers from 0 to 9, got 10"),
    "label -1": ({"data": ONE, "labels": [-1]}, "labels are integers from 0 to 9, got -1"),
    "label True": ({"data": ONE, "labels": [True]}, "labels are integers from 0 to 9, got a bool"),
}


@pytest.mark.parametrize(("content", "text"), BAD_BATCHES.values(), ids=BAD_BATCHES.keys())
def test_bad_batches_are_named(tmp_path: Path, content: Any, text: str) -> None:
    path = tmp_path / "data_batch_1"
    path.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(DataError, match=text) as caught:
        read_cifar10_batch(path)
    assert str(path) in str(caught.value)


def test_class_names_come_from_the_folder(folder: Path) -> None:
    names = [f"kind {k}" for k in range(10)]
    meta = folder / "batches.meta"
    meta.write_bytes(pickle.dumps({b"label_names": [name.encode() for name in names]}, protocol=2))
    assert load_cifar10(folder, **SMALL).class_names == tuple(names)
    meta.write_bytes(pickle.dumps({"label_names": names}, protocol=2))
    assert load_cifar10(folder, **SMALL).class_names == tuple(names)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"label_names": 3}, "something other than a list of names"),
        ({"label_names": [1]}, "something other than a list of names"),
        ({"label_names": ["a"]}, "1 name"),
    ],
)
def test_damaged_class_names_are_an_error(folder: Path, content: Any, text: str) -> None:
    (folder / "batches.meta").write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(DataError, match=rf"batches\.meta must be a pickled dict with ten label_names, got {text}"):
        load_cifar10(folder, **SMALL)


def test_the_real_images(cifar10_root: Path) -> None:
    data = load_cifar10(cifar10_root)
    assert [data.num_rows(split) for split in ("train", "val", "test")] == [49000, 1000, 1000]
    assert data.class_names == cifar10.CLASS_NAMES
    assert np.bincount(data.y_train, minlength=10).min() > 4800
    np.testing.assert_allclose(data.X_train[::50].mean(axis=0).reshape(3, 1024).mean(axis=1), [125, 123, 114], atol=2)
    everything = load_cifar10(cifar10_root, num_train=1, num_val=0, num_test=None)
    assert everything.num_rows("test") >= 1000


def test_importing_loads_no_heavy_package() -> None:
    code = "import sys, thinnet.data; print([m for m in ('pooch', 'tqdm', 'sklearn', 'requests') if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_each_process_reads_its_share(tmp_path: Path) -> None:
    write_folder(tmp_path / cifar10.FOLDER)
    for options in (SMALL, {**SMALL, "num_test": None}):
        whole = load_cifar10(tmp_path, **options)
        for rank in range(3):
            found, expected = load_cifar10(tmp_path, share=(rank, 3), **options), whole.shared(rank, 3)
            assert found.share == expected.share
            for split in ("train", "val", "test"):
                np.testing.assert_array_equal(getattr(found, f"X_{split}"), getattr(expected, f"X_{split}"))
                np.testing.assert_array_equal(getattr(found, f"y_{split}"), getattr(expected, f"y_{split}"))
    with pytest.raises(DataError, match="num_train"):
        load_cifar10(tmp_path, num_train=10_000, share=(0, 2))


@pytest.mark.parametrize(("copied", "to"), [("data_batch_2", "data_batch_3"), ("data_batch_1", "test_batch")])
def test_a_batch_under_the_name_of_another_one_is_refused(folder: Path, copied: str, to: str) -> None:
    (folder / to).write_bytes((folder / copied).read_bytes())
    for read in (read_cifar10_folder, lambda root: load_cifar10(root, **SMALL)):
        with pytest.raises(
            DataError, match=rf"{to} must be a batch of other rows than {copied}, got the same ones\. Put"
        ):
            read(folder)
