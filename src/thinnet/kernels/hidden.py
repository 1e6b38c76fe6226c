"""A hidden layer after its matrix product: bias → normalization → activation → dropout, forward and backward.

In training, `z` holds the product without the bias, and `h` receives the layer's output. The backward functions turn
`dh`, the gradient with respect to h, into the gradient with respect to the product, in place. `behind` is what follows
the normalization: activation and dropout, a `thinnet.kernels.activations.Behind`. The rows are split among threads.
"""

from typing import Any

import numpy as np

from thinnet.kernels.activations import RELU, activate, activate_line, activate_line_backward
from thinnet.kernels.compile import inner, kernel, reordering_inner
from thinnet.kernels.row_sums import MOST, Sums, add_up, blocks_of, cleared
from thinnet.kernels.share import bounds, in_parts
from thinnet.masks import GROUP
from thinnet.teams import scratch
from thinnet.typing import AnyArray, FloatArray

# Scratch space for the kernels, from `thinnet.teams.scratch`: sums over rows, in three lines; and for each part a line
# and random bits. A plain tuple, because a named one takes Numba a microsecond longer to inspect.
Room = tuple[Sums, FloatArray, AnyArray]

Vectors = tuple[FloatArray, FloatArray, FloatArray]  # the bias, gamma and beta of a layer, or their gradients


def make_room(parts: int, dtype: Any, columns: int) -> Room:
    """Scratch space for this many parts."""
    sums, line = scratch(MOST, dtype, columns, lines=3), scratch(parts, dtype, columns)
    return sums, line, scratch(parts, np.uint32, GROUP)


@kernel()
def plain_forward(share: Any, *arguments: Any) -> None:
    """h = dropout(activation(z + bias))."""
    in_parts(share, _plain_forward, arguments)


@inner()
def _plain_forward(
    z: FloatArray, bias: FloatArray, h: FloatArray, behind: Any, room: Room, part: int, parts: int
) -> None:
    bits = room[2][part, 0]
    for row in range(*bounds(len(z), part, parts)):
        x, y = z[row], h[row]
        for j in range(bias.size):
            y[j] = x[j] + bias[j]
        activate_line(y, row, bits, behind)


@kernel()
def plain_backward(
    share: Any,
    dh: FloatArray,
    h: FloatArray,
    z: FloatArray,
    bias: FloatArray,
    dbias: FloatArray,
    behind: Any,
    room: Room,
) -> None:
    """The gradients of `plain_forward`."""
    in_parts(share, _plain_backward, (dh, h, z, bias, behind, room))
    add_up(room[0], len(dh), np.intp(0), dbias.dtype.type(1), dbias)


@inner()
def _plain_backward(
    dh: FloatArray, h: FloatArray, z: FloatArray, bias: FloatArray, behind: Any, room: Room, part: int, parts: int
) -> None:
    sums, line, bits, blocks = room[0], room[1][part, 0, : bias.size], room[2][part, 0], blocks_of(len(dh))
    for block in range(*bounds(blocks, part, parts)):
        db = cleared(sums, block, 0, bias.size)
        for row in range(*bounds(len(dh), block, blocks)):
            x, dy = z[row], dh[row]
            if behind.activation != RELU:
                for j in range(bias.size):
                    line[j] = x[j] + bias[j]
            activate_line_backward(dy, h[row], line, row, bits, behind)
            for j in range(bias.size):
                db[j] += dy[j]


@kernel()
def layernorm_forward(share: Any, *arguments: Any) -> None:
    """h = dropout(activation(layernorm(z + bias))). z becomes the normalized z + bias; `inverse_std` is kept."""
    in_parts(share, _layernorm_forward, arguments)


@reordering_inner()
def _layernorm_forward(
    z: FloatArray,
    vectors: Vectors,
    eps: Any,
    inverse_std: FloatArray,
    h: FloatArray,
    behind: Any,
    room: Room,
    part: int,
    parts: int,
) -> None:
    bias, gamma, beta = vectors
    columns, bits = bias.size, room[2][part, 0]
    zero, one, count = z.dtype.type(0), z.dtype.type(1), z.dtype.type(bias.size)
    for row in range(*bounds(len(z), part, parts)):
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
        activate_line(h[row], row, bits, behind)


@kernel()
def layernorm_backward(
    share: Any,
    dh: FloatArray,
    h: FloatArray,
    x_hat: FloatArray,
    inverse_std: FloatArray,
    vectors: Vectors,
    gradients: Vectors,
    behind: Any,
    room: Room,
) -> None:
    """The gradients of `layernorm_forward`; `x_hat` is what that function left in z."""
    in_parts(share, _layernorm_backward, (dh, h, x_hat, inverse_std, vectors, behind, room))
    for line in range(3):
        add_up(room[0], len(dh), line, dh.dtype.type(1), gradients[line])


@reordering_inner()
def _layernorm_backward(
    dh: FloatArray,
    h: FloatArray,
    x_hat: FloatArray,
    inverse_std: FloatArray,
    vectors: Vectors,
    behind: Any,
    room: Room,
    part: int,
    parts: int,
) -> None:
    _, gamma, beta = vectors
    columns, blocks, zero, count = gamma.size, blocks_of(len(dh)), dh.dtype.type(0), dh.dtype.type(gamma.size)
    sums, line, bits = room[0], room[1][part, 0, : gamma.size], room[2][part, 0]
    for block in range(*bounds(blocks, part, parts)):
        dbias, dgamma = cleared(sums, block, 0, columns), cleared(sums, block, 1, columns)
        dbeta = cleared(sums, block, 2, columns)
        for row in range(*bounds(len(dh), block, blocks)):
            through_mean, through_var = zero, zero
            if behind.activation != RELU:
                for j in range(columns):
                    line[j] = gamma[j] * x_hat[row, j] + beta[j]
            activate_line_backward(dh[row], h[row], line, row, bits, behind)
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
    """z = activation(z · scale + shift) · factor: a hidden layer in test mode, with batch normalization folded in."""
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
