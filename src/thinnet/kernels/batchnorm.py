"""Batch normalization after a product, and what follows it; see `thinnet.kernels.hidden`.

Forward has three pieces and backward two, with a sum over all rows of the minibatch between them. `pieces` is the range
of pieces to run; (0, 3) or (0, 2) runs all of them. When the rows are split among processes, `count` is the total
number of rows, and the results of a piece are summed over the processes before the next piece.
"""

from typing import Any

import numpy as np

from thinnet.kernels.activations import RELU, activate_line, activate_line_backward
from thinnet.kernels.compile import inline, inner, kernel
from thinnet.kernels.hidden import Room, Vectors
from thinnet.kernels.row_sums import Sums, add_up, blocks_of, cleared
from thinnet.kernels.share import bounds, in_parts
from thinnet.typing import FloatArray

Known = tuple[FloatArray, FloatArray, FloatArray, FloatArray]  # mean, 1 / √(variance + eps), γ and β


@kernel()
def batchnorm_forward(
    share: Any,
    z: FloatArray,
    vectors: Vectors,
    running: tuple[FloatArray, FloatArray],
    options: tuple[Any, Any],
    statistics: tuple[FloatArray, FloatArray],
    h: FloatArray,
    pieces: tuple[int, int],
    count: Any,
    behind: Any,
    room: Room,
) -> None:
    """h = dropout(activation(batchnorm(z + bias))), with the batch's `statistics`, the mean and variance of z.

    `vectors` are bias, γ and β, `running` the running mean and variance, `options` momentum and eps. The first piece
    computes the mean, the second the variance, and the third the rest. The bias cancels out of everything but the
    running mean. The third piece replaces the variance with 1 / √(variance + eps), for backward.
    """
    (mean, variance), (bias, gamma, beta), (momentum, eps) = statistics, vectors, options
    for piece in range(*pieces):
        if piece == 0:
            in_parts(share, _add_rows, (z, room[0], mean.size))
            add_up(room[0], len(z), np.intp(0), count, mean)
        elif piece == 1:
            in_parts(share, _add_squares, (z, room[0], mean))
            add_up(room[0], len(z), np.intp(0), count, variance)
        else:
            _move_running(bias, mean, variance, momentum, running[0], running[1])
            _invert(variance, eps)
            in_parts(share, _normalize, (z, (mean, variance, gamma, beta), h, behind, room))


@inner()
def _add_rows(z: FloatArray, sums: Sums, columns: int, part: int, parts: int) -> None:
    """Σ z for each column."""
    blocks = blocks_of(len(z))
    for block in range(*bounds(blocks, part, parts)):
        total = cleared(sums, block, 0, columns)
        for row in range(*bounds(len(z), block, blocks)):
            x = z[row]
            for j in range(columns):
                total[j] += x[j]


@inner()
def _add_squares(z: FloatArray, sums: Sums, mean: FloatArray, part: int, parts: int) -> None:
    """Σ (z − mean)² for each column."""
    blocks = blocks_of(len(z))
    for block in range(*bounds(blocks, part, parts)):
        total = cleared(sums, block, 0, mean.size)
        for row in range(*bounds(len(z), block, blocks)):
            x = z[row]
            for j in range(mean.size):
                difference = x[j] - mean[j]
                total[j] += difference * difference


@inline()
def _move_running(
    bias: FloatArray,
    mean: FloatArray,
    variance: FloatArray,
    momentum: Any,
    running_mean: FloatArray,
    running_var: FloatArray,
) -> None:
    """Move the running statistics toward those of the batch."""
    new = mean.dtype.type(1) - momentum
    for j in range(mean.size):
        running_mean[j] = momentum * running_mean[j] + new * (mean[j] + bias[j])
        running_var[j] = momentum * running_var[j] + new * variance[j]


@inline()
def _invert(variance: FloatArray, eps: Any) -> None:
    """1 / √(variance + eps), in place."""
    one = variance.dtype.type(1)
    for j in range(variance.size):
        variance[j] = one / np.sqrt(variance[j] + eps)


@inner()
def _normalize(z: FloatArray, known: Known, h: FloatArray, behind: Any, room: Room, part: int, parts: int) -> None:
    """h = dropout(activation(γ (z − mean) / √(variance + eps) + β))."""
    (m, inverse_std, g, b), bits = known, room[2][part, 0]
    for row in range(*bounds(len(z), part, parts)):
        x, y = z[row], h[row]
        for j in range(m.size):
            y[j] = g[j] * ((x[j] - m[j]) * inverse_std[j]) + b[j]
        activate_line(y, row, bits, behind)


@kernel()
def batchnorm_backward(
    share: Any,
    dh: FloatArray,
    h: FloatArray,
    z: FloatArray,
    statistics: tuple[FloatArray, FloatArray],
    vectors: Vectors,
    gradients: Vectors,
    pieces: tuple[int, int],
    sums: tuple[FloatArray, FloatArray],
    count: Any,
    behind: Any,
    room: Room,
) -> None:
    """The gradients of `batchnorm_forward`.

    The first piece writes the gradients of the vectors (zero for the bias, which cancels out) and turns `dh` into the
    gradient with respect to the normalized, scaled and shifted z. The second turns it into the gradient with respect to
    z; `sums` are the gradients of γ and β over all rows of the minibatch.
    """
    (dbias, dgamma, _), one = gradients, dh.dtype.type(1)
    known = statistics[0], statistics[1], vectors[1], vectors[2]
    for piece in range(*pieces):
        if piece == 0:
            in_parts(share, _add_gradients, (dh, h, z, known, behind, room))
            dbias[:] = dh.dtype.type(0)
            for line in range(2):
                add_up(room[0], len(dh), line, one, gradients[1 + line])
        else:
            lines = room[1][0, 0, : dgamma.size], room[0][0, 0, : dgamma.size], room[0][0, 1, : dgamma.size]
            _mean_gradients(known, sums, count, lines)
            in_parts(share, _through_statistics, (dh, z, known, lines))


@inner()
def _add_gradients(
    dh: FloatArray, h: FloatArray, z: FloatArray, known: Known, behind: Any, room: Room, part: int, parts: int
) -> None:
    """Sum the gradients of γ and β."""
    (m, s, g, b), sums, line, bits = known, room[0], room[1][part, 0, : known[0].size], room[2][part, 0]
    blocks = blocks_of(len(dh))
    for block in range(*bounds(blocks, part, parts)):
        dg, db = cleared(sums, block, 0, m.size), cleared(sums, block, 1, m.size)
        for row in range(*bounds(len(dh), block, blocks)):
            x, dy = z[row], dh[row]
            if behind.activation != RELU:
                for j in range(m.size):
                    line[j] = g[j] * ((x[j] - m[j]) * s[j]) + b[j]
            activate_line_backward(dy, h[row], line, row, bits, behind)
            for j in range(m.size):
                db[j] += dy[j]
                dg[j] += dy[j] * ((x[j] - m[j]) * s[j])


@inline()
def _mean_gradients(
    known: Known,
    sums: tuple[FloatArray, FloatArray],
    count: Any,
    lines: tuple[FloatArray, FloatArray, FloatArray],
) -> None:
    """Compute what is the same for all rows just once: divisions are slow."""
    (_, s, g, _), (scale, dg, db) = known, lines
    for j in range(g.size):
        scale[j], dg[j], db[j] = g[j] * s[j], sums[0][j] / count, sums[1][j] / count


@inner()
def _through_statistics(
    dh: FloatArray, z: FloatArray, known: Known, lines: tuple[FloatArray, FloatArray, FloatArray], part: int, parts: int
) -> None:
    (m, s, _, _), (scale, dg, db) = known, lines
    for row in range(*bounds(len(dh), part, parts)):
        x, dy = z[row], dh[row]
        for j in range(m.size):
            x_hat = (x[j] - m[j]) * s[j]
            dy[j] = scale[j] * (dy[j] - db[j] - x_hat * dg[j])
