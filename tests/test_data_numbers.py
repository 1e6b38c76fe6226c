"""Standardization of numbers of every magnitude: correct in float64 for any output dtype, or refused by column."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pytest

from thinnet.data import Dataset
from thinnet.data.rows import RowReader
from thinnet.data.shares import alone, moments, share_of
from thinnet.errors import DataError
from thinnet.nets import FullyConnectedNet
from thinnet.solver import Solver

SIGNAL = np.random.default_rng(3).normal(size=(400, 3))


def standardized_by_hand(S: Any, method: str) -> Any:
    center, deviation = (S.mean(0), S.std(0)) if method != "global" else (S.mean(), S.std())
    return S - center if method == "mean" else (S - center) / deviation


@pytest.mark.parametrize("offset", [0, 1e5, -1e7, 1.7e9, 1.7e12])
@pytest.mark.parametrize("method", ["mean", "feature", "global"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_small_differences_of_large_numbers_are_kept(offset: float, method: str, dtype: Any) -> None:
    X = SIGNAL + offset
    y = np.arange(400) % 2
    data = Dataset(X, y, X, y).standardized(method)
    wanted = standardized_by_hand(X - offset, method)  # the subtraction is exact
    close = {"rtol": 0, "atol": max(np.finfo(dtype).eps * 20, abs(offset) * 1e-15)}
    np.testing.assert_allclose(data.batch("val", dtype=dtype)[0], wanted, **close)
    np.testing.assert_allclose(RowReader(data, "train", 400, dtype).read(np.arange(400))[0], wanted, **close)


def test_differences_of_large_float32_are_kept() -> None:
    X = (SIGNAL * 1000 + 1.7e9).astype(np.float32)
    got, _ = Dataset(X, np.zeros(400, int)).standardized().batch("train")
    np.testing.assert_allclose(got, standardized_by_hand(X.astype(np.float64), "feature"), atol=1e-6)


@pytest.mark.parametrize("size", [1e-300, 1e-200, 1e-42, 1e-20, 1e20, 1e150, 1e200, 1e307])
@pytest.mark.parametrize("method", ["feature", "global"])
def test_tiny_and_huge_columns_are_standardized(size: float, method: str) -> None:
    X = SIGNAL * size
    data = Dataset(X, np.zeros(400, int)).standardized(method)
    np.testing.assert_allclose(data.batch("train")[0], standardized_by_hand(SIGNAL, method), rtol=1e-5, atol=1e-6)
    mixed = np.c_[SIGNAL[:, 0], X[:, 1], SIGNAL[:, 2] + 1e9]
    got, _ = Dataset(mixed, np.zeros(400, int)).standardized().batch("train")
    np.testing.assert_allclose(got, standardized_by_hand(SIGNAL, "feature"), rtol=1e-5, atol=1e-6)


def test_columns_that_differ_in_the_last_digit_only_are_constant() -> None:
    X = np.full((30, 2), 0.1)
    X[::3, 1] = np.nextafter(0.1, 1)
    got, _ = Dataset(X, np.zeros(30, int), X + 0.5, np.zeros(30, int)).standardized().batch("val", dtype=np.float64)
    np.testing.assert_allclose(got, 0.5, rtol=1e-12)


@pytest.mark.parametrize("method", ["none", "mean"])
def test_numbers_beyond_float32_are_refused_by_column(method: str) -> None:
    X = SIGNAL.copy()
    X[7, 1] = 1e200
    y = np.arange(400) % 2
    data = Dataset(X, y, X, y).standardized(method)
    text = (
        r"X_train must hold numbers that stay within float32, at most 3\.4e\+38, got 1e\+200 in column 1\. Scale them"
    )
    with pytest.raises(DataError, match=text):
        Solver(FullyConnectedNet([4], 3, 2, seed=0), data, verbose=False)
    with pytest.raises(DataError, match=text.replace("X_train", "X_val")):
        data.batch("val")
    assert np.isfinite(data.batch("val", dtype=np.float64)[0]).all()
    Solver(FullyConnectedNet([4], 3, 2, seed=0), data.standardized("feature"), verbose=False).train()


@pytest.mark.parametrize(("size", "text"), [(1e308, "a span beyond 1.8e308"), (5e-324, "deviation below 5.6e-309")])
def test_columns_beyond_float64_are_refused_by_number(size: float, text: str) -> None:
    X = SIGNAL.copy()
    X[:, 2] = np.sign(X[:, 2]) * size
    with pytest.raises(
        DataError, match=rf"X_train must hold columns that float64 .* got .*{text} in column 2\. Scale it"
    ):
        Dataset(X, np.zeros(400, int)).standardized()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"y_train": np.full((400, 1), 1e200)}, r"y_train must hold .* within float32, .* got 1e\+200 in column 0"),
        ({"weights": np.r_[np.ones(399), 1e300]}, r"weights must hold .* within float32, .* got 1e\+300 in row 399"),
    ],
)
def test_targets_and_weights_beyond_float32_are_refused(options: dict[str, Any], text: str) -> None:
    data = Dataset(**{"X_train": SIGNAL, "y_train": np.zeros((400, 1)), **options})
    with pytest.raises(DataError, match=text):
        Solver(FullyConnectedNet([4], 3, 1, seed=0, loss="mse"), data, verbose=False)


class _Process:
    """One of several threads that act as processes: each gathers the values of all."""

    def __init__(self, rank: int, things: list[Any], barrier: threading.Barrier) -> None:
        self.rank, self.things, self.barrier = rank, things, barrier

    def gather(self, thing: Any) -> list[Any]:
        self.barrier.wait(timeout=60)
        self.things[self.rank] = thing
        self.barrier.wait(timeout=60)
        return list(self.things)


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_processes_find_the_moments_that_one_alone_finds(size: int, dtype: Any) -> None:
    X = (SIGNAL * 30 + 128).astype(dtype) if dtype is np.uint8 else (SIGNAL + 1.7e9).astype(dtype)
    if dtype is np.float64:
        X = X * [1, 1e200, 1e-200]
    whole = moments(X, slice(0, 400), 400, alone)
    things, barrier = [None] * size, threading.Barrier(size)

    def own(rank: int) -> Any:
        rows = share_of(400, rank, size)
        return moments(X[rows], rows, 400, _Process(rank, things, barrier).gather)

    with ThreadPoolExecutor(size) as pool:
        for mean, deviation, spans in pool.map(own, range(size)):
            np.testing.assert_array_equal(mean, whole[0])
            np.testing.assert_array_equal(deviation, whole[1])
            np.testing.assert_array_equal(spans, whole[2])


def test_integers_of_more_than_64_bits_are_numbers() -> None:
    rows = [[10**30 + i * 10**29, i] for i in range(4)]
    X, _ = Dataset(np.array(rows, object), np.arange(4) % 2).batch("train", dtype=np.float64)
    np.testing.assert_array_equal(X, np.array(rows, np.float64))
    with pytest.raises(DataError, match="X_train must be real numbers, got numbers beyond float64"):
        Dataset(np.array([[10**400]], object), np.zeros(1, int))


@pytest.mark.parametrize("form", [np.array, lambda rows: pd.DataFrame(rows)])
def test_numbers_with_decimal_commas_are_told_with_what_makes_numbers_of_them(form: Any) -> None:
    rows = form([["1,5", "2"], ["-3,25", "4"]])
    with pytest.raises(DataError, match=r"text such as '1,5'\. Convert them to numbers: .*\.$") as caught:
        Dataset(rows, np.arange(2))
    fix = str(caught.value).partition("to numbers: ")[2].removesuffix(".")
    np.testing.assert_array_equal(eval(fix, {"X_train": rows, "np": np}), [[1.5, 2], [-3.25, 4]])
