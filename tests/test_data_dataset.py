"""Dataset: checks, standardizations compared with plain NumPy, batches and splits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thinnet.data import Dataset
from thinnet.data.dataset import STANDARDIZATIONS
from thinnet.data.npz import load_npz
from thinnet.data.rows import RowReader
from thinnet.errors import ArgumentError, DataError

RNG = np.random.default_rng(0)
TRAIN, VAL, TEST = (RNG.integers(0, 256, (n, 6), dtype=np.uint8) for n in (40, 10, 7))
Y_TRAIN, Y_VAL, Y_TEST = (RNG.integers(0, 3, n) for n in (40, 10, 7))
PLAIN = TRAIN.astype(np.float64)


@pytest.fixture
def data() -> Dataset:
    return Dataset(TRAIN, Y_TRAIN, VAL, Y_VAL, TEST, Y_TEST, name="noise")


def test_its_sizes_and_its_text(data: Dataset) -> None:
    assert repr(data) == "<Dataset noise: train 40, val 10, test 7; 6 features of uint8>"
    assert (data.num_features, data.num_classes) == (6, 3)
    assert [data.num_rows(split) for split in ("train", "val", "test")] == [40, 10, 7]


def test_class_names_decide_the_number_of_classes() -> None:
    assert Dataset(TRAIN, Y_TRAIN, class_names=("a", "b", "c", "d")).num_classes == 4


def test_uint8_is_kept_and_not_copied(data: Dataset) -> None:
    for dataset in (data, data.standardized("feature"), data.first(5)):
        assert dataset.X_train.dtype == np.uint8
        assert np.shares_memory(dataset.X_train, TRAIN)


def test_images_are_flattened() -> None:
    images = TRAIN.reshape(40, 2, 3)
    data = Dataset(images, Y_TRAIN, image_shape=(2, 3))
    np.testing.assert_array_equal(data.X_train, TRAIN)


EXPECTED = {
    "none": lambda X: X,
    "mean": lambda X: X - PLAIN.mean(axis=0),
    "feature": lambda X: (X - PLAIN.mean(axis=0)) / PLAIN.std(axis=0),
    "global": lambda X: (X - PLAIN.mean()) / PLAIN.std(),
}


@pytest.mark.parametrize("method", STANDARDIZATIONS)
def test_standardization_is_what_plain_numpy_gives(data: Dataset, method: str) -> None:
    standardized = data.standardized(method)
    for split, X in (("train", TRAIN), ("val", VAL), ("test", TEST)):
        rows, _ = standardized.batch(split, dtype=np.float64)
        np.testing.assert_allclose(rows, EXPECTED[method](X.astype(np.float64)), rtol=1e-12, atol=1e-12)


def test_constant_features_are_only_shifted() -> None:
    X, _ = Dataset(np.full((4, 2), 7.0), np.zeros(4, np.int64)).standardized("feature").batch("train")
    np.testing.assert_array_equal(X, np.zeros((4, 2)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", STANDARDIZATIONS)
def test_batches_are_new_arrays_of_the_dtype_asked_for(data: Dataset, method: str, dtype: Any) -> None:
    before = TRAIN.copy()
    X, y = data.standardized(method).batch("train", [3, 1, 3], dtype=dtype)
    assert X.dtype == dtype
    np.testing.assert_array_equal(y, Y_TRAIN[[3, 1, 3]])
    X[:] = -1
    np.testing.assert_array_equal(TRAIN, before)


def test_first_keeps_the_standardization_and_the_other_splits(data: Dataset) -> None:
    standardized = data.standardized()
    first = standardized.first(5)
    assert [first.num_rows(split) for split in ("train", "val", "test")] == [5, 10, 7]
    np.testing.assert_array_equal(first.batch("train")[0], standardized.batch("train", slice(5))[0])
    with pytest.raises(ArgumentError, match="num_train must be at most 40, the number of training rows, got 41"):
        data.first(41)
    with pytest.raises(ArgumentError, match="num_train must be an integer >= 1, got 0"):
        data.first(0)


def test_from_the_courses_dict() -> None:
    images = RNG.standard_normal((4, 3, 2, 2))
    data = Dataset.from_dict({"X_train": images, "y_train": np.arange(4), "X_val": images, "y_val": np.arange(4)})
    assert (data.image_shape, data.num_features, data.num_rows("val"), data.num_rows("test")) == ((3, 2, 2), 12, 4, 0)
    flat = Dataset.from_dict({"X_train": TRAIN, "y_train": Y_TRAIN, "more": 1}, name="flat")
    assert (flat.image_shape, flat.name) == (None, "flat")
    with pytest.raises(DataError, match=r"a dict with X_train and y_train, got the keys \['X_train', 'y'\]"):
        Dataset.from_dict({"X_train": images, "y": 0})


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"X_val": VAL}, "X_val and y_val must be given together, got only one"),
        ({"y_test": Y_TEST}, "X_test and y_test must be given together, got only one"),
        ({"X_train": TRAIN[0]}, r"X_train must have shape \(N, D\) with one label per row, got X of shape \(6,\)"),
        ({"y_train": Y_TRAIN[1:]}, r"X_train must have shape .* and y of shape \(39,\)"),
        (
            {"X_train": TRAIN.astype(complex)},
            r"X_train must be real numbers, got complex numbers\. Give both parts",
        ),
        ({"X_val": VAL[:, 1:], "y_val": Y_VAL}, "X_val must have 6 columns, like X_train, got 5"),
    ],
)
def test_arrays_that_do_not_fit_together(arrays: dict[str, Any], text: str) -> None:
    with pytest.raises(DataError, match=text):
        Dataset(**{"X_train": TRAIN, "y_train": Y_TRAIN, **arrays})


def test_splits_and_methods_are_checked(data: Dataset) -> None:
    with pytest.raises(ArgumentError, match=r"split must be one of 'train', .* got 'vali'\. Did you mean 'val'"):
        data.num_rows("vali")
    with pytest.raises(ArgumentError, match=r"method must be one of 'none', 'mean', .* Did you mean 'mean'"):
        data.standardized("means")
    with pytest.raises(DataError, match="split must be one that data has, got 'val', which is empty"):
        Dataset(TRAIN, Y_TRAIN).batch("val")
    with pytest.raises(DataError, match="X_train must have at least one row to standardize with, got none"):
        Dataset(TRAIN[:0], Y_TRAIN[:0]).standardized("mean")


def test_weights_follow_the_training_rows() -> None:
    weights = np.arange(40.0)
    data = Dataset(TRAIN, Y_TRAIN, VAL, Y_VAL, weights=weights)
    assert data.standardized("feature").weights is data.weights
    np.testing.assert_array_equal(data.first(5).weights, weights[:5])
    drawn = data.drawn(40, seed=1)
    np.testing.assert_array_equal(drawn.X_train, TRAIN[drawn.weights.astype(int)])  # type: ignore[union-attr]
    others = Dataset(TRAIN, Y_TRAIN, VAL, Y_VAL, weights=weights + 1)
    assert data.fingerprint()["weights"] != others.fingerprint()["weights"]
    rows = np.array([3, 39, 3])
    np.testing.assert_array_equal(RowReader(data, "train", 3).read(rows).weights, weights[rows])
    assert RowReader(data, "val", 3).read(rows % 10).weights is None
    assert RowReader(Dataset(TRAIN, Y_TRAIN), "train", 3).read(rows).weights is None


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        (
            np.ones(39),
            r"weights must have shape \(40,\), one number for each row of X_train, got float64 of shape \(39,",
        ),
        (np.full(40, "1"), "weights must have shape .* got text such as"),
        (np.ones(40) * 1j, "weights must have shape .* got complex numbers"),
        ([[1], [1, 2]], r"weights must be an array, got a list .*\. Make all rows the same length"),
        (np.r_[np.ones(39), -1], r"weights must be >= 0, got -1\.0\. Use 0 to leave a row out"),
        (np.r_[np.ones(39), np.nan], "weights must be >= 0, got nan"),
        (np.r_[np.ones(39), np.inf], "weights must hold finite numbers, got inf in row 39"),
    ],
)
def test_weights_that_do_not_fit(weights: Any, text: str) -> None:
    with pytest.raises(DataError, match=text):
        Dataset(TRAIN, Y_TRAIN, weights=weights)


def test_drawn_rows_keep_their_labels_and_the_other_splits() -> None:
    X = np.arange(40, dtype=np.uint8).reshape(20, 2)
    data = Dataset(X, np.arange(20), X[:4], np.arange(4)).drawn(5, seed=3)
    assert data.X_train.shape == (5, 2)
    assert len(set(data.y_train.tolist())) == 5
    np.testing.assert_array_equal(data.X_train[:, 0], 2 * data.y_train)
    assert data.num_rows("val") == 4
    with pytest.raises(ArgumentError, match="num_train must be at most 5"):
        data.drawn(6, seed=0)


def test_rows_that_were_checked_are_not_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    data = Dataset(TRAIN.astype(np.float32), Y_TRAIN, VAL.astype(np.float32), Y_VAL)

    def refuse(*args: Any) -> None:
        raise AssertionError("all rows are read again")

    monkeypatch.setattr("thinnet.data.fields.check_finite", refuse)
    for same in (data.standardized("mean"), data.first(5), data.drawn(5, seed=0)):
        assert same.num_rows("val") == data.num_rows("val")


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"X": TRAIN, "y": Y_TRAIN}, r"In .*rows\.npz, data must be .* got the keys \['X', 'y'\]\. Call the training"),
        ({"X_train": TRAIN, "y_train": Y_TRAIN, "X_valid": VAL}, r"In .*rows\.npz, .* got 'X_valid'\. Did you mean"),
        ({"X_train": TRAIN, "y_train": Y_TRAIN[1:]}, r"In .*rows\.npz, X_train must have shape"),
    ],
)
@pytest.mark.parametrize("share", [None, (0, 2)])
def test_a_file_of_arrays_that_are_no_data_set_is_named(
    arrays: dict[str, Any], text: str, share: tuple[int, int] | None, tmp_path: Path
) -> None:
    np.savez(tmp_path / "rows.npz", **arrays)
    with pytest.raises(DataError, match=text):
        load_npz(tmp_path / "rows.npz", share)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.npz must be a file of arrays .*, got no such file\. Check its path"):
        load_npz(tmp_path / "none.npz")
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(DataError, match=r"folder\.npz must be a file of arrays .*, got a directory\. Name the file"):
        load_npz(tmp_path / "folder.npz")


@pytest.mark.parametrize(
    ("splits", "came"),
    [
        ((), "0 pairs"),
        ((np.eye(2), [0, 1]), "an ndarray"),
        (((np.eye(2), [0, 1]), (np.eye(2),)), "a tuple"),
        (((np.eye(2), [0, 1]), None), "None"),
        (((np.eye(2), [0, 1]),) * 4, "4 pairs"),
    ],
)
def test_splits_that_are_no_pairs(splits: Any, came: str) -> None:
    with pytest.raises(DataError, match=rf"splits must be one to three pairs of rows and labels, got {came}\. Write "):
        Dataset.from_splits(*splits)


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (["a", float("nan"), "b"], r"y_train must have a label or a value for each row, got nan in row 1"),
        (
            ["a", 1, "b"],
            r"y_train must be all text or all numbers, got str such as 'a' and int such as 1|int such as 1",
        ),
    ],
)
def test_lists_of_text_with_something_else_in_them(labels: list[Any], text: str) -> None:
    with pytest.raises(DataError, match=text):
        Dataset(np.eye(3), labels)  # type: ignore[arg-type]


def test_a_single_row_number_is_not_taken_for_a_number_of_rows(data: Dataset) -> None:
    for rows in (3, np.int64(3)):
        with pytest.raises(ArgumentError, match=r"got 3\. Write slice\(0, 3\) for that many rows, \[3\] for row 3\.$"):
            data.batch("train", rows)  # type: ignore[arg-type]
    assert data.batch("train", [3])[0].shape == (1, data.num_features)


@pytest.mark.parametrize("rows", [[0, 4], (0, -1), range(0, 5, 4), np.array([0, 4], np.uint8), [1, 0, 0, 0, 1], []])
def test_rows_are_named_as_numpy_takes_them(rows: Any) -> None:
    data = Dataset(np.arange(10.0).reshape(5, 2), np.arange(5)).augmented(flip="random", image_shape=(1, 2))
    rows = [bool(each) for each in rows] if len(rows) == 5 else rows
    expected = [0, 4] if len(rows) else []
    assert data.batch("train", rows)[1].tolist() == expected
    X, y = data.augmented_batch(rows, seed=0, step=0, epoch=0)
    assert y.tolist() == expected
    np.testing.assert_array_equal(X, data.augmented_batch(np.array(expected, int), seed=0, step=0, epoch=0)[0])
