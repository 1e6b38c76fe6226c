"""Small float64 nets, and batches for them."""

from __future__ import annotations

from typing import Any

import numpy as np

from thinnet import FullyConnectedNet
from thinnet.layers import LOSSES
from thinnet.typing import AnyArray, FloatArray


def make(hidden: tuple[int, ...] = (7, 5), **options: Any) -> FullyConnectedNet:
    defaults = {"dtype": np.float64, "seed": 0}
    return FullyConnectedNet(hidden, input_dim=6, num_classes=3, **{**defaults, **options})


def draw(net: FullyConnectedNet, rows: int = 8, seed: int = 0) -> tuple[FloatArray, AnyArray]:
    """Inputs for a net, and targets for its loss."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((rows, net.input_dim))
    if LOSSES[net.loss_name].targets == "labels":
        return X, rng.integers(net.num_classes, size=rows)
    return X, rng.random((rows, net.num_classes))


def shaken(net: FullyConnectedNet) -> FullyConnectedNet:
    """The net with all parameters changed, so that biases, γ and β are neither 0 nor 1."""
    net.params.flat[:] += 0.1 * np.random.default_rng(1).standard_normal(net.params.flat.size)
    return net
