"""The sigmoid linear unit, also called swish: out = x · σ(x)."""

from typing import NamedTuple

from thinnet.arguments import known_arguments
from thinnet.checks import check_arrays, check_cache, check_gradient
from thinnet.layers.sigmoid import sigmoid
from thinnet.typing import FloatArray


class SiluCache(NamedTuple):
    x: FloatArray  # (N, D)
    sigmoid: FloatArray  # (N, D), σ(x) = 1 / (1 + exp(−x))


@known_arguments
def silu_forward(x: FloatArray) -> tuple[FloatArray, SiluCache]:
    """out = x · σ(x), with σ(x) = 1 / (1 + exp(−x)).

    Args:
        x: (N, D) floats.

    Returns:
        out: (N, D), of the same dtype.
        cache: what `silu_backward` needs.

    Raises:
        ArgumentError: if `x` is not a matrix of floats.

    Source: Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units", arXiv 1702.03118 (2017).

    >>> import numpy as np
    >>> out, cache = silu_forward(np.array([[0.0, 100.0]]))
    >>> out
    array([[  0., 100.]])
    """
    check_arrays("silu_forward", x=(x, "N D"))
    factor = sigmoid(x)
    return x * factor, SiluCache(x.copy(), factor)


@known_arguments
def silu_backward(dout: FloatArray, cache: SiluCache) -> FloatArray:
    """The gradient with respect to x: dout · σ(x) · (1 + x · (1 − σ(x))).

    Args:
        dout: (N, D) gradient with respect to the output.
        cache: from `silu_forward`.

    Returns:
        dx: (N, D).

    Raises:
        ArgumentError: if `dout` does not have the shape of x.

    >>> import numpy as np
    >>> out, cache = silu_forward(np.array([[0.0, 100.0]]))
    >>> silu_backward(np.array([[6.0, 6.0]]), cache)
    array([[3., 6.]])
    """
    check_cache("silu_backward", cache, SiluCache)
    check_gradient("silu_backward", dout, cache.x.shape)
    dx: FloatArray = dout * (cache.sigmoid * (1 + cache.x * (1 - cache.sigmoid)))
    return dx
