"""Image layers compared with their definitions, element by element in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thinnet.layers import (
    conv_backward,
    conv_forward,
    max_pool_backward,
    max_pool_forward,
    spatial_batchnorm_backward,
    spatial_batchnorm_forward,
    spatial_groupnorm_backward,
    spatial_groupnorm_forward,
)
from thinnet.typing import FloatArray

SIZE = st.integers(1, 4)


def assert_close(got: FloatArray, wanted: FloatArray) -> None:
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-12 * max(1, np.abs(wanted).max(initial=0)))


@settings(max_examples=60)
@given(SIZE, SIZE, SIZE, st.tuples(SIZE, SIZE, st.integers(0, 4), st.integers(0, 4)), SIZE, st.integers(0, 2))
def test_convolution_is_its_sum_written_out(
    N: int, C: int, F: int, sizes: tuple[int, int, int, int], stride: int, padding: int
) -> None:
    K, L, more_rows, more_columns = sizes
    H, W = max(K - 2 * padding, 1) + more_rows, max(L - 2 * padding, 1) + more_columns
    rng = np.random.default_rng(0)
    x, w, b = rng.standard_normal((N, C, H, W)), rng.standard_normal((F, C, K, L)), rng.standard_normal(F)
    out, cache = conv_forward(x, w, b, stride=stride, padding=padding)
    P, Q = 1 + (H + 2 * padding - K) // stride, 1 + (W + 2 * padding - L) // stride
    dout = rng.standard_normal((N, F, P, Q))
    expected = np.zeros((N, F, P, Q)) + b.reshape(1, F, 1, 1)
    dx, dw, db = np.zeros(x.shape), np.zeros(w.shape), np.zeros(F)
    for n, f, p, q in np.ndindex(expected.shape):
        db[f] += dout[n, f, p, q]
        for c, k, m in np.ndindex(C, K, L):
            row, column = p * stride + k - padding, q * stride + m - padding
            if 0 <= row < H and 0 <= column < W:
                expected[n, f, p, q] += w[f, c, k, m] * x[n, c, row, column]
                dx[n, c, row, column] += w[f, c, k, m] * dout[n, f, p, q]
                dw[f, c, k, m] += x[n, c, row, column] * dout[n, f, p, q]
    for got, wanted in zip((out, *conv_backward(dout, cache)), (expected, dx, dw, db), strict=True):
        assert_close(got, wanted)


@settings(max_examples=60)
@given(SIZE, SIZE, st.tuples(SIZE, SIZE, st.integers(0, 5), st.integers(0, 5)), SIZE, st.booleans())
def test_the_first_maximum_of_each_window_has_its_gradient(
    N: int, C: int, sizes: tuple[int, int, int, int], stride: int, tied: bool
) -> None:
    K, L, H, W = sizes[0], sizes[1], sizes[0] + sizes[2], sizes[1] + sizes[3]
    rng = np.random.default_rng(0)
    x = rng.integers(3, size=(N, C, H, W)).astype(float) if tied else rng.standard_normal((N, C, H, W))
    out, cache = max_pool_forward(x, pool_height=K, pool_width=L, stride=stride)
    expected, dx = np.zeros((N, C, 1 + (H - K) // stride, 1 + (W - L) // stride)), np.zeros(x.shape)
    dout = rng.standard_normal(expected.shape)
    for n, c, p, q in np.ndindex(expected.shape):
        places = [(p * stride + k, q * stride + m) for k in range(K) for m in range(L)]
        values = [x[n, c, row, column] for row, column in places]
        expected[n, c, p, q] = max(values)
        dx[(n, c, *places[values.index(max(values))])] += dout[n, c, p, q]
    assert_close(out, expected)
    assert_close(max_pool_backward(dout, cache), dx)


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_each_group_of_channels_is_normalized_by_itself(groups: int) -> None:
    rng = np.random.default_rng(0)
    x, dout = rng.standard_normal((2, 3, 6, 4, 5))
    gamma, beta = rng.standard_normal((2, 6))
    out, cache = spatial_groupnorm_forward(x, gamma, beta, groups=groups)
    _, dgamma, dbeta = spatial_groupnorm_backward(dout, cache)
    for n, c in np.ndindex(3, 6):
        width = 6 // groups
        group = x[n, c // width * width : (c // width + 1) * width]
        x_hat = (x[n, c] - group.mean()) / np.sqrt(group.var() + 1e-5)
        assert_close(out[n, c], gamma[c] * x_hat + beta[c])
    plain = spatial_groupnorm_forward(x, np.ones(6), np.zeros(6), groups=groups)[0]
    assert_close(dgamma, (plain * dout).sum(axis=(0, 2, 3)))
    assert_close(dbeta, dout.sum(axis=(0, 2, 3)))


@pytest.mark.parametrize("training", [True, False])
def test_each_channel_is_normalized_over_all_its_pixels(training: bool) -> None:
    rng = np.random.default_rng(0)
    x, dout = rng.standard_normal((2, 3, 6, 4, 5))
    gamma, beta, mean = rng.standard_normal((3, 6))
    var = rng.uniform(1, 2, 6)
    old_mean, old_var = mean.copy(), var.copy()
    out, cache = spatial_batchnorm_forward(x, gamma, beta, mean, var, training=training, momentum=0.8)
    _, dgamma, dbeta = spatial_batchnorm_backward(dout, cache)
    for c in range(6):
        pixels = x[:, c]
        used = (pixels.mean(), pixels.var()) if training else (old_mean[c], old_var[c])
        x_hat = (pixels - used[0]) / np.sqrt(used[1] + 1e-5)
        assert_close(out[:, c], gamma[c] * x_hat + beta[c])
        assert_close(dgamma[c], (x_hat * dout[:, c]).sum())
        assert_close(dbeta[c], dout[:, c].sum())
    new = 0.2 if training else 0.0
    assert_close(mean, (1 - new) * old_mean + new * x.mean(axis=(0, 2, 3)))
    assert_close(var, (1 - new) * old_var + new * x.var(axis=(0, 2, 3)))
