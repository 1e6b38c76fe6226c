r"""Batch and group normalization of images: out = γ · (x − mean) / √(variance + ε) + β, with one γ and β per channel.

Both apply the normalizations of matrices to other rows: batch normalization treats each pixel as a row of channels,
group normalization each group of an image's channels as one row.
"""

from typing import NamedTuple

import numpy as np

from thinnet.arguments import known_arguments
from thinnet.checks import check_arrays, check_cache, check_gradient, check_number
from thinnet.errors import ArgumentError
from thinnet.layers import batchnorm, layernorm
from thinnet.layers.batchnorm import EPS, MOMENTUM, BatchnormCache
from thinnet.layers.layernorm import LayernormCache
from thinnet.typing import FloatArray


class SpatialBatchnormCache(NamedTuple):
    rows: BatchnormCache  # of the (N · H · W, C) pixels
    shape: tuple[int, ...]  # of x, (N, C, H, W)


class SpatialGroupnormCache(NamedTuple):
    rows: LayernormCache  # of the (N · groups, C · H · W / groups) groups, with γ = 1
    gamma: FloatArray  # (C,)
    shape: tuple[int, ...]  # of x, (N, C, H, W)


@known_arguments
def spatial_batchnorm_forward(
    x: FloatArray,
    gamma: FloatArray,
    beta: FloatArray,
    running_mean: FloatArray,
    running_var: FloatArray,
    *,
    training: bool = True,
    momentum: float = MOMENTUM,
    eps: float = EPS,
) -> tuple[FloatArray, SpatialBatchnormCache]:
    r"""Normalize each channel over examples, rows and columns, then scale by γ and shift by β.

    In training the running statistics are **updated in place**; see `batchnorm_forward`.

    Args:
        x: (N, C, H, W) images of floats.
        gamma, beta: (C,) scale and shift.
        running_mean, running_var: (C,) statistics for test mode; updated in training.  All five have one float dtype.
        training: whether to use the batch's statistics.
        momentum: the weight of the old running statistic, 0 <= momentum < 1.
        eps: added to the variance, > 0, in the units of x squared.

    Returns:
        out: (N, C, H, W), of the dtype of x.
        cache: what `spatial_batchnorm_backward` needs.

    Raises:
        ArgumentError: if shapes or dtypes do not fit, a number is outside its limits, or a training batch has fewer
            than two pixels.

    Source: Ioffe and Szegedy, "Batch normalization", arXiv 1502.03167 (2015), section 3.2.

    >>> mean, var = np.zeros(1), np.ones(1)
    >>> out, _ = spatial_batchnorm_forward(np.array([[[[1.0, 3.0]]]]), np.ones(1), np.zeros(1), mean, var)
    >>> out.round(3)
    array([[[[-1.,  1.]]]])
    """
    running = {"running_mean": (running_mean, "C"), "running_var": (running_var, "C")}
    check_arrays("spatial_batchnorm_forward", x=(x, "N C H W"), gamma=(gamma, "C"), beta=(beta, "C"), **running)
    if training:
        batchnorm.check_batch("spatial_batchnorm_forward: x", x.size // max(len(gamma), 1))
    out, rows = batchnorm.batchnorm_forward(
        pixels(x), gamma, beta, running_mean, running_var, training=training, momentum=momentum, eps=eps
    )
    return images(out, x.shape), SpatialBatchnormCache(rows, x.shape)


@known_arguments
def spatial_batchnorm_backward(
    dout: FloatArray, cache: SpatialBatchnormCache
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The gradients with respect to x, γ and β: those of `batchnorm_backward`, with the pixels as rows.

    Args:
        dout: (N, C, H, W) gradient with respect to the output.
        cache: from `spatial_batchnorm_forward`.

    Returns:
        dx (N, C, H, W), dgamma (C,), dbeta (C,).

    Raises:
        ArgumentError: if `dout` does not have the shape of x.

    >>> x = np.array([[[[1.0, 3.0]]]])
    >>> _, cache = spatial_batchnorm_forward(x, np.ones(1), np.zeros(1), np.zeros(1), np.ones(1))
    >>> spatial_batchnorm_backward(np.array([[[[2.0, 5.0]]]]), cache)[2]
    array([7.])
    """
    check_cache("spatial_batchnorm_backward", cache, SpatialBatchnormCache)
    check_gradient("spatial_batchnorm_backward", dout, cache.shape)
    dx, dgamma, dbeta = batchnorm.batchnorm_backward(pixels(dout), cache.rows)
    return images(dx, cache.shape), dgamma, dbeta


@known_arguments
def spatial_groupnorm_forward(
    x: FloatArray, gamma: FloatArray, beta: FloatArray, *, groups: int, eps: float = EPS
) -> tuple[FloatArray, SpatialGroupnormCache]:
    r"""Normalize each group of neighboring channels of each image, then scale by γ and shift by β.

    It is the same in training and test mode.  One group is layer normalization of the whole image; as many groups as
    channels is instance normalization.

    Args:
        x: (N, C, H, W) images of floats.
        gamma, beta: (C,) scale and shift.  All three have the same float dtype.
        groups: how many groups, a divisor of C.
        eps: added to the variance, > 0, in the units of x squared.

    Returns:
        out: (N, C, H, W), of the dtype of x.
        cache: what `spatial_groupnorm_backward` needs.

    Raises:
        ArgumentError: if shapes or dtypes do not fit, `groups` does not divide C, or `eps` is outside its limits.

    Source: Wu and He, "Group normalization", arXiv 1803.08494 (2018).

    >>> x = np.array([1.0, 3.0, 10.0, 30.0]).reshape(1, 4, 1, 1)
    >>> out, _ = spatial_groupnorm_forward(x, np.ones(4), np.zeros(4), groups=2)
    >>> out.ravel().round(3)
    array([-1.,  1., -1.,  1.])
    """
    channels = check_arrays("spatial_groupnorm_forward", x=(x, "N C H W"), gamma=(gamma, "C"), beta=(beta, "C"))["C"]
    if channels % check_number("groups", groups):
        raise ArgumentError(f"groups must divide the number of channels, {channels}, got {groups}. Use a divisor.")
    rows = x.reshape(len(x) * groups, x[:1].size // groups if len(x) else 1)
    ones, zeros = np.ones(rows.shape[1], x.dtype), np.zeros(rows.shape[1], x.dtype)
    out, cache = layernorm.layernorm_forward(rows, ones, zeros, eps=eps)
    scaled = out.reshape(x.shape) * gamma[:, None, None] + beta[:, None, None]
    return scaled, SpatialGroupnormCache(cache, gamma, x.shape)


@known_arguments
def spatial_groupnorm_backward(
    dout: FloatArray, cache: SpatialGroupnormCache
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The gradients with respect to x, γ and β; dx is that of `layernorm_backward`, with the groups as rows.

    Args:
        dout: (N, C, H, W) gradient with respect to the output.
        cache: from `spatial_groupnorm_forward`.

    Returns:
        dx (N, C, H, W), dgamma (C,), dbeta (C,).

    Raises:
        ArgumentError: if `dout` does not have the shape of x.

    >>> x = np.array([1.0, 3.0]).reshape(1, 2, 1, 1)
    >>> _, cache = spatial_groupnorm_forward(x, np.ones(2), np.zeros(2), groups=1)
    >>> spatial_groupnorm_backward(np.array([2.0, 5.0]).reshape(1, 2, 1, 1), cache)[2]
    array([2., 5.])
    """
    check_cache("spatial_groupnorm_backward", cache, SpatialGroupnormCache)
    check_gradient("spatial_groupnorm_backward", dout, cache.shape)
    x_hat = cache.rows.x_hat
    g = (dout * cache.gamma[:, None, None]).reshape(x_hat.shape)
    dx = layernorm.layernorm_backward(g, cache.rows)[0].reshape(cache.shape)
    return dx, (dout * x_hat.reshape(cache.shape)).sum(axis=(0, 2, 3)), dout.sum(axis=(0, 2, 3))


def pixels(x: FloatArray) -> FloatArray:
    """(N, C, H, W) images as (N · H · W, C) rows of channels."""
    return x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])


def images(rows: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """The inverse of `pixels`."""
    N, C, H, W = shape
    return np.ascontiguousarray(rows.reshape(N, H, W, C).transpose(0, 3, 1, 2))
