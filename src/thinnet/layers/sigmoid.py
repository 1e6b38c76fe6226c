"""The logistic sigmoid: out = σ(x) = 1 / (1 + exp(−x))."""

from typing import NamedTuple

import numpy as np

from thinnet.arguments import known_arguments
from thinnet.checks import check_arrays, check_cache, check_gradient
from thinnet.typing import FloatArray


class SigmoidCache(NamedTuple):
    out: FloatArray  # (N, D)


def sigmoid(x: FloatArray) -> FloatArray:
    """σ(x), for an array of any shape."""
    small = np.exp(-np.abs(x))  # prevents overflow in exp
    out: FloatArray = np.where(x >= 0, 1, small) / (1 + small)
    return out


@known_arguments
def sigmoid_forward(x: FloatArray) -> tuple[FloatArray, SigmoidCache]:
    """out = σ(x) = 1 / (1 + exp(−x)), between 0 and 1.

    Args:
        x: (N, D) floats.

    Returns:
        out: (N, D), of the same dtype.
        cache: what `sigmoid_backward` needs.

    Raises:
        ArgumentError: if `x` is not a matrix of floats.

    Source: Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors" (1986).

    >>> out, cache = sigmoid_forward(np.array([[0.0, 100.0]]))
    >>> out
    array([[0.5, 1. ]])
    """
    check_arrays("sigmoid_forward", x=(x, "N D"))
    out = sigmoid(x)
    return out, SigmoidCache(out.copy())


@known_arguments
def sigmoid_backward(dout: FloatArray, cache: SigmoidCache) -> FloatArray:
    """The gradient with respect to x: dout · out · (1 − out).

    Args:
        dout: (N, D) gradient with respect to the output.
        cache: from `sigmoid_forward`.

    Returns:
        dx: (N, D).

    Raises:
        ArgumentError: if `dout` does not have the shape of x.

    >>> out, cache = sigmoid_forward(np.array([[0.0, 100.0]]))
    >>> sigmoid_backward(np.array([[8.0, 8.0]]), cache)
    array([[2., 0.]])
    """
    check_cache("sigmoid_backward", cache, SigmoidCache)
    check_gradient("sigmoid_backward", dout, cache.out.shape)
    dx: FloatArray = dout * (cache.out * (1 - cache.out))
    return dx
