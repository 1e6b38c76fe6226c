"""The twin of a hidden layer behind its product: bias → normalization → ReLU → dropout, forward and backward.

In training `z` holds the products h · W without the bias, and `h` receives the layer's output. The backward functions
need no mask: a unit was dropped or not positive exactly where h is not positive, so the sign of `h` is both masks.
They turn `dh`, the gradient with respect to h, into the gradient with respect to h · W in place.

`factor` is what kept units are multiplied by; where `threshold` is 0, all are kept. The other arguments of dropout are
those of `thinnet.masks`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from thinnet.kernels.compile import inline, kernel, reordering_kernel
from thinnet.kernels.philox import group_words
from thinnet.masks import GROUP
from thinnet.typing import AnyArray, FloatArray


@inline()
def _drop_in_row(h: Any, row: int, threshold: Any, mask: Any, words: Any) -> None:
    """Set dropped units of one row of h to zero.

    `mask` is (key0, key1, step, layer, places), where `places` has the number of each row in the whole minibatch.
    """
    key0, key1, step, layer, places = mask
    zero = h.dtype.type(0)
    columns = h.shape[1]
    for group in range((columns + GROUP - 1) // GROUP):
        group_words(words, group, places[row], step, layer, key0, key1)
        base = group * GROUP
        for j in range(min(GROUP, columns - base)):
            h[row, base + j] = h[row, base + j] if words[j] >= threshold else zero


@kernel()
def plain_forward(
    z: FloatArray, bias: FloatArray, h: FloatArray, factor: Any, threshold: Any, mask: Any, words: AnyArray
) -> None:
    """h = dropout(ReLU(z + bias))."""
    zero = z.dtype.type(0)
    for row in range(z.shape[0]):
        for j in range(z.shape[1]):
            y = z[row, j] + bias[j]
            h[row, j] = zero if y <= zero else y * factor  # in this order, so that NaN stays NaN
        if threshold > 0:
            _drop_in_row(h, row, threshold, mask, words)


@kernel()
def plain_backward(dh: FloatArray, h: FloatArray, dbias: FloatArray, factor: Any) -> None:
    """The gradients of `plain_forward`."""
    zero = dh.dtype.type(0)
    dbias[:] = zero
    for row in range(dh.shape[0]):
        for j in range(dh.shape[1]):
            g = dh[row, j] * factor if h[row, j] > zero else zero
            dh[row, j] = g
            dbias[j] += g


# Batch normalization comes in three pieces forward and two backward: what stands between them is a sum over all rows of
# the minibatch. Where several processes have some rows each, `count` is the number of rows of all of them, and what a
# piece gives is added up over them before the next one.


@kernel()
def column_means(z: FloatArray, count: Any, mean: FloatArray) -> None:
    """mean = Σ z / count for each column."""
    mean[:] = z.dtype.type(0)
    for row in range(z.shape[0]):
        for j in range(z.shape[1]):
            mean[j] += z[row, j]
    for j in range(z.shape[1]):
        mean[j] /= count


@kernel()
def column_variances(z: FloatArray, mean: FloatArray, count: Any, variance: FloatArray) -> None:
    """variance = Σ (z − mean)² / count for each column."""
    variance[:] = z.dtype.type(0)
    for row in range(z.shape[0]):
        for j in range(z.shape[1]):
            difference = z[row, j] - mean[j]
            variance[j] += difference * difference
    for j in range(z.shape[1]):
        variance[j] /= count


@kernel()
def batchnorm_forward(
    z: FloatArray,
    bias: FloatArray,
    gamma: FloatArray,
    beta: FloatArray,
    running_mean: FloatArray,
    running_var: FloatArray,
    momentum: Any,
    eps: Any,
    mean: FloatArray,
    variance: FloatArray,
    h: FloatArray,
    factor: Any,
    threshold: Any,
    mask: Any,
    words: AnyArray,
) -> None:
    """h = dropout(ReLU(batchnorm(z + bias))), with the batch's `mean` and `variance` of z.

    The bias cancels out of everything but the running mean. `variance` becomes 1 / √(variance + eps), for backward.
    """
    rows, columns = z.shape
    zero, one = z.dtype.type(0), z.dtype.type(1)
    inverse_std = variance
    for j in range(columns):
        running_mean[j] = momentum * running_mean[j] + (one - momentum) * (mean[j] + bias[j])
        running_var[j] = momentum * running_var[j] + (one - momentum) * variance[j]
        inverse_std[j] = one / np.sqrt(variance[j] + eps)
    for row in range(rows):
        for j in range(columns):
            y = gamma[j] * ((z[row, j] - mean[j]) * inverse_std[j]) + beta[j]
            h[row, j] = zero if y <= zero else y * factor
        if threshold > 0:
            _drop_in_row(h, row, threshold, mask, words)


@kernel()
def batchnorm_backward_sums(
    dh: FloatArray,
    h: FloatArray,
    z: FloatArray,
    mean: FloatArray,
    inverse_std: FloatArray,
    dgamma: FloatArray,
    dbeta: FloatArray,
    dbias: FloatArray,
    factor: Any,
) -> None:
    """The gradients of γ and β; that of the bias is zero, since the bias cancels out.

    `dh` becomes the gradient with respect to the normalized, scaled and shifted z.
    """
    rows, columns = dh.shape
    zero = dh.dtype.type(0)
    dgamma[:] = zero
    dbeta[:] = zero
    dbias[:] = zero
    for row in range(rows):
        for j in range(columns):
            g = dh[row, j] * factor if h[row, j] > zero else zero
            dh[row, j] = g
            dbeta[j] += g
            dgamma[j] += g * ((z[row, j] - mean[j]) * inverse_std[j])


@kernel()
def batchnorm_backward(
    dh: FloatArray,
    z: FloatArray,
    mean: FloatArray,
    inverse_std: FloatArray,
    gamma: FloatArray,
    dgamma: FloatArray,
    dbeta: FloatArray,
    count: Any,
) -> None:
    """`dh` becomes the gradient with respect to z."""
    rows, columns = dh.shape
    for row in range(rows):
        for j in range(columns):
            x_hat = (z[row, j] - mean[j]) * inverse_std[j]
            dh[row, j] = gamma[j] * inverse_std[j] * (dh[row, j] - dbeta[j] / count - x_hat * (dgamma[j] / count))


@reordering_kernel()
def layernorm_forward(
    z: FloatArray,
    bias: FloatArray,
    gamma: FloatArray,
    beta: FloatArray,
    eps: Any,
    inverse_std: FloatArray,
    h: FloatArray,
    factor: Any,
    threshold: Any,
    mask: Any,
    words: AnyArray,
) -> None:
    """h = dropout(ReLU(layernorm(z + bias))); z becomes the normalized z + bias, and `inverse_std` is kept."""
    rows, columns = z.shape
    zero, one, count = z.dtype.type(0), z.dtype.type(1), z.dtype.type(z.shape[1])
    for row in range(rows):
        total = zero
        for j in range(columns):
            z[row, j] += bias[j]
            total += z[row, j]
        mean = total / count
        squares = zero
        for j in range(columns):
            difference = z[row, j] - mean
            squares += difference * difference
        inverse = one / np.sqrt(squares / count + eps)
        inverse_std[row] = inverse
        for j in range(columns):
            x_hat = (z[row, j] - mean) * inverse
            z[row, j] = x_hat
            y = gamma[j] * x_hat + beta[j]
            h[row, j] = zero if y <= zero else y * factor
        if threshold > 0:
            _drop_in_row(h, row, threshold, mask, words)


@reordering_kernel()
def layernorm_backward(
    dh: FloatArray,
    h: FloatArray,
    x_hat: FloatArray,
    inverse_std: FloatArray,
    gamma: FloatArray,
    dgamma: FloatArray,
    dbeta: FloatArray,
    dbias: FloatArray,
    factor: Any,
) -> None:
    """The gradients of `layernorm_forward`; `x_hat` is what that function left in z."""
    rows, columns = dh.shape
    zero, count = dh.dtype.type(0), dh.dtype.type(dh.shape[1])
    dgamma[:] = zero
    dbeta[:] = zero
    dbias[:] = zero
    for row in range(rows):
        through_mean, through_var = zero, zero
        for j in range(columns):
            g = dh[row, j] * factor if h[row, j] > zero else zero
            dbeta[j] += g
            dgamma[j] += g * x_hat[row, j]
            g *= gamma[j]
            dh[row, j] = g
            through_mean += g
            through_var += g * x_hat[row, j]
        through_mean, through_var, inverse = through_mean / count, through_var / count, inverse_std[row]
        for j in range(columns):
            g = (dh[row, j] - through_mean - x_hat[row, j] * through_var) * inverse
            dh[row, j] = g
            dbias[j] += g


@kernel()
def inplace_scale_shift_relu(z: FloatArray, scale: FloatArray, shift: FloatArray) -> None:
    """z = ReLU(z · scale + shift): a hidden layer in test mode, batch normalization folded into the two."""
    zero = z.dtype.type(0)
    for row in range(z.shape[0]):
        for j in range(z.shape[1]):
            y = z[row, j] * scale[j] + shift[j]
            z[row, j] = zero if y <= zero else y
