r"""The affine layer: out = x · w + b."""

from typing import NamedTuple

from thinnet.arguments import known_arguments
from thinnet.checks import check_arrays, check_cache
from thinnet.typing import FloatArray


class AffineCache(NamedTuple):
    x: FloatArray  # (N, D)
    w: FloatArray  # (D, M)


@known_arguments
def affine_forward(x: FloatArray, w: FloatArray, b: FloatArray) -> tuple[FloatArray, AffineCache]:
    r"""Multiply each row by a matrix and add a bias: out = x · w + b.

    Args:
        x: (N, D) inputs, one example per row.
        w: (D, M) weights.
        b: (M,) biases.  All three have the same float dtype.

    Returns:
        out: (N, M), of the same dtype.
        cache: what `affine_backward` needs.

    Raises:
        ArgumentError: if shapes or dtypes do not fit together.

    >>> import numpy as np
    >>> out, cache = affine_forward(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]), np.array([5.0]))
    >>> out
    array([[16.]])
    """
    check_arrays("affine_forward", x=(x, "N D"), w=(w, "D M"), b=(b, "M"))
    return x @ w + b, AffineCache(x, w)


@known_arguments
def affine_backward(dout: FloatArray, cache: AffineCache) -> tuple[FloatArray, FloatArray, FloatArray]:
    r"""The gradients of a loss with respect to x, w and b: dx = dout · wᵀ, dw = xᵀ · dout, db = Σₙ dout.

    Args:
        dout: (N, M) gradient with respect to the output.
        cache: from `affine_forward`.

    Returns:
        dx (N, D), dw (D, M), db (M,).

    Raises:
        ArgumentError: if `dout` does not have the shape and dtype of the output.

    >>> import numpy as np
    >>> out, cache = affine_forward(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]), np.array([5.0]))
    >>> affine_backward(np.array([[10.0]]), cache)
    (array([[30., 40.]]), array([[10.], [20.]]), array([10.]))
    """
    check_cache("affine_backward", cache, AffineCache)
    check_arrays("affine_backward", x=(cache.x, "N D"), w=(cache.w, "D M"), dout=(dout, "N M"))
    return dout @ cache.w.T, cache.x.T @ dout, dout.sum(axis=0)
