"""No activation: out = x, for linear layers."""

from typing import NamedTuple

from thinnet.arguments import known_arguments
from thinnet.checks import check_arrays, check_cache, check_gradient
from thinnet.typing import FloatArray


class IdentityCache(NamedTuple):
    shape: tuple[int, ...]  # (N, D)


@known_arguments
def identity_forward(x: FloatArray) -> tuple[FloatArray, IdentityCache]:
    """out = x.

    Args:
        x: (N, D) floats.

    Returns:
        out: (N, D), a copy.
        cache: what `identity_backward` needs.

    Raises:
        ArgumentError: if `x` is not a matrix of floats.

    Source: none needed; scikit-learn's ``MLPClassifier`` uses this name.

    >>> import numpy as np
    >>> out, cache = identity_forward(np.array([[-1.0, 2.0]]))
    >>> out
    array([[-1.,  2.]])
    """
    check_arrays("identity_forward", x=(x, "N D"))
    return x.copy(), IdentityCache(x.shape)


@known_arguments
def identity_backward(dout: FloatArray, cache: IdentityCache) -> FloatArray:
    """The gradient with respect to x: dout.

    Args:
        dout: (N, D) gradient with respect to the output.
        cache: from `identity_forward`.

    Returns:
        dx: (N, D), a copy.

    Raises:
        ArgumentError: if `dout` does not have the shape of x.

    >>> import numpy as np
    >>> identity_backward(np.array([[5.0, 6.0]]), identity_forward(np.ones((1, 2)))[1])
    array([[5., 6.]])
    """
    check_cache("identity_backward", cache, IdentityCache)
    check_gradient("identity_backward", dout, cache.shape)
    return dout.copy()
