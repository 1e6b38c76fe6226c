"""Nets of random shapes and options, compared with the reference."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from net_reference import reference
from thinnet import FullyConnectedNet


def make_net(
    dims: list[int],
    dtype: str,
    dropout: float,
    normalization: Any,
    mask: Any,
    loss: str,
    scaling: Any,
    reg: float,
    seed: int,
) -> FullyConnectedNet:
    if normalization == "layernorm":
        mask = "element"
    if loss in ("softmax", "svm"):
        dims = [*dims[:-1], max(2, dims[-1])]  # of one class there is nothing to learn
    return FullyConnectedNet(
        dims[1:-1], dims[0], dims[-1], dropout=dropout, normalization=normalization, reg=reg, weight_scale="he",
        dtype=dtype, seed=seed, loss=loss, scaling=scaling, dropout_mask=mask,
    )  # fmt: skip


NETS = st.builds(
    make_net,
    st.lists(st.integers(1, 70), min_size=2, max_size=5),
    st.sampled_from(("float32", "float64")),
    st.sampled_from((0.0, 0.1, 0.5, 0.9)),
    st.sampled_from((None, "batchnorm", "layernorm")),
    st.sampled_from(("element", "batch")),
    st.sampled_from(("softmax", "svm", "mse", "logistic", "poisson")),
    st.sampled_from(("inverted", "classic", "unscaled")),
    st.sampled_from((0.0, 0.1)),
    st.integers(0, 2**64 - 1),
)


def check_net(net: FullyConnectedNet, rows: int, step: int, fused: bool) -> None:
    """Loss, gradients and running statistics must be those of the reference, up to rounding."""
    rng = np.random.default_rng(net.seed)
    X = rng.standard_normal((rows, net.input_dim)).astype(net.dtype)
    y: Any = rng.integers(net.num_classes, size=rows)
    if net.loss_name in ("mse", "logistic", "poisson"):
        y = rng.random((rows, net.num_classes)).astype(net.dtype)
    for name, array in net.params.items():
        if not name.startswith("W"):
            array[...] += 0.3 * rng.standard_normal(array.shape)
    net.fused = fused
    expected_loss, expected, expected_running = reference(net, X, y, step)
    loss, gradients = net.loss(X, y, step=step, training=True)
    close = 1e-9 if net.dtype == np.float64 else 1e-4
    assert math.isclose(loss, expected_loss, rel_tol=close, abs_tol=close)
    largest = max(float(np.abs(g).max()) for g in expected.values())
    for name, gradient in gradients.items():
        assert gradient.shape == net.params[name].shape
        assert np.abs(gradient - expected[name]).max() <= 30 * close * max(largest, 1e-2), name
    for name, array in net.running.items():
        np.testing.assert_allclose(array, expected_running[name], rtol=close, atol=close, err_msg=name)
