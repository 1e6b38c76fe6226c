r"""Layer normalization of the rows of a matrix: out = γ · (x − mean) / √(variance + ε) + β."""

from typing import NamedTuple

import numpy as np

from thinnet.arguments import known_arguments
from thinnet.checks import check_arrays, check_cache, check_gradient, check_number
from thinnet.layers.batchnorm import EPS
from thinnet.typing import FloatArray


class LayernormCache(NamedTuple):
    x_hat: FloatArray  # (N, D), the normalized input
    inverse_std: FloatArray  # (N, 1), 1 / sqrt(variance + eps)
    gamma: FloatArray  # (D,)


@known_arguments
def layernorm_forward(
    x: FloatArray, gamma: FloatArray, beta: FloatArray, *, eps: float = EPS
) -> tuple[FloatArray, LayernormCache]:
    r"""Normalize each row over its columns, then scale by γ and shift by β; the same in training and test mode.

    Args:
        x: (N, D) floats.
        gamma, beta: (D,) scale and shift.  All three have the same float dtype.
        eps: added to the variance, > 0, in the units of x squared.

    Returns:
        out: (N, D), of the dtype of x.
        cache: what `layernorm_backward` needs.

    Raises:
        ArgumentError: if shapes or dtypes do not fit, or `eps` is outside its limits.

    Source: Ba, Kiros and Hinton, "Layer normalization", arXiv 1607.06450 (2016).

    >>> out, cache = layernorm_forward(np.array([[1.0, 3.0]]), np.ones(2), np.zeros(2))
    >>> out.round(3)
    array([[-1.,  1.]])
    """
    check_arrays("layernorm_forward", x=(x, "N D"), gamma=(gamma, "D"), beta=(beta, "D"))
    check_number("eps", eps)
    inverse_std = 1 / np.sqrt(x.var(axis=1, keepdims=True) + x.dtype.type(eps))
    x_hat = (x - x.mean(axis=1, keepdims=True)) * inverse_std
    return gamma * x_hat + beta, LayernormCache(x_hat, inverse_std, gamma)


@known_arguments
def layernorm_backward(dout: FloatArray, cache: LayernormCache) -> tuple[FloatArray, FloatArray, FloatArray]:
    r"""The gradients with respect to x, γ and β: those of batch normalization with rows and columns swapped.

    With g = γ · dout and means over each row, dx = (g − mean(g) − x̂ · mean(g · x̂)) / √(variance + ε).

    Args:
        dout: (N, D) gradient with respect to the output.
        cache: from `layernorm_forward`.

    Returns:
        dx (N, D), dgamma (D,), dbeta (D,).

    Raises:
        ArgumentError: if `dout` does not have the shape of x.

    >>> out, cache = layernorm_forward(np.array([[1.0, 3.0]]), np.ones(2), np.zeros(2))
    >>> dx, dgamma, dbeta = layernorm_backward(np.array([[2.0, 5.0]]), cache)
    >>> dbeta
    array([2., 5.])
    """
    check_cache("layernorm_backward", cache, LayernormCache)
    check_gradient("layernorm_backward", dout, cache.x_hat.shape)
    dx_hat = dout * cache.gamma
    through_mean = dx_hat.mean(axis=1, keepdims=True)
    through_var = (dx_hat * cache.x_hat).mean(axis=1, keepdims=True)
    dx = (dx_hat - through_mean - cache.x_hat * through_var) * cache.inverse_std
    return dx, (dout * cache.x_hat).sum(axis=0), dout.sum(axis=0)
