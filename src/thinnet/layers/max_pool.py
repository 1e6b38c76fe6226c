"""Max pooling: out is the largest value of each window."""

from typing import NamedTuple

import numpy as np

from thinnet.arguments import known_arguments
from thinnet.checks import check_arrays, check_cache, check_gradient, check_number
from thinnet.layers.conv import check_window, from_windows, windows
from thinnet.typing import BoolArray, FloatArray


class MaxPoolCache(NamedTuple):
    first: BoolArray  # (K, L, N, C, P, Q), True at the maximum of each window; at the first if several are equal
    shape: tuple[int, ...]  # of x, (N, C, H, W)
    stride: int


@known_arguments
def max_pool_forward(
    x: FloatArray, *, pool_height: int = 2, pool_width: int = 2, stride: int = 2
) -> tuple[FloatArray, MaxPoolCache]:
    """Take the largest value of each window.

        out[n, c, p, q] = max over k, l of x[n, c, p · stride + k, q · stride + l]

    Args:
        x: (N, C, H, W) images of floats.
        pool_height, pool_width: the size K x L of the windows, each >= 1.
        stride: the step from one window to the next, >= 1; windows overlap if it is less than the size.

    Returns:
        out: (N, C, P, Q) with P = 1 + (H - pool_height) // stride and Q likewise, of the same dtype.
        cache: what `max_pool_backward` needs.

    Raises:
        ArgumentError: if `x` is not such an array, a number is outside its limits, or a window is larger than the
            images.

    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", arXiv 1603.07285 (2016).

    >>> out, cache = max_pool_forward(np.array([[[[1.0, 5.0, 2.0, 2.0], [3.0, 4.0, 0.0, 2.0]]]]))
    >>> out
    array([[[[5., 2.]]]])
    """
    check_arrays("max_pool_forward", x=(x, "N C H W"))
    for name, value in (("pool_height", pool_height), ("pool_width", pool_width), ("stride", stride)):
        check_number(name, value)
    size = (pool_height, pool_width)
    check_window("max_pool_forward: the window", size, x)
    seen = windows(x, size, stride).transpose(4, 5, 0, 1, 2, 3)
    places = seen.reshape(pool_height * pool_width, *seen.shape[2:])  # (K · L, N, C, P, Q)
    out = places.max(axis=0)
    first = places == out
    first[1:] &= ~np.logical_or.accumulate(first[:-1], axis=0)
    return out, MaxPoolCache(first.reshape(seen.shape), x.shape, stride)


@known_arguments
def max_pool_backward(dout: FloatArray, cache: MaxPoolCache) -> FloatArray:
    """The gradient with respect to x: dout at the maximum of each window, or at the first one if several are equal.

    Args:
        dout: (N, C, P, Q) gradient with respect to the output.
        cache: from `max_pool_forward`.

    Returns:
        dx: (N, C, H, W).

    Raises:
        ArgumentError: if `dout` does not have the shape of the output.

    >>> out, cache = max_pool_forward(np.array([[[[1.0, 5.0, 2.0, 2.0], [3.0, 4.0, 0.0, 2.0]]]]))
    >>> max_pool_backward(np.array([[[[10.0, 20.0]]]]), cache)
    array([[[[ 0., 10., 20.,  0.],
             [ 0.,  0.,  0.,  0.]]]])
    """
    check_cache("max_pool_backward", cache, MaxPoolCache)
    check_gradient("max_pool_backward", dout, cache.first.shape[2:])
    dwindows = np.where(cache.first, dout, np.zeros((), dout.dtype))
    return from_windows(dwindows.transpose(2, 3, 4, 5, 0, 1), cache.shape, cache.stride)
