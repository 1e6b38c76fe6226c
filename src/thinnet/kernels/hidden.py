"""A hidden layer behind its product: bias → normalization → activation → dropout, forward and backward.

In training `z` holds the products h · W without the bias, and `h` receives the layer's output. The backward functions
turn `dh`, the gradient with respect to h, into the gradient with respect to h · W in place. `behind` is what follows
the normalization, an activation and dropout, as `thinnet.kernels.activations` has them, and the columns to compute,
which layer normalization takes all of. `half` receives the result in bfloat16, for the next product; where it is empty,
that takes the result itself.
"""

from typing import Any

import numpy as np

from thinnet.kernels.activations import RELU, activate, activate_line, activate_line_backward
from thinnet.kernels.bfloat16 import round_line
from thinnet.kernels.compile import inline, kernel, reordering_kernel
from thinnet.typing import AnyArray, FloatArray


@inline()
def _columns(behind: Any) -> slice:
    return slice(behind.first, behind.last)


@inline()
def _round_row(x: FloatArray, half: AnyArray, row: int, columns: slice) -> None:
    if half.size:
        round_line(x[row, columns], half[row, columns])


@kernel()
def plain_forward(z: FloatArray, bias: FloatArray, h: FloatArray, half: AnyArray, behind: Any) -> None:
    """h = dropout(activation(z + bias))."""
    columns = _columns(behind)
    b = bias[columns]
    for row in range(z.shape[0]):
        x, y = z[row, columns], h[row, columns]
        for j in range(x.size):
            y[j] = x[j] + b[j]
        activate_line(y, row, behind)
        _round_row(h, half, row, columns)


@kernel()
def plain_backward(
    dh: FloatArray, h: FloatArray, z: FloatArray, bias: FloatArray, dbias: FloatArray, half: AnyArray, behind: Any
) -> None:
    """The gradients of `plain_forward`."""
    columns = _columns(behind)
    b, db = bias[columns], dbias[columns]
    db[:] = dh.dtype.type(0)
    for row in range(dh.shape[0]):
        x, dy = z[row, columns], dh[row, columns]
        if behind.activation != RELU:
            for j in range(x.size):
                behind.line[j] = x[j] + b[j]
        activate_line_backward(dy, h[row, columns], row, behind)
        for j in range(dy.size):
            db[j] += dy[j]
        _round_row(dh, half, row, columns)


# Batch normalization comes in three pieces forward and two backward: what stands between them is a sum over all rows of
# the minibatch. Where several processes have some rows each, `count` is the number of rows of all of them, and what a
# piece gives is added up over them before the next one.


@kernel()
def column_means(z: FloatArray, count: Any, mean: FloatArray, first: int, last: int) -> None:
    """mean = Σ z / count for each column from `first` to before `last`."""
    columns = slice(first, last)
    m = mean[columns]
    m[:] = z.dtype.type(0)
    for row in range(z.shape[0]):
        x = z[row, columns]
        for j in range(x.size):
            m[j] += x[j]
    for j in range(m.size):
        m[j] /= count


@kernel()
def column_variances(z: FloatArray, mean: FloatArray, count: Any, variance: FloatArray, first: int, last: int) -> None:
    """variance = Σ (z − mean)² / count for each of these columns."""
    columns = slice(first, last)
    m, v = mean[columns], variance[columns]
    v[:] = z.dtype.type(0)
    for row in range(z.shape[0]):
        x = z[row, columns]
        for j in range(x.size):
            difference = x[j] - m[j]
            v[j] += difference * difference
    for j in range(v.size):
        v[j] /= count


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
    half: AnyArray,
    behind: Any,
) -> None:
    """h = dropout(activation(batchnorm(z + bias))), with the batch's `mean` and `variance` of z.

    The bias cancels out of everything but the running mean. `variance` becomes 1 / √(variance + eps), for backward.
    """
    columns, one = _columns(behind), z.dtype.type(1)
    m, inverse_std, g, b = mean[columns], variance[columns], gamma[columns], beta[columns]
    for j in range(behind.first, behind.last):
        running_mean[j] = momentum * running_mean[j] + (one - momentum) * (mean[j] + bias[j])
        running_var[j] = momentum * running_var[j] + (one - momentum) * variance[j]
        variance[j] = one / np.sqrt(variance[j] + eps)
    for row in range(z.shape[0]):
        x, y = z[row, columns], h[row, columns]
        for j in range(x.size):
            y[j] = g[j] * ((x[j] - m[j]) * inverse_std[j]) + b[j]
        activate_line(y, row, behind)
        _round_row(h, half, row, columns)


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
    columns, zero = _columns(behind), dh.dtype.type(0)
    m, s, g, b = mean[columns], inverse_std[columns], gamma[columns], beta[columns]
    dg, db = dgamma[columns], dbeta[columns]
    dg[:] = zero
    db[:] = zero
    dbias[columns] = zero
    for row in range(dh.shape[0]):
        x, dy = z[row, columns], dh[row, columns]
        if behind.activation != RELU:
            for j in range(x.size):
                behind.line[j] = g[j] * ((x[j] - m[j]) * s[j]) + b[j]
        activate_line_backward(dy, h[row, columns], row, behind)
        for j in range(dy.size):
            db[j] += dy[j]
            dg[j] += dy[j] * ((x[j] - m[j]) * s[j])


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
    half: AnyArray,
    first: int,
    last: int,
) -> None:
    """`dh` becomes the gradient with respect to z."""
    columns = slice(first, last)
    m, s, g, dg, db = mean[columns], inverse_std[columns], gamma[columns], dgamma[columns], dbeta[columns]
    for row in range(dh.shape[0]):
        x, dy = z[row, columns], dh[row, columns]
        for j in range(dy.size):
            x_hat = (x[j] - m[j]) * s[j]
            dy[j] = g[j] * s[j] * (dy[j] - db[j] / count - x_hat * (dg[j] / count))
        _round_row(dh, half, row, columns)


@reordering_kernel()
def layernorm_forward(
    z: FloatArray,
    bias: FloatArray,
    gamma: FloatArray,
    beta: FloatArray,
    eps: Any,
    inverse_std: FloatArray,
    h: FloatArray,
    half: AnyArray,
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
        activate_line(h[row], row, behind)
        _round_row(h, half, row, _columns(behind))


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
    half: AnyArray,
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
        activate_line_backward(dh[row], h[row], row, behind)
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
        _round_row(dh, half, row, _columns(behind))


@kernel()
def inplace_scale_shift_activate(
    z: FloatArray, scale: FloatArray, shift: FloatArray, activation: int, factor: Any, half: AnyArray
) -> None:
    """z = activation(z · scale + shift) · factor: a hidden layer in test mode, batch normalization folded in."""
    for row in range(z.shape[0]):
        for j in range(z.shape[1]):
            z[row, j] = z[row, j] * scale[j] + shift[j]
        activate(activation, z[row], factor)
        if half.size:
            round_line(z[row], half[row])
