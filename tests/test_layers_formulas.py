"""Layers compared with their definitions, element by element in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layer_draws import backward, draw, forward
from thinnet.layers import LAYERS
from thinnet.typing import FloatArray


def affine_reference(x: FloatArray, w: FloatArray, b: FloatArray, dout: FloatArray) -> list[FloatArray]:
    (N, D), M = x.shape, w.shape[1]
    out, dx, dw, db = np.zeros((N, M)), np.zeros((N, D)), np.zeros((D, M)), np.zeros(M)
    for n in range(N):
        for m in range(M):
            out[n, m] = sum(x[n, d] * w[d, m] for d in range(D)) + b[m]
            db[m] += dout[n, m]
            for d in range(D):
                dx[n, d] += dout[n, m] * w[d, m]
                dw[d, m] += x[n, d] * dout[n, m]
    return [out, dx, dw, db]


def relu_reference(x: FloatArray, dout: FloatArray) -> list[FloatArray]:
    out, dx = np.zeros(x.shape), np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        if x[index] > 0:
            out[index], dx[index] = x[index], dout[index]
    return [out, dx]


def layernorm_reference(x: FloatArray, gamma: FloatArray, beta: FloatArray, dout: FloatArray) -> list[FloatArray]:
    """Through the whole Jacobian of each row: ∂x̂ⱼ/∂xᵢ = (δᵢⱼ − 1/D − x̂ᵢ·x̂ⱼ/D) / √(variance + ε)."""
    N, D = x.shape
    out, dx, dgamma, dbeta = np.zeros((N, D)), np.zeros((N, D)), np.zeros(D), np.zeros(D)
    for n in range(N):
        mean = sum(x[n]) / D
        std = np.sqrt(sum((value - mean) ** 2 for value in x[n]) / D + 1e-5)
        x_hat = (x[n] - mean) / std
        jacobian = (np.eye(D) - 1 / D - np.outer(x_hat, x_hat) / D) / std
        out[n] = gamma * x_hat + beta
        dx[n] = np.einsum("i,ij->j", dout[n] * gamma, jacobian)
        dgamma += dout[n] * x_hat
        dbeta += dout[n]
    return [out, dx, dgamma, dbeta]


def batchnorm_reference(x: FloatArray, gamma: FloatArray, beta: FloatArray, dout: FloatArray) -> list[FloatArray]:
    """For each column, what layer normalization does to a row with unit gain."""
    out, dx = np.zeros(x.shape), np.zeros(x.shape)
    dgamma, dbeta = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    ones, zeros = np.ones(len(x)), np.zeros(len(x))
    for d in range(x.shape[1]):
        x_hat, dx_hat, _, _ = layernorm_reference(x[:, d][None], ones, zeros, gamma[d] * dout[:, d][None])
        out[:, d], dx[:, d] = gamma[d] * x_hat[0] + beta[d], dx_hat[0]
        dgamma[d], dbeta[d] = sum(dout[:, d] * x_hat[0]), sum(dout[:, d])
    return [out, dx, dgamma, dbeta]


REFERENCES: dict[str, Callable[..., list[FloatArray]]] = {
    "affine": affine_reference,
    "relu": relu_reference,
    "layernorm": layernorm_reference,
    "batchnorm": batchnorm_reference,
}
SIZES = st.integers(1, 9)


@pytest.mark.parametrize("name", REFERENCES)
@settings(max_examples=60)
@given(
    N=SIZES,
    D=SIZES,
    M=SIZES,
    seed=st.integers(0, 2**32),
    offset=st.sampled_from([0.0, 1.0, -30.0]),
    spread=st.sampled_from([0.0, 0.01, 1.0, 50.0]),
)
def test_layers_do_what_their_formulas_say(
    name: str, N: int, D: int, M: int, seed: int, offset: float, spread: float
) -> None:
    layer = LAYERS[name]
    inputs, buffers, dout = draw(layer, (N, D, M, 1.0), seed=seed)
    first = next(iter(inputs))
    inputs[first] = inputs[first] * spread + offset
    expected = REFERENCES[name](*inputs.values(), dout)
    out, cache = forward(layer, inputs, buffers, {})
    # with 1e-5 under the root, rounding errors of x may be divided by as little as 0.003
    for got, wanted in zip([out, *backward(layer, dout, cache).values()], expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-8 * (1 + np.abs(wanted).max()))


@settings(max_examples=60)
@given(N=SIZES, D=SIZES, seed=st.integers(0, 2**32), momentum=st.floats(0, 0.999), training=st.booleans())
def test_batchnorm_keeps_and_uses_running_statistics(
    N: int, D: int, seed: int, momentum: float, training: bool
) -> None:
    inputs, buffers, dout = draw(LAYERS["batchnorm"], (N, D, 1, 1.0), seed=seed)
    x, gamma, beta = inputs.values()
    N = len(x)
    mean, var = (b.copy() for b in buffers.values())
    out, cache = LAYERS["batchnorm"].forward(x, gamma, beta, mean, var, training=training, momentum=momentum)
    if training:
        for d in range(D):
            average = sum(x[:, d]) / N
            variance = sum((value - average) ** 2 for value in x[:, d]) / N
            assert mean[d] == pytest.approx(momentum * buffers["running_mean"][d] + (1 - momentum) * average, abs=1e-13)
            assert var[d] == pytest.approx(momentum * buffers["running_var"][d] + (1 - momentum) * variance, abs=1e-13)
        return
    std = np.sqrt(buffers["running_var"] + 1e-5)
    np.testing.assert_allclose(out, gamma * (x - buffers["running_mean"]) / std + beta, rtol=1e-12, atol=1e-12)
    dx, dgamma, dbeta = LAYERS["batchnorm"].backward(dout, cache)
    np.testing.assert_allclose(dx, dout * gamma / std, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(dgamma, (dout * (x - buffers["running_mean"]) / std).sum(axis=0), rtol=0, atol=1e-12)
    np.testing.assert_allclose(dbeta, dout.sum(axis=0), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["batchnorm", "layernorm"])
def test_eps_is_added_to_the_variance(name: str) -> None:
    """Values of ±1 have variance 1, so they become ±1 / √(1 + eps)."""
    layer = LAYERS[name]
    x = np.array([[1.0, -1.0], [-1.0, 1.0]])
    _, buffers, _ = draw(layer, (2, 2, 2, 1.0))
    out, _ = layer.forward(x, np.ones(2), np.zeros(2), *buffers.values(), eps=3.0)
    np.testing.assert_allclose(out, x / 2, rtol=1e-15)


def test_relu_lets_nan_through_and_has_slope_zero_at_zero() -> None:
    out, cache = LAYERS["relu"].forward(np.array([[np.nan, 0.0, -0.0, np.inf, -np.inf]]))
    np.testing.assert_array_equal(out, [[np.nan, 0, 0, np.inf, 0]])
    np.testing.assert_array_equal(LAYERS["relu"].backward(np.ones((1, 5)), cache), [[0, 0, 0, 1, 0]])
