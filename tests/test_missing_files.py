"""Missing files and folders, or those of the wrong kind: one type of error, which says what was looked for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thinnet import (
    ArgumentError,
    CheckpointError,
    DataError,
    Dataset,
    FullyConnectedNet,
    Solver,
    load_cifar10,
    load_fashion_mnist,
    runs,
)
from thinnet.config import Config
from thinnet.course.starter import new_folder
from thinnet.data.cifar10 import read_cifar10_batch, read_cifar10_folder
from thinnet.data.idx import read_idx
from thinnet.data.npz import load_npz
from thinnet.report import write_report

DATA = Dataset(np.ones((4, 2), np.float32), np.array([0, 1, 0, 1]))
READERS: dict[str, tuple[type[Exception], Callable[[Path], Any]]] = {
    "FullyConnectedNet.load": (CheckpointError, FullyConnectedNet.load),
    "Solver.resume": (CheckpointError, lambda path: Solver.resume(path, DATA)),
    "runs.resume": (CheckpointError, runs.resume),
    "write_report": (CheckpointError, lambda path: write_report([path])),
    "load_npz": (DataError, load_npz),
    "load_cifar10": (DataError, load_cifar10),
    "load_fashion_mnist": (DataError, load_fashion_mnist),
    "read_cifar10_batch": (DataError, read_cifar10_batch),
    "read_cifar10_folder": (DataError, read_cifar10_folder),
    "read_idx": (DataError, read_idx),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("place", ["absent", "no/such/folder", "a file/below it"])
def test_what_is_not_there_is_a_file_not_found_with_what_was_looked_for(
    reader: str, place: str, tmp_path: Path
) -> None:
    (tmp_path / "a file").write_text("text")
    kind, read = READERS[reader]
    with pytest.raises(FileNotFoundError) as caught:
        read(tmp_path / place)
    assert isinstance(caught.value, kind)
    assert str(tmp_path / place) in str(caught.value)
    assert str(caught.value)[-1] in ".?", "a sentence"


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("what", ["an empty file", "a file of text", "an empty folder", "a folder of something else"])
def test_something_else_in_its_place_is_told(reader: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "given"
    if what.endswith("file") or "text" in what:
        path.write_text("" if "empty" in what else "epoch,loss\n1,0.5\n")
    else:
        path.mkdir()
        if "something" in what:
            (path / "model.pt").write_bytes(b"PK\x03\x04")
    kind, read = READERS[reader]
    with pytest.raises(kind, match=r"must be .* got|must be .* but it is"):
        read(path)


def test_a_file_with_nearly_that_name_is_named(tmp_path: Path) -> None:
    FullyConnectedNet([], 2, 3, seed=0).save(tmp_path / "digits.safetensors")
    with pytest.raises(FileNotFoundError, match=r"no such file\. .* Did you mean 'digits\.safetensors'\?"):
        FullyConnectedNet.load(tmp_path / "digit.safetensors")
    with pytest.raises(FileNotFoundError, match=r"no such file\. .* There is no folder .*runs\."):
        FullyConnectedNet.load(tmp_path / "runs" / "digits.safetensors")
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "train-images-idx3-ubyte.gz").touch()
    with pytest.raises(FileNotFoundError, match=r"Did you mean 'raw/train-images-idx3-ubyte\.gz'\?"):
        load_fashion_mnist(tmp_path)


def test_a_folder_is_told_which_of_its_files_is_a_net_only_where_one_is(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"got a folder\. Name a file in it"):
        FullyConnectedNet.load(tmp_path)
    FullyConnectedNet([], 2, 3, seed=0).save(tmp_path / "net.safetensors")
    with pytest.raises(CheckpointError, match=r"got a folder\. Name .*net\.safetensors\."):
        FullyConnectedNet.load(tmp_path)


def test_a_config_below_a_file_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ArgumentError, match=r"must be a TOML file, got no such file\. There is no folder .*file\."):
        Config.from_toml(tmp_path / "file" / "config.toml")


def test_a_starter_folder_below_a_file_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError, match=r"must be a folder, got a file in its place.* Name another one"):
        new_folder(tmp_path / "file" / "homework", "nndl")


def test_a_common_ending_makes_no_names_alike(tmp_path: Path) -> None:
    for name in ("e.npz", "train.csv"):
        (tmp_path / name).write_text("")
    for name, told in (("nope.npz", ""), ("trian.npz", "Did you mean 'train.csv'?")):
        with pytest.raises(DataError) as caught:
            load_npz(tmp_path / name)
        assert str(caught.value).partition("Thinnet looked in ")[2].partition(". ")[2] == told
