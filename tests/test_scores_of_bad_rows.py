"""Rows that are not finite are detected in the first matrix product, and finite ones are not affected."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from thinnet import ArgumentError, FullyConnectedNet

KINDS = [
    ([6, 4], {}),
    ([6, 4], {"normalization": "batchnorm", "dropout": 0.5}),
    ([6], {"normalization": "layernorm", "activation": "tanh"}),
    ([], {}),
]


def positive_net(hidden_dims: list[int], fused: bool, **options: Any) -> FullyConnectedNet:
    """A net with positive weights, whose ReLUs turn minus infinity into 0."""
    net = FullyConnectedNet(hidden_dims, 3, 2, seed=0, **options)
    net.fused = fused
    for name in [name for name in net.params if name.startswith("W")]:
        net.params[name] = np.abs(net.params[name]) + 0.1
    return net


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("hidden_dims", "options"), KINDS)
def test_activations_hide_no_infinity(hidden_dims: list[int], options: Any, bad: float, fused: bool) -> None:
    net = positive_net(hidden_dims, fused, **options)
    X = np.ones((5, 3))
    X[3, 1] = bad
    with pytest.raises(ArgumentError, match=f"^X must hold numbers that are finite in float32, got {bad} in row 3, co"):
        net.predict(X)


@pytest.mark.parametrize("fused", [False, True])
def test_finite_rows_keep_their_scores_where_products_overflow(fused: bool) -> None:
    net = positive_net([6], fused)
    X = np.ones((4, 3), np.float32)
    expected = net.scores(X)
    X[2] = -3e38
    scores = net.scores(X)
    np.testing.assert_allclose(scores[[0, 1, 3]], expected[[0, 1, 3]], rtol=1e-6)
    assert np.array_equal(scores[2], np.zeros(2))  # ReLU of minus infinity, and zero biases
