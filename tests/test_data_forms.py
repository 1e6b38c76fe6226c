"""Arrays in the forms in which users have them, and files of arrays: accepted as intended, or refused by name."""

from __future__ import annotations

import gzip
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thinnet.cli import main
from thinnet.data import Dataset
from thinnet.data.npz import load_npz
from thinnet.errors import DataError
from thinnet.nets import FullyConnectedNet
from thinnet.solver import Solver

GOOD = np.random.default_rng(1).integers(0, 100, (40, 6)).astype(np.uint8)  # integers that every dtype can represent
ROWS = {
    "float16": (GOOD.astype(np.float16), np.float32),
    "longdouble": (GOOD.astype(np.longdouble), np.float64),
    "big-endian float32": (GOOD.astype(">f4"), np.float32),
    "big-endian float64": (GOOD.astype(">f8"), np.float64),
    "int8": (GOOD.astype(np.int8), np.float32),
    "int16": (-GOOD.astype(np.int16), np.float32),
    "big-endian uint16": (GOOD.astype(">u2"), np.float32),
    "int32": (GOOD.astype(np.int32), np.float64),
    "uint32": (GOOD.astype(np.uint32), np.float64),
    "int64": (-GOOD.astype(np.int64) * 10**9, np.float64),
    "uint64": (GOOD.astype(np.uint64), np.float64),
    "bool": (GOOD > 50, np.uint8),
    "Fortran order": (np.asfortranarray(GOOD.astype(np.float64)), np.float64),
    "strided": (np.repeat(GOOD, 2, axis=1)[:, ::2], np.uint8),
    "negative strides": (GOOD.astype(np.float32)[::-1, ::-1], np.float32),
    "lists": (GOOD.tolist(), np.float64),
}


@pytest.mark.parametrize(("X", "kept"), ROWS.values(), ids=ROWS.keys())
@pytest.mark.parametrize("method", ["none", "feature"])
def test_rows_of_every_real_dtype_are_trained_on_alike(X: Any, kept: Any, method: str) -> None:
    y = np.arange(40) % 3
    wanted = np.asarray(X).astype(np.float64)
    losses = []
    for rows in (X, wanted):
        data = Dataset.from_dict({"X_train": rows, "y_train": y, "X_val": rows, "y_val": y}).standardized(method)
        losses.append(Solver(make_net(), data, batch_size=10, epochs=2, verbose=False, seed=0).train().loss)
    assert losses[0] == losses[1]
    assert Dataset(X, y).X_train.dtype == kept
    np.testing.assert_array_equal(Dataset(X, y).X_train, wanted)
    net = make_net()
    np.testing.assert_array_equal(net.scores(X), net.scores(wanted.astype(np.float32)))


def make_net(outputs: int = 3, **options: Any) -> FullyConnectedNet:
    return FullyConnectedNet([5], input_dim=6, num_classes=outputs, seed=0, **options)


@pytest.mark.parametrize("writable", [True, False])
def test_memory_maps_are_left_on_disk_and_read_only_rows_where_they_are(writable: bool, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", GOOD.astype(np.float32))
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="c" if writable else "r")
    data = Dataset(mapped, np.arange(40) % 3)
    assert np.shares_memory(data.X_train, mapped)
    Solver(make_net(), data.standardized(), batch_size=10, epochs=1, verbose=False).train()
    np.testing.assert_array_equal(mapped, GOOD)


LABELS = np.arange(40) % 3
LABEL_FORMS = {
    "big-endian": LABELS.astype(">i8"),
    "uint8": LABELS.astype(np.uint8),
    "uint64": LABELS.astype(np.uint64),
    "float64": LABELS.astype(float),
    "float16": LABELS.astype(np.float16),
    "longdouble": LABELS.astype(np.longdouble),
    "a column": LABELS.reshape(-1, 1),
    "objects": LABELS.astype(object),
    "a list": LABELS.tolist(),
}


@pytest.mark.parametrize("y", LABEL_FORMS.values(), ids=LABEL_FORMS.keys())
def test_labels_of_every_form_are_trained_on_alike(y: Any) -> None:
    data = Dataset(GOOD, y, GOOD, y)
    assert (data.y_train.tolist(), data.num_classes) == (LABELS.tolist(), 3)
    assert np.issubdtype(data.y_train.dtype, np.integer)
    solvers = [Solver(make_net(), Dataset(GOOD, z, GOOD, z), verbose=False, seed=0) for z in (y, LABELS)]
    assert solvers[0].train().loss == solvers[1].train().loss
    assert make_net().loss(GOOD, y)[0] == make_net().loss(GOOD, LABELS)[0]


def test_bool_labels_are_two_classes() -> None:
    data = Dataset(GOOD, LABELS > 0)
    assert (data.num_classes, data.y_train.tolist()) == (2, (LABELS > 0).astype(int).tolist())
    assert make_net(2).loss(GOOD, LABELS > 0)[0] == make_net(2).loss(GOOD, (LABELS > 0).astype(int))[0]


TEXTS = np.array(["cat", "ant", "bee"])[LABELS]


@pytest.mark.parametrize("y", [TEXTS, TEXTS.astype(object), TEXTS.astype("S"), TEXTS.tolist()])
def test_text_becomes_numbers_and_names(y: Any) -> None:
    data = Dataset(GOOD, y, GOOD[:2], y[:2])
    assert data.class_names == ("ant", "bee", "cat")
    assert np.array(data.class_names)[data.y_train].tolist() == TEXTS.tolist()
    assert data.y_val is not None
    assert data.y_val.tolist() == [2, 0]
    named = Dataset(GOOD, y, class_names=("cat", "dog", "bee", "ant"))
    assert (named.num_classes, named.y_train[:3].tolist()) == (4, [0, 3, 2])
    assert data.standardized().first(5).shared(1, 2).class_names == data.class_names


VALUES = np.abs(np.random.default_rng(2).normal(size=40))


@pytest.mark.parametrize(
    "y",
    [VALUES, VALUES.astype(">f4"), VALUES.astype(np.float16), np.round(VALUES * 5), np.round(VALUES * 5).astype(int)],
    ids=["float64", "big-endian", "float16", "whole", "integers"],
)
def test_targets_of_one_axis_are_values_for_a_net_of_one_output(y: Any) -> None:
    column = np.asarray(y, np.float64).reshape(-1, 1)
    losses = []
    for targets in (y, column):
        data = {"X_train": GOOD, "y_train": targets, "X_val": GOOD, "y_val": targets}
        net = make_net(1, loss="mse")
        losses.append(Solver(net, data, learning_rate=1e-5, verbose=False, seed=0).train())
    assert losses[0].loss == losses[1].loss
    assert losses[0].val_accuracy == losses[1].val_accuracy
    assert make_net(1, loss="mse").loss(GOOD, y)[0] == make_net(1, loss="mse").loss(GOOD, column)[0]


def test_whole_numbers_beside_others_are_values() -> None:
    data = Dataset(GOOD[:2], np.array([1.0, 2.0]), GOOD[:2], np.array([0.5, 1.0]))
    assert (data.y_train.shape, data.num_classes) == ((2, 1), 1)
    assert Dataset(GOOD[:2], np.array([-1.0, 2.0])).y_train.tolist() == [[-1], [2]]
    several = Dataset(GOOD, np.eye(40, 3, dtype=int))
    assert (several.y_train.dtype.kind, several.num_classes) == ("f", 3)


# Files of arrays


NOT_ARRAYS = {
    "an HTML page": (b"<!DOCTYPE html>\n<html><body>Not found</body></html>", "an HTML page"),
    "a late page": (b"\xef\xbb\xbf\n\n  <HTML lang='de'>" + "ä".encode() * 400, "an HTML page"),
    "gzip": (gzip.compress(b"rows"), "a gzip file"),
    "text": (b"1,2,3\n4,5,6\n", "text that begins with '1,2,3'"),
    "nothing": (b"", "an empty file"),
    "a pickle": (pickle.dumps({"X_train": 1}), "a pickle, which can run code"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(90), "an HDF5 file"),
    "noise": (bytes(range(128, 255)), r"a file of an unknown kind, whose first bytes are 80 81 82"),
    "a zip cut short": (b"PK\x03\x04" + bytes(40), r"a zip archive that is damaged \(.*\)"),
}


@pytest.mark.parametrize(("content", "kind"), NOT_ARRAYS.values(), ids=NOT_ARRAYS.keys())
@pytest.mark.parametrize("share", [None, (0, 2)])
def test_another_file_is_called_what_it_seems_to_be(
    content: bytes, kind: str, share: tuple[int, int] | None, tmp_path: Path
) -> None:
    path = tmp_path / "rows.npz"
    path.write_bytes(content)
    with pytest.raises(
        DataError, match=rf"^\S*rows\.npz must be a file of arrays .*, got {kind}.*\. Write it again"
    ) as caught:
        load_npz(path, share)
    assert "allow_pickle" not in str(caught.value)
    assert "unsafe" not in str(caught.value)


@pytest.mark.parametrize("share", [None, (1, 2)])
def test_single_arrays_objects_and_other_members_are_named(share: tuple[int, int] | None, tmp_path: Path) -> None:
    path = tmp_path / "rows.npz"
    with path.open("wb") as file:
        np.save(file, VALUES)
    with pytest.raises(DataError, match="got a single array, as numpy"):
        load_npz(path, share)
    for key, dtype in (("X_train", "float"), ("y_train", "str")):
        arrays: dict[str, Any] = {"X_train": np.ones((4, 1)), "y_train": np.arange(4)}
        np.savez(path, **{**arrays, key: np.array([["1"]] * 4, object)})
        text = rf"In .*rows\.npz, {key} must be .* Python objects\. Write .*: {key}={key}\.astype\({dtype}\)"
        with pytest.raises(DataError, match=text) as caught:
            load_npz(path, share)
        assert "allow_pickle" not in str(caught.value)
    with pytest.raises(DataError, match=r"must be a file of arrays .*, got a directory\. Name the file itself"):
        load_npz(tmp_path, share)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X_train.npy", "rows")
        archive.writestr("y_train.npy", "labels")
    with pytest.raises(DataError, match="got a zip archive that is damaged"):
        load_npz(path, share)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_files_of_text_and_of_values_are_shared_in_one_form(size: int, tmp_path: Path) -> None:
    path = tmp_path / "rows.npz"
    np.savez(path, X_train=GOOD.astype(">f2"), y_train=TEXTS, notes=np.array([None]))
    parts = [load_npz(path, (rank, size)) for rank in range(size)]
    assert {part.class_names for part in parts} == {("ant", "bee", "cat")}
    assert {part.num_classes for part in parts} == {3}
    assert np.concatenate([part.y_train for part in parts]).tolist() == load_npz(path).y_train.tolist()
    values = np.r_[np.arange(39.0), 0.5]  # integers in all processes but one
    np.savez(path, X_train=GOOD, y_train=values)
    parts = [load_npz(path, (rank, size)) for rank in range(size)]
    assert {(part.y_train.shape[1:], part.num_classes) for part in parts} == {((1,), 1)}
    np.testing.assert_array_equal(np.concatenate([part.y_train for part in parts])[:, 0], values)


@pytest.mark.parametrize(
    ("rows", "labels"),
    [(GOOD.astype(np.float16), LABELS.astype(">i4")), (GOOD.astype(">f8"), TEXTS), (GOOD.astype("g"), VALUES)],
    ids=["float16", "text", "values"],
)
def test_files_of_every_form_are_trained_on_from_the_command_line(rows: Any, labels: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", X_train=rows, y_train=labels, X_val=rows, y_val=labels)
    options = ["--epochs", "1", "--hidden-dims", "5", "--quiet", "--output", str(tmp_path / "run")]
    assert main(["train", "--data", str(tmp_path / "rows.npz"), *options]) == 0


def test_a_page_of_html_ends_the_command_line_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows.npz").write_text("<html><body>Not found</body></html>")
    assert main(["train", "--data", str(tmp_path / "rows.npz"), "--output", str(tmp_path / "run")]) == 2
    assert "got an HTML page. Write it again" in capsys.readouterr().err


@pytest.mark.parametrize("size", [1, 2, 3])
def test_an_array_that_is_stored_column_by_column_is_shared_like_any_other(size: int, tmp_path: Path) -> None:
    X = np.asfortranarray(np.arange(24.0).reshape(8, 3))  # as pandas gives it
    np.savez(tmp_path / "rows.npz", X_train=X, y_train=np.arange(8) % 2)
    parts = [load_npz(tmp_path / "rows.npz", (rank, size)) for rank in range(size)]
    np.testing.assert_array_equal(np.concatenate([part.X_train for part in parts]), X)
    assert [part.share.totals["train"] for part in parts if part.share] == [8] * size
