"""The courses' layers for images, (N, C, H, W): those of `thinnet.layers` with the courses' signatures and dicts.

The courses have a naive and a fast version of some layers; here both are the same function under two names.
"""

from typing import Any

import numpy as np

from thinnet import layers
from thinnet.course.layers import batchnorm_backward, batchnorm_forward, entry, floats, parts
from thinnet.layers.spatial_norm import images, pixels
from thinnet.typing import AnyArray, FloatArray

__all__ = [
    "conv_backward_naive", "conv_forward_naive", "max_pool_backward_naive", "max_pool_forward_naive",
    "spatial_batchnorm_backward", "spatial_batchnorm_forward", "spatial_groupnorm_backward",
    "spatial_groupnorm_forward",
]  # fmt: skip


def whole(value: Any) -> Any:
    """Convert floats with an integer value to int: Python 2 handouts halve sizes with ``/``."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def conv_forward_naive(x: AnyArray, w: AnyArray, b: AnyArray, conv_param: dict[str, Any]) -> tuple[FloatArray, Any]:
    """Convolution with ``conv_param["stride"]`` and ``["pad"]``; the cache is (x, w, b, conv_param)."""
    stride, padding = (whole(entry("conv_param", conv_param, key)) for key in ("stride", "pad"))
    return layers.conv_forward(*floats(x, w, b), stride=stride, padding=padding)[0], (x, w, b, conv_param)


def conv_backward_naive(dout: AnyArray, cache: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The gradients dx, dw and db."""
    x, w, _, conv_param = parts("conv_backward_naive", cache, "x, w, b, conv_param")
    x, w, dout = floats(x, w, dout)
    stride, padding = whole(conv_param["stride"]), whole(conv_param["pad"])
    return layers.conv_backward(dout, layers.conv.ConvCache(layers.conv.pad(x, padding), w, stride, padding))


def max_pool_forward_naive(x: AnyArray, pool_param: dict[str, Any]) -> tuple[FloatArray, Any]:
    """Max pooling with ``pool_param["pool_height"]``, ``["pool_width"]`` and ``["stride"]``."""
    options = {key: whole(entry("pool_param", pool_param, key)) for key in ("pool_height", "pool_width", "stride")}
    return layers.max_pool_forward(*floats(x), **options)


def max_pool_backward_naive(dout: AnyArray, cache: Any) -> FloatArray:
    """The gradient dx; among equal maxima in a window, the first gets it."""
    return layers.max_pool_backward(floats(dout)[0], cache)


def spatial_batchnorm_forward(
    x: AnyArray, gamma: AnyArray, beta: AnyArray, bn_param: dict[str, Any]
) -> tuple[FloatArray, Any]:
    """Batch normalization of each channel; `bn_param` as for `batchnorm_forward`."""
    out, cache = batchnorm_forward(pixels(np.asarray(x)), gamma, beta, bn_param)
    return images(out, np.shape(x)), cache


def spatial_batchnorm_backward(dout: AnyArray, cache: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The gradients dx, dgamma and dbeta."""
    dx, dgamma, dbeta = batchnorm_backward(pixels(np.asarray(dout)), cache)
    return images(dx, np.shape(dout)), dgamma, dbeta


def spatial_groupnorm_forward(
    x: AnyArray, gamma: AnyArray, beta: AnyArray, G: int, gn_param: dict[str, Any]
) -> tuple[FloatArray, Any]:
    """Normalization over each of G groups of channels; gamma and beta have shape (C,) or (1, C, 1, 1)."""
    x, scale, shift = floats(x, np.ravel(gamma), np.ravel(beta))
    out, cache = layers.spatial_groupnorm_forward(x, scale, shift, groups=G, eps=gn_param.get("eps", 1e-5))
    return out, (cache, np.shape(gamma), np.shape(beta))


def spatial_groupnorm_backward(dout: AnyArray, cache: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The gradients dx, and dgamma and dbeta in the shapes of gamma and beta."""
    own, of_gamma, of_beta = parts("spatial_groupnorm_backward", cache, "cache, shapes of gamma, of beta", tuple)
    dx, dgamma, dbeta = layers.spatial_groupnorm_backward(floats(dout)[0], own)
    return dx, dgamma.reshape(of_gamma), dbeta.reshape(of_beta)
