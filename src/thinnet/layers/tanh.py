"""The hyperbolic tangent: out = tanh(x)."""

from typing import NamedTuple

import numpy as np

from thinnet.arguments import known_arguments
from thinnet.checks import check_arrays, check_cache, check_gradient
from thinnet.typing import FloatArray


class TanhCache(NamedTuple):
    out: FloatArray  # (N, D)


@known_arguments
def tanh_forward(x: FloatArray) -> tuple[FloatArray, TanhCache]:
    """out = tanh(x), between −1 and 1.

    Args:
        x: (N, D) floats.

    Returns:
        out: (N, D), of the same dtype.
        cache: what `tanh_backward` needs.

    Raises:
        ArgumentError: if `x` is not a matrix of floats.

    Source: LeCun, Bottou, Orr and Müller, "Efficient BackProp" (1998).

    >>> out, cache = tanh_forward(np.array([[0.0, 100.0]]))
    >>> out
    array([[0., 1.]])
    """
    check_arrays("tanh_forward", x=(x, "N D"))
    out = np.tanh(x)
    return out, TanhCache(out.copy())


@known_arguments
def tanh_backward(dout: FloatArray, cache: TanhCache) -> FloatArray:
    """The gradient with respect to x: dout · (1 − out²).

    Args:
        dout: (N, D) gradient with respect to the output.
        cache: from `tanh_forward`.

    Returns:
        dx: (N, D).

    Raises:
        ArgumentError: if `dout` does not have the shape of x.

    >>> out, cache = tanh_forward(np.array([[0.0, 100.0]]))
    >>> tanh_backward(np.array([[5.0, 6.0]]), cache)
    array([[5., 0.]])
    """
    check_cache("tanh_backward", cache, TanhCache)
    check_gradient("tanh_backward", dout, cache.out.shape)
    dx: FloatArray = dout * (1 - cache.out * cache.out)
    return dx
