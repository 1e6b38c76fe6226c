"""Digits: every image once, in a shuffle that depends only on the seed."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from thinnet.data import load_digits
from thinnet.errors import ArgumentError, DataError, MissingExtraError


def test_the_default_split() -> None:
    data = load_digits()
    assert [data.num_rows(split) for split in ("train", "val", "test")] == [997, 400, 400]
    assert data.X_train.dtype == np.uint8
    assert data.y_train.dtype == np.int64
    assert (data.X_train.max(), data.image_shape, data.num_features) == (16, (8, 8), 64)
    assert data.class_names == tuple("0123456789")


def test_every_image_is_in_one_split_with_its_label() -> None:
    from sklearn.datasets import load_digits as original

    data, source = load_digits(seed=3), original()
    splits = [data.batch(split) for split in ("train", "val", "test")]
    rows = np.concatenate([np.column_stack(pair) for pair in splits])
    expected = np.column_stack([source.data, source.target])
    np.testing.assert_array_equal(np.unique(rows, axis=0), np.unique(expected, axis=0))
    assert len(rows) == 1797


def test_the_seed_decides_the_shuffle() -> None:
    np.testing.assert_array_equal(load_digits(seed=1).X_train, load_digits(seed=1).X_train)
    assert (load_digits(seed=1).X_train != load_digits(seed=2).X_train).any()


def test_fewer_training_rows_leave_the_other_splits_alone() -> None:
    few, all_of_them = load_digits(num_train=100), load_digits()
    np.testing.assert_array_equal(few.X_train, all_of_them.X_train[:100])
    np.testing.assert_array_equal(few.labels("val"), all_of_them.labels("val"))
    np.testing.assert_array_equal(few.labels("test"), all_of_them.labels("test"))


def test_splits_may_be_empty() -> None:
    data = load_digits(num_val=0, num_test=0)
    assert (data.num_rows("train"), data.X_val, data.X_test) == (1797, None, None)


@pytest.mark.parametrize(
    ("sizes", "got"),
    [({"num_train": 998}, "1,798"), ({"num_val": 1397}, "1,798"), ({"num_test": 10**9}, "1,000,000,401")],
)
def test_asking_for_more_than_there_is(sizes: dict[str, Any], got: str) -> None:
    with pytest.raises(DataError, match=rf"num_train \+ num_val \+ num_test must be at most 1,797, .* got {got}"):
        load_digits(**sizes)


@pytest.mark.parametrize("arguments", [{"num_train": 0}, {"num_val": -1}, {"num_test": "all"}, {"seed": -1}])
def test_arguments_must_be_whole_numbers(arguments: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=f"{next(iter(arguments))} must be an integer"):
        load_digits(**arguments)


def test_scikit_learn_itself_is_not_imported() -> None:
    """Importing it would take longer than a short training."""
    code = "import sys, thinnet; thinnet.load_digits(); print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "False\n", done.stderr


def test_where_its_file_lies_elsewhere_scikit_learn_gives_the_same_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    read = load_digits()
    monkeypatch.setattr("thinnet.data.digits.FILE", "datasets/data/nowhere.csv.gz")
    np.testing.assert_array_equal(load_digits().X_train, read.X_train)
    np.testing.assert_array_equal(load_digits().y_train, read.y_train)


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingExtraError, match=r"load_digits needs the package 'sklearn'.*thinnet\[digits\]"):
        load_digits()
