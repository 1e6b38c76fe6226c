"""A hidden layer behind its product: bias → normalization → activation → dropout, forward and backward.

In training `z` holds the products h · W without the bias, and `h` receives the layer's output. The backward functions
turn `dh`, the gradient with respect to h, into the gradient with respect to h · W in place. `behind` is what follows
the normalization, an activation and dropout, as `thinnet.kernels.activations` has them. `half` receives the result in
bfloat16, for the next product; where it is empty, that takes the result itself.

Behind the columns of z, h and dh there may be a gap; the vectors say how many columns there are. Threads share them,
whole groups that have their masks drawn together, or the rows, where layer normalization takes the columns together.
Nothing is added up across the parts, so that their number changes no bit.
"""

from typing import Any

import numpy as np

from thinnet.kernels.activations import RELU, activate, activate_line, activate_line_backward
from thinnet.kernels.compile import inline, inner, kernel, reordering_inner, reordering_kernel
from thinnet.kernels.share import bounds, in_parts
from thinnet.masks import GROUP
from thinnet.typing import AnyArray, FloatArray

# Room for what a part has for itself, by `thinnet.teams.scratch`: lines, (parts, 3, columns or more), and random bits,
# (parts, 1, GROUP or more) of uint32. A plain tuple, since Numba takes a microsecond longer to look at one with names.
Scratch = tuple[FloatArray, AnyArray]


@inline()
def part_of_columns(count: int, part: int, parts: int) -> slice:
    """The columns of one part: whole groups, but for the end of the last."""
    first, last = bounds((count + GROUP - 1) // GROUP, part, parts)
    return slice(first * GROUP, min(last * GROUP, count))


@inline()
def zeros(scratch: Scratch, part: int, number: int, size: int) -> FloatArray:
    """A line of the part's own room to add up in, where no other thread writes nearby."""
    line = scratch[0][part, number, :size]
    line[:] = line.dtype.type(0)
    return line


@kernel()
def plain_forward(share: Any, *arguments: Any) -> None:
    """h = dropout(activation(z + bias))."""
    in_parts(share, _plain_forward, arguments)


@inner()
def _plain_forward(
    z: FloatArray, bias: FloatArray, h: FloatArray, behind: Any, scratch: Scratch, part: int, parts: int
) -> None:
    columns, bits = part_of_columns(bias.size, part, parts), scratch[1][part, 0]
    b = bias[columns]
    for row in range(z.shape[0]):
        x, y = z[row, columns], h[row, columns]
        for j in range(x.size):
            y[j] = x[j] + b[j]
        activate_line(y, row, columns.start, bits, behind)


@kernel()
def plain_backward(share: Any, *arguments: Any) -> None:
    """The gradients of `plain_forward`."""
    in_parts(share, _plain_backward, arguments)


@inner()
def _plain_backward(
    dh: FloatArray,
    h: FloatArray,
    z: FloatArray,
    bias: FloatArray,
    dbias: FloatArray,
    behind: Any,
    scratch: Scratch,
    part: int,
    parts: int,
) -> None:
    columns, bits = part_of_columns(bias.size, part, parts), scratch[1][part, 0]
    b, db = bias[columns], dbias[columns]
    line, sums = scratch[0][part, 1, : b.size], zeros(scratch, part, 0, b.size)
    for row in range(dh.shape[0]):
        x, dy = z[row, columns], dh[row, columns]
        if behind.activation != RELU:
            for j in range(x.size):
                line[j] = x[j] + b[j]
        activate_line_backward(dy, h[row, columns], line, row, columns.start, bits, behind)
        for j in range(dy.size):
            sums[j] += dy[j]
    for j in range(db.size):
        db[j] = sums[j]


@kernel()
def layernorm_forward(share: Any, *arguments: Any) -> None:
    """h = dropout(activation(layernorm(z + bias))); z becomes the normalized z + bias, and `inverse_std` is kept."""
    in_parts(share, _layernorm_forward, arguments)


@reordering_inner()
def _layernorm_forward(
    z: FloatArray,
    vectors: tuple[FloatArray, FloatArray, FloatArray],
    eps: Any,
    inverse_std: FloatArray,
    h: FloatArray,
    behind: Any,
    scratch: Scratch,
    part: int,
    parts: int,
) -> None:
    bias, gamma, beta = vectors
    columns, bits = bias.size, scratch[1][part, 0]
    first = np.intp(0)  # of no literal type, for which what takes it would be compiled once more
    zero, one, count = z.dtype.type(0), z.dtype.type(1), z.dtype.type(bias.size)
    for row in range(*bounds(z.shape[0], part, parts)):
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
        activate_line(h[row, :columns], row, first, bits, behind)


@reordering_kernel()
def layernorm_backward(
    dh: FloatArray,
    h: FloatArray,
    x_hat: FloatArray,
    inverse_std: FloatArray,
    vectors: tuple[FloatArray, FloatArray, FloatArray],
    gradients: tuple[FloatArray, FloatArray, FloatArray],
    behind: Any,
    scratch: Scratch,
) -> None:
    """The gradients of `layernorm_forward`, on one thread; `x_hat` is what that function left in z."""
    (_, gamma, beta), (dbias, dgamma, dbeta) = vectors, gradients
    rows, columns = len(dh), gamma.size
    zero, count = dh.dtype.type(0), dh.dtype.type(gamma.size)
    bits, line = scratch[1][0, 0], scratch[0][0, 0, :columns]
    first = np.intp(0)  # as above
    dgamma[:] = zero
    dbeta[:] = zero
    dbias[:] = zero
    for row in range(rows):
        through_mean, through_var = zero, zero
        if behind.activation != RELU:
            for j in range(columns):
                line[j] = gamma[j] * x_hat[row, j] + beta[j]
        activate_line_backward(dh[row, :columns], h[row, :columns], line, row, first, bits, behind)
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
def inplace_scale_shift_activate(share: Any, *arguments: Any) -> None:
    """z = activation(z · scale + shift) · factor: a hidden layer in test mode, batch normalization folded in."""
    in_parts(share, _inplace_scale_shift_activate, arguments)


@inner()
def _inplace_scale_shift_activate(
    z: FloatArray,
    scale: FloatArray,
    shift: FloatArray,
    activation: int,
    factor: Any,
    part: int,
    parts: int,
) -> None:
    for row in range(*bounds(z.shape[0], part, parts)):
        for j in range(z.shape[1]):
            z[row, j] = z[row, j] * scale[j] + shift[j]
        activate(activation, z[row], factor)
