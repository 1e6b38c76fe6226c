"""Scores and classes in test mode: deterministic, row by row, in pieces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from small_nets import draw, make, shaken
from thinnet import ArgumentError
from thinnet.layers.dropout import SCALINGS, Scaling
from thinnet.nets.fully_connected import ROWS_AT_ONCE
from thinnet.spec import NORMALIZATIONS
from thinnet.typing import AnyArray


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_scores_are_deterministic_and_leave_the_net_as_it_was(normalization: Any) -> None:
    net = make(normalization=normalization, dropout=0.5)
    X, y = draw(net)
    net.loss(X, y, training=True)
    before = net.params.flat.tobytes(), net.running.flat.tobytes(), net.step
    scores = net.loss(X)
    np.testing.assert_array_equal(scores, net.scores(X))
    np.testing.assert_array_equal(scores, net.loss(X))
    np.testing.assert_array_equal(net.predict(X), scores.argmax(axis=1))
    assert (net.params.flat.tobytes(), net.running.flat.tobytes(), net.step) == before
    assert scores.shape == (8, 3)
    assert scores.dtype == np.float64


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("scaling", SCALINGS)
def test_scores_of_a_row_do_not_depend_on_the_others(normalization: Any, scaling: Scaling) -> None:
    net = shaken(make(normalization=normalization, dropout=0.5, scaling=scaling))
    X, y = draw(net)
    net.loss(X, y, training=True)  # updates the running statistics
    scores = net.scores(X)
    for row in range(len(X)):
        np.testing.assert_allclose(net.scores(X[row : row + 1])[0], scores[row], rtol=1e-12)
    np.testing.assert_allclose(net.scores(X[::-1]), scores[::-1], rtol=1e-12)


@pytest.mark.parametrize("fused", [True, False])
def test_many_rows_are_scored_in_pieces_and_none_gives_none(fused: bool) -> None:
    net = make(normalization="batchnorm")
    net.fused = fused
    X = np.random.default_rng(0).standard_normal((2 * ROWS_AT_ONCE + 1, 6))
    scores = net.scores(X)
    assert scores.shape == (2 * ROWS_AT_ONCE + 1, 3)
    for row in (0, ROWS_AT_ONCE - 1, ROWS_AT_ONCE, 2 * ROWS_AT_ONCE):
        np.testing.assert_allclose(scores[row], net.scores(X[row][None])[0], rtol=1e-12)
    assert net.scores(X[:0]).shape == (0, 3)
    assert net.predict(X[:0]).shape == (0,)


def test_inputs_of_any_real_dtype_are_taken_and_left_alone() -> None:
    net = make()
    X = np.random.default_rng(0).integers(0, 2, (4, 6))
    expected = net.scores(X.astype(np.float64))
    for kind in (np.uint8, np.int64, np.float32, bool):
        given = X.astype(kind)
        np.testing.assert_array_equal(net.scores(given), expected)
        np.testing.assert_array_equal(given, X)
    np.testing.assert_array_equal(net.scores(X.tolist()), expected)
    images = X.reshape(4, 3, 2, 1)
    np.testing.assert_array_equal(net.scores(images), expected)
    y = np.array([0, 1, 2, 0])
    assert net.loss(images, y, step=0, training=True)[0] == net.loss(X, y, step=0, training=True)[0]


@pytest.mark.parametrize(
    ("X", "text"),
    [
        (np.zeros((2, 5)), r"X must have shape \(N, 6\), or one that flattens to it, got \(2, 5\)\. Put one example"),
        (np.zeros(6), r"X must have shape \(N, 6\), .*, got \(6,\)"),
        (np.zeros((2, 3, 3)), r"X must have shape \(N, 6\), .*, got \(2, 3, 3\)"),
        (np.zeros((2, 6), complex), "X must be real numbers, got complex numbers. Give both parts: "),
        (np.full((2, 6), "a"), "X must be real numbers, got text such as 'a'. Give each word a column"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_in_both_modes(X: AnyArray, text: str) -> None:
    net = make()
    for call in (lambda: net.loss(X, np.zeros(2, int), training=True), lambda: net.loss(X), lambda: net.predict(X)):
        with pytest.raises(ArgumentError, match=text):
            call()
    assert net.step == 0
