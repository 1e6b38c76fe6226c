"""A hidden layer behind its product: bias → normalization → activation → dropout, forward and backward.

In training `z` holds the products h · W without the bias, and `h` receives the layer's output. The backward functions
turn `dh`, the gradient with respect to h, into the gradient with respect to h · W in place. `behind` is what follows
the normalization: an activation and dropout, as `thinnet.kernels.activations` has them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from thinnet.kernels.activations import RELU, activate, activate_row, activate_row_backward
from thinnet.kernels.compile import kernel, reordering_kernel
from thinnet.typing import FloatArray


@kernel()
def plain_forward(z: FloatArray, bias: FloatArray, h: FloatArray, behind: Any) -> None:
    """h = dropout(activation(z + bias))."""
    for row in range(z.shape[0]):
        for j in range(z.shape[1]):
            h[row, j] = z[row, j] + bias[j]
        activate_row(h, row, behind)


@kernel()
def plain_backward(
    dh: FloatArray, h: FloatArray, z: FloatArray, bias: FloatArray, dbias: FloatArray, behind: Any
) -> None:
    """The gradients of `plain_forward`."""
    dbias[:] = dh.dtype.type(0)
    for row in range(dh.shape[0]):
        if behind.activation != RELU:
            for j in range(dh.shape[1]):
                behind.line[j] = z[row, j] + bias[j]
        activate_row_backward(dh, h, row, behind)
        for j in range(dh.shape[1]):
            dbias[j] += dh[row, j]


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
    behind: Any,
) -> None:
    """h = dropout(activation(batchnorm(z + bias))), with the batch's `mean` and `variance` of z.

    The bias cancels out of everything but the running mean. `variance` becomes 1 / √(variance + eps), for backward.
    """
    rows, columns = z.shape
    one = z.dtype.type(1)
    inverse_std = variance
    for j in range(columns):
        running_mean[j] = momentum * running_mean[j] + (one - momentum) * (mean[j] + bias[j])
        running_var[j] = momentum * running_var[j] + (one - momentum) * variance[j]
        inverse_std[j] = one / np.sqrt(variance[j] + eps)
    for row in range(rows):
        for j in range(columns):
            h[row, j] = gamma[j] * ((z[row, j] - mean[j]) * inverse_std[j]) + beta[j]
        activate_row(h, row, behind)


@kernel()
def batchnorm_backward_sums(
    dh: FloatArray,
    h: FloatArray,
    z: FloatArray,
    mean: FloatArray,
    inverse_std: FloatArray,
    gamma: FloatArray,
    beta: FloatArray,
    dgamma: FloatArray,
    dbeta: FloatArray,
    dbias: FloatArray,
    behind: Any,
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
        if behind.activation != RELU:
            for j in range(columns):
                behind.line[j] = gamma[j] * ((z[row, j] - mean[j]) * inverse_std[j]) + beta[j]
        activate_row_backward(dh, h, row, behind)
        for j in range(columns):
            dbeta[j] += dh[row, j]
            dgamma[j] += dh[row, j] * ((z[row, j] - mean[j]) * inverse_std[j])


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
    behind: Any,
) -> None:
    """h = dropout(activation(layernorm(z + bias))); z becomes the normalized z + bias, and `inverse_std` is kept."""
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
            h[row, j] = gamma[j] * x_hat + beta[j]
        activate_row(h, row, behind)


@reordering_kernel()
def layernorm_backward(
    dh: FloatArray,
    h: FloatArray,
    x_hat: FloatArray,
    inverse_std: FloatArray,
    gamma: FloatArray,
    beta: FloatArray,
    dgamma: FloatArray,
    dbeta: FloatArray,
    dbias: FloatArray,
    behind: Any,
) -> None:
    """The gradients of `layernorm_forward`; `x_hat` is what that function left in z."""
    rows, columns = dh.shape
    zero, count = dh.dtype.type(0), dh.dtype.type(dh.shape[1])
    dgamma[:] = zero
    dbeta[:] = zero
    dbias[:] = zero
    for row in range(rows):
        through_mean, through_var = zero, zero
        if behind.activation != RELU:
            for j in range(columns):
                behind.line[j] = gamma[j] * x_hat[row, j] + beta[j]
        activate_row_backward(dh, h, row, behind)
        for j in range(columns):
            g = dh[row, j]
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
def inplace_scale_shift_activate(
    z: FloatArray, scale: FloatArray, shift: FloatArray, activation: int, factor: Any
) -> None:
    """z = activation(z · scale + shift) · factor: a hidden layer in test mode, batch normalization folded in."""
    for row in range(z.shape[0]):
        for j in range(z.shape[1]):
            z[row, j] = z[row, j] * scale[j] + shift[j]
        activate(activation, z[row], factor)
