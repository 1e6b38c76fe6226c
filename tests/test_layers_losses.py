"""The losses: what each promises, definitions, possible overflows, and what they refuse."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layer_draws import IN_EACH_DTYPE, LAYOUTS, draw_targets, laid_out
from thinnet import ArgumentError
from thinnet.layers import LOSSES, logistic_loss, mse_loss, poisson_loss, softmax_loss, svm_loss
from thinnet.typing import AnyArray, FloatArray

Reference = Callable[[FloatArray, AnyArray], tuple[float, FloatArray]]
LABELLED = [softmax_loss, svm_loss]


def draw_scores(name: str, N: int, C: int, dtype: Any = np.float64) -> tuple[FloatArray, AnyArray]:
    rng = np.random.default_rng(0)
    y = draw_targets(name, N, C, rng)
    return 2 * rng.standard_normal((N, C)).astype(dtype), y if y.dtype.kind == "i" else y.astype(dtype)


@IN_EACH_DTYPE
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (7, 7), (65, 10)])
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_a_float_and_its_gradient_like_the_scores(name: str, shape: tuple[int, int], dtype: Any) -> None:
    scores, y = draw_scores(name, *shape, dtype)
    loss, gradient = LOSSES[name].function(scores, y)
    assert type(loss) is float
    assert (gradient.shape, gradient.dtype) == (shape, dtype)
    assert not np.shares_memory(gradient, scores)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_takes_any_layout_and_changes_nothing(name: str, layout: str) -> None:
    scores, y = draw_scores(name, 7, 5)
    loss, gradient = LOSSES[name].function(scores, y)
    other, other_y = laid_out(scores)[layout], laid_out(y)[layout]
    before = other.tobytes(), other_y.tobytes()
    got, got_gradient = LOSSES[name].function(other, other_y)
    assert (other.tobytes(), other_y.tobytes()) == before
    assert got == pytest.approx(loss, rel=1e-14)
    np.testing.assert_allclose(got_gradient, gradient, rtol=0, atol=1e-15)


def softmax_reference(scores: FloatArray, y: AnyArray) -> tuple[float, FloatArray]:
    (N, C), loss = scores.shape, 0.0
    gradient = np.zeros((N, C))
    for n in range(N):
        powers = [math.exp(score) for score in scores[n]]
        loss -= math.log(powers[y[n]] / sum(powers)) / N
        for c in range(C):
            gradient[n, c] = (powers[c] / sum(powers) - (c == y[n])) / N
    return loss, gradient


def svm_reference(scores: FloatArray, y: AnyArray) -> tuple[float, FloatArray]:
    (N, C), loss = scores.shape, 0.0
    gradient = np.zeros((N, C))
    for n in range(N):
        for c in range(C):
            margin = scores[n, c] - scores[n, y[n]] + 1
            if c != y[n] and margin > 0:
                loss += margin / N
                gradient[n, c] += 1 / N
                gradient[n, y[n]] -= 1 / N
    return loss, gradient


def mse_reference(scores: FloatArray, y: AnyArray) -> tuple[float, FloatArray]:
    (N, C), loss = scores.shape, 0.0
    gradient = np.zeros((N, C))
    for index in np.ndindex(N, C):
        loss += (scores[index] - y[index]) ** 2 / (N * C)
        gradient[index] = 2 * (scores[index] - y[index]) / (N * C)
    return loss, gradient


def logistic_reference(scores: FloatArray, y: AnyArray) -> tuple[float, FloatArray]:
    (N, C), loss = scores.shape, 0.0
    gradient = np.zeros((N, C))
    for index in np.ndindex(N, C):
        odds = math.exp(scores[index])
        loss += (math.log1p(odds) - y[index] * scores[index]) / (N * C)
        gradient[index] = (odds / (1 + odds) - y[index]) / (N * C)
    return loss, gradient


def poisson_reference(scores: FloatArray, y: AnyArray) -> tuple[float, FloatArray]:
    (N, C), loss = scores.shape, 0.0
    gradient = np.zeros((N, C))
    for index in np.ndindex(N, C):
        expected, count = math.exp(scores[index]), y[index]
        loss += ((count * math.log(count / expected) if count else 0) - count + expected) / N
        gradient[index] = (expected - count) / N
    return loss, gradient


REFERENCES: dict[str, Reference] = {
    "softmax": softmax_reference,
    "svm": svm_reference,
    "mse": mse_reference,
    "logistic": logistic_reference,
    "poisson": poisson_reference,
}


@pytest.mark.parametrize("name", REFERENCES)
@settings(max_examples=60)
@given(
    N=st.integers(1, 9), C=st.integers(1, 9), seed=st.integers(0, 2**32), spread=st.sampled_from([0.0, 1e-3, 1.0, 20.0])
)
def test_losses_do_what_their_formulas_say(name: str, N: int, C: int, seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    scores = spread * rng.standard_normal((N, C))
    y = draw_targets(name, N, C, rng, spread)
    loss, gradient = LOSSES[name].function(scores, y)
    expected, expected_gradient = REFERENCES[name](scores, y)
    assert loss == pytest.approx(expected, rel=1e-12, abs=1e-14)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", REFERENCES)
@settings(max_examples=30)
@given(counts=st.lists(st.integers(0, 4), min_size=1, max_size=9), C=st.integers(1, 5), seed=st.integers(0, 2**32))
def test_a_weight_is_how_often_a_row_counts(name: str, counts: list[int], C: int, seed: int) -> None:
    """The weighted sum equals that of repeated rows; each is divided by its own number of rows."""
    rng = np.random.default_rng(seed)
    N, weights = len(counts), np.array(counts, float)
    scores, y = rng.standard_normal((N, C)), draw_targets(name, N, C, rng)
    loss, gradient = LOSSES[name].function(scores, y, weights)
    repeated = np.repeat(np.arange(N), counts)
    total = LOSSES[name].function(scores[repeated], y[repeated])[0] * len(repeated) if len(repeated) else 0.0
    assert loss * N == pytest.approx(total, rel=1e-12, abs=1e-14)
    np.testing.assert_allclose(gradient, weights[:, None] * LOSSES[name].function(scores, y)[1], rtol=1e-12, atol=0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_logistic_loss_neither_overflows_nor_loses_small_values(dtype: Any) -> None:
    scores, y = np.array([[5000, -5000, -40, 0]], dtype), np.array([[0, 1, 0, 1]], dtype)
    loss, gradient = logistic_loss(scores, y)
    assert loss == pytest.approx((10000 + math.exp(-40) + math.log(2)) / 4, rel=1e-6)
    np.testing.assert_allclose(gradient, np.array([[1, -1, math.exp(-40), -0.5]]) / 4, rtol=1e-5)


@pytest.mark.parametrize("shift", [1e4, -1e4, 1e30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_neither_overflows_nor_loses_a_common_shift(shift: float, dtype: Any) -> None:
    scores = np.zeros((1, 4), dtype) + dtype(shift)
    loss, gradient = softmax_loss(scores, np.array([2]))
    assert loss == pytest.approx(math.log(4), rel=1e-6)
    np.testing.assert_allclose(gradient, [[0.25, 0.25, -0.75, 0.25]], rtol=1e-6)


def test_softmax_of_a_hopeless_score_is_finite_and_exact() -> None:
    loss, gradient = softmax_loss(np.array([[0.0, 5000.0]]), np.array([0]))
    assert loss == 5000
    np.testing.assert_array_equal(gradient, [[-1.0, 1.0]])


def test_the_slope_of_svm_at_a_kink_is_zero() -> None:
    loss, gradient = svm_loss(np.array([[1.0, 0.0]]), np.array([0]))
    assert loss == 0
    np.testing.assert_array_equal(gradient, np.zeros((1, 2)))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.uint64])
@pytest.mark.parametrize("loss", LABELLED)
def test_labels_may_be_integers_of_any_width(loss: Reference, dtype: Any) -> None:
    scores = np.random.default_rng(0).standard_normal((3, 4))
    expected, expected_gradient = loss(scores, np.array([0, 3, 1]))
    value, gradient = loss(scores, np.array([0, 3, 1], dtype))
    assert value == expected
    np.testing.assert_array_equal(gradient, expected_gradient)


# Refusals


@pytest.mark.parametrize("name", LOSSES)
def test_what_a_loss_refuses(name: str) -> None:
    function, where = LOSSES[name].function, f"{name}_loss: "
    scores, y = draw_scores(name, 3, 4)
    for bad, text in (
        (scores.tolist(), "scores must be a NumPy array of floats, got a list"),
        (scores.astype(int), "scores must be a NumPy array of floats, got dtype int64"),
        (scores[0], r"scores must have shape \(N, C\), got \(4,\)"),
    ):
        with pytest.raises(ArgumentError, match=where + text):
            function(bad, y)
    for empty in (scores[:0], scores[:, :0]):
        targets = y[: len(empty)] if LOSSES[name].targets == "labels" else empty
        text = where + "scores must have at least one row and one column, got " + re.escape(f"{empty.shape}")
        with pytest.raises(ArgumentError, match=text + ". Skip empty batches"):
            function(empty, targets)


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        (np.array([1.0, -0.5]), r"weights must be >= 0, got -0\.5\. Use 0 to leave a row out"),
        (np.array([1.0, np.nan]), "weights must be >= 0, got nan"),
        (np.ones(3), r"weights must have shape \(N,\) with N = 2 as in scores of shape \(2, 3\), got \(3,\)"),
        (np.ones(2, np.float32), "weights must be of dtype float64, like scores, got float32"),
        ([1.0, 1.0], "weights must be a NumPy array of floats, got a list"),
    ],
)
@pytest.mark.parametrize("name", REFERENCES)
def test_weights_that_do_not_fit_are_refused(name: str, weights: Any, text: str) -> None:
    y = draw_targets(name, 2, 3, np.random.default_rng(0))
    with pytest.raises(ArgumentError, match=f"{name}_loss: {text}"):
        LOSSES[name].function(np.zeros((2, 3)), y, weights)


@pytest.mark.parametrize("bad", [-0.1, 1.1, np.nan])
def test_targets_of_the_logistic_loss_lie_between_0_and_1(bad: float) -> None:
    with pytest.raises(ArgumentError, match=r"logistic_loss: y must be between 0 and 1, got values from .* Write 1"):
        logistic_loss(np.zeros((1, 2)), np.array([[0.5, bad]]))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("C", [1, 2, 5])
def test_smoothed_labels_are_a_mixture_of_targets(C: int, smoothing: float) -> None:
    """Cross-entropy is linear in the targets: smoothing by e mixes in e times the mean over all classes, or answers."""
    rng, rows = np.random.default_rng(0), 7
    scores, weights = rng.standard_normal((rows, C)), rng.random(rows)
    y = rng.integers(C, size=rows)
    every = [softmax_loss(scores, np.full(rows, c), weights) for c in range(C)]
    pairs = [(softmax_loss(scores, y, weights, label_smoothing=smoothing), softmax_loss(scores, y, weights), every)]
    fractions = rng.random((rows, C))
    every = [logistic_loss(scores, np.full((rows, C), answer), weights) for answer in (0.0, 1.0)]
    smoothed = logistic_loss(scores, fractions, weights, label_smoothing=smoothing)
    pairs += [(smoothed, logistic_loss(scores, fractions, weights), every)]
    for got, plain, others in pairs:
        for part in (0, 1):  # the loss, and its gradient
            uniform = sum(np.asarray(other[part]) for other in others) / len(others)
            wanted = (1 - smoothing) * np.asarray(plain[part]) + smoothing * uniform
            np.testing.assert_allclose(got[part], wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("wrong", [-0.1, 1.0, np.nan, "much"])
def test_smoothing_outside_its_limits_is_refused(wrong: Any) -> None:
    cases: list[tuple[Any, Any]] = [(softmax_loss, np.array([0])), (logistic_loss, np.zeros((1, 2)))]
    for loss, y in cases:
        with pytest.raises(ArgumentError, match=r"label_smoothing must be a number in \[0, 1\), got .* use 0 for none"):
            loss(np.zeros((1, 2)), y, label_smoothing=wrong)


@pytest.mark.parametrize("bad", [-0.1, -1e-30, np.nan])
def test_targets_of_the_poisson_loss_are_not_negative(bad: float) -> None:
    with pytest.raises(ArgumentError, match=r"poisson_loss: y must be >= 0, got (-|nan).* Use loss='mse'"):
        poisson_loss(np.zeros((1, 2)), np.array([[0.5, bad]]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_poisson_loss_of_no_counts_and_of_exact_predictions(dtype: Any) -> None:
    loss, gradient = poisson_loss(
        np.array([[-80, math.log(7)], [0, math.log(7)]], dtype), np.array([[0, 7]] * 2, dtype)
    )
    assert loss == pytest.approx(0.5, rel=1e-5)
    np.testing.assert_allclose(gradient, np.array([[0, 0], [0.5, 0]]), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("y", "text"),
    [
        (
            np.array([0.0, 1.0]),
            r"y must be a NumPy array of integer class labels, got dtype float64\. Convert it with np\.asarray",
        ),
        (np.array([True, False]), "y must be a NumPy array of integer class labels, got dtype bool"),
        ([0, 1], "y must be a NumPy array of integer class labels, got a list"),
        (np.array([0]), r"y must be of shape \(2,\), one label per row, got \(1,\)"),
        (np.array([[0], [1]]), r"y must be of shape \(2,\), one label per row, got \(2, 1\)"),
        (np.eye(3, dtype=int)[:2], r"y .* got \(2, 3\)\. Convert one-hot rows with y\.argmax\(axis=1\)\.$"),
        (
            np.eye(3, dtype=np.float32)[:2],
            r"got \(2, 3\)\. Convert one-hot rows with y\.argmax\(axis=1\)\.$",
        ),
        (np.array([0, 3]), r"y must be labels from 0 to 2, got y\[1\] = 3\. Number the classes from 0"),
        (np.array([-1, 0]), r"y must be labels from 0 to 2, got y\[0\] = -1"),
    ],
)
@pytest.mark.parametrize("loss", LABELLED)
def test_labels_that_do_not_fit_are_refused(loss: Reference, y: Any, text: str) -> None:
    with pytest.raises(ArgumentError, match=f"{loss.__name__}: .*{text}"):
        loss(np.zeros((2, 3)), y)


@pytest.mark.parametrize(
    ("y", "text"),
    [
        (np.zeros((2, 3), int), r"y must be a NumPy array of floats, got dtype int64"),
        (np.zeros((2, 3), np.float32), "y must be of dtype float64, like scores, got float32"),
        (
            np.zeros((3, 3)),
            r"y must have shape \(N, C\) with N = 2, C = 3 as in scores of shape \(2, 3\), got \(3, 3\)",
        ),
        (np.zeros(2), r"y must have shape \(N, C\) .*, got \(2,\)"),
    ],
)
def test_targets_that_do_not_fit_are_refused(y: Any, text: str) -> None:
    with pytest.raises(ArgumentError, match=f"mse_loss: {text}"):
        mse_loss(np.zeros((2, 3)), y)
