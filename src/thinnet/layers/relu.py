"""The rectifier: out = max(x, 0)."""

from typing import NamedTuple

import numpy as np

from thinnet.arguments import known_arguments
from thinnet.checks import check_arrays, check_cache, check_gradient
from thinnet.typing import BoolArray, FloatArray


class ReluCache(NamedTuple):
    positive: BoolArray  # (N, D), where x > 0


@known_arguments
def relu_forward(x: FloatArray) -> tuple[FloatArray, ReluCache]:
    """Set negative elements to zero: out = max(x, 0).  NaN stays NaN.

    Args:
        x: (N, D) floats.

    Returns:
        out: (N, D), of the same dtype.
        cache: what `relu_backward` needs.

    Raises:
        ArgumentError: if `x` is not a matrix of floats.

    Source: Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML 2010.

    >>> out, cache = relu_forward(np.array([[-1.0, 2.0]]))
    >>> out
    array([[0., 2.]])
    """
    check_arrays("relu_forward", x=(x, "N D"))
    return np.maximum(x, 0), ReluCache(x > 0)


@known_arguments
def relu_backward(dout: FloatArray, cache: ReluCache) -> FloatArray:
    """The gradient with respect to x: dout where x was positive, zero elsewhere (at x = 0 too).

    Args:
        dout: (N, D) gradient with respect to the output.
        cache: from `relu_forward`.

    Returns:
        dx: (N, D).

    Raises:
        ArgumentError: if `dout` does not have the shape of x.

    >>> out, cache = relu_forward(np.array([[-1.0, 2.0]]))
    >>> relu_backward(np.array([[5.0, 6.0]]), cache)
    array([[0., 6.]])
    """
    check_cache("relu_backward", cache, ReluCache)
    check_gradient("relu_backward", dout, cache.positive.shape)
    return np.where(cache.positive, dout, np.zeros((), dout.dtype))
