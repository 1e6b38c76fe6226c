"""The masks of a net are determined by its seed, its step and the layer."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from small_nets import draw, make
from thinnet import FullyConnectedNet
from thinnet.masks import keep_mask
from thinnet.typing import AnyArray


def dropped(net: FullyConnectedNet, X: AnyArray, layer: int, **options: Any) -> AnyArray:
    """Which units of a hidden layer were dropped for each row, found with a net whose units are all active.

    For a single row, unit j of a layer was dropped if and only if row j of the next weights has a zero gradient.
    """
    patterns = []
    for row in range(len(X)):
        _, grads = net.copy().loss(X[row : row + 1], np.zeros((1, net.num_classes)), **options, training=True)
        patterns.append((grads[f"W{layer + 1}"] == 0).all(axis=1))
    return np.array(patterns)


def test_masks_are_those_of_seed_step_and_layer() -> None:
    net = make((40, 30), dropout=0.5, loss="mse", seed=12)
    net.params.flat[:] = np.abs(net.params.flat) + 0.01  # all units are positive, so that zeros come only from dropout
    for step, (layer, width) in itertools.product((0, 1, 7), ((1, 40), (2, 30))):
        expected = ~keep_mask(0.5, (1, width), seed=12, step=step, layer=layer - 1)
        np.testing.assert_array_equal(dropped(net, np.ones((1, 6)), layer, step=step), expected)


def test_masks_differ_between_calls_and_repeat_with_the_step() -> None:
    net = make(dropout=0.5, hidden=(50,))
    X, y = draw(net)
    losses = [net.loss(X, y, training=True)[0] for _ in range(5)]
    assert len(set(losses)) == 5
    assert net.step == 5
    assert [net.loss(X, y, step=step, training=True)[0] for step in range(5)] == losses
    assert net.step == 5
