"""The Gaussian error linear unit: out = x · Φ(x)."""

import math
from typing import NamedTuple

import numpy as np

from thinnet.arguments import known_arguments
from thinnet.checks import check_arrays, check_cache, check_gradient
from thinnet.typing import FloatArray


class GeluCache(NamedTuple):
    x: FloatArray  # (N, D)
    phi: FloatArray  # (N, D), Φ(x): the probability that a standard normal variable is below x


_erf = np.vectorize(math.erf, otypes=[np.float64])  # NumPy has no erf


@known_arguments
def gelu_forward(x: FloatArray) -> tuple[FloatArray, GeluCache]:
    """out = x · Φ(x), with the normal distribution function Φ(x) = (1 + erf(x / √2)) / 2.

    Args:
        x: (N, D) floats.

    Returns:
        out: (N, D), of the same dtype.
        cache: what `gelu_backward` needs.

    Raises:
        ArgumentError: if `x` is not a matrix of floats.

    Source: Hendrycks and Gimpel, "Gaussian error linear units", arXiv 1606.08415 (2016).

    >>> out, cache = gelu_forward(np.array([[0.0, 1.0, 100.0]]))
    >>> out.round(4)
    array([[  0.    ,   0.8413, 100.    ]])
    """
    check_arrays("gelu_forward", x=(x, "N D"))
    phi = (0.5 * (1 + _erf(x / math.sqrt(2)))).astype(x.dtype) if x.size else x.copy()
    return x * phi, GeluCache(x.copy(), phi)


@known_arguments
def gelu_backward(dout: FloatArray, cache: GeluCache) -> FloatArray:
    """The gradient with respect to x: dout · (Φ(x) + x · exp(−x² / 2) / √(2π)).

    Args:
        dout: (N, D) gradient with respect to the output.
        cache: from `gelu_forward`.

    Returns:
        dx: (N, D).

    Raises:
        ArgumentError: if `dout` does not have the shape of x.

    >>> out, cache = gelu_forward(np.array([[0.0, 100.0]]))
    >>> gelu_backward(np.array([[6.0, 6.0]]), cache)
    array([[3., 6.]])
    """
    check_cache("gelu_backward", cache, GeluCache)
    check_gradient("gelu_backward", dout, cache.x.shape)
    density = np.exp(-0.5 * cache.x * cache.x) / math.sqrt(2 * math.pi)
    dx: FloatArray = dout * (cache.phi + cache.x * density)
    return dx
