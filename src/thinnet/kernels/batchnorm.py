"""Batch normalization behind a product, with what follows it: as `thinnet.kernels.hidden` says.

It comes in three pieces forward and two backward: what stands between them is a sum over all rows of the minibatch.
`pieces` says which to do, (0, 3) or (0, 2) for all of them. Where several processes have some rows each, `count` is the
number of rows of all of them, and what a piece gives is added up over them before the next one.
"""

from typing import Any

import numpy as np

from thinnet.kernels.activations import RELU, activate_line, activate_line_backward
from thinnet.kernels.compile import inline, inner, kernel
from thinnet.kernels.hidden import Scratch, part_of_columns, zeros
from thinnet.kernels.share import in_parts
from thinnet.typing import AnyArray, FloatArray


@kernel()
def batchnorm_forward(share: Any, *arguments: Any) -> None:
    """h = dropout(activation(batchnorm(z + bias))), with the batch's `statistics`, mean and variance of z.

    `vectors` are bias, γ and β, `running` the running mean and variance, `options` momentum and eps. The first piece
    computes the mean, the second the variance, and the third the rest. The bias cancels out of everything but the
    running mean. The variance becomes 1 / √(variance + eps), for backward.
    """
    in_parts(share, _batchnorm_forward, arguments)


@inner()
def _batchnorm_forward(
    z: FloatArray,
    vectors: tuple[FloatArray, FloatArray, FloatArray],
    running: tuple[FloatArray, FloatArray],
    options: tuple[Any, Any],
    statistics: tuple[FloatArray, FloatArray],
    h: FloatArray,
    pieces: tuple[int, int],
    count: Any,
    behind: Any,
    scratch: Scratch,
    part: int,
    parts: int,
) -> None:
    columns = part_of_columns(vectors[0].size, part, parts)
    mean, variance = statistics[0][columns], statistics[1][columns]
    momentum, eps = options
    for piece in range(*pieces):
        if piece == 0:
            _column_means(z, columns, count, mean, zeros(scratch, part, 0, mean.size))
        elif piece == 1:
            _column_variances(z, columns, mean, count, variance, zeros(scratch, part, 0, mean.size))
        else:
            _move_running(vectors[0][columns], mean, variance, momentum, running[0][columns], running[1][columns])
            _invert(variance, eps)
            known = mean, variance, vectors[1][columns], vectors[2][columns]
            _normalize(z, columns, known, h, behind, scratch[1][part, 0])


@inline()
def _column_means(z: FloatArray, columns: slice, count: Any, mean: FloatArray, sums: FloatArray) -> None:
    """mean = Σ z / count for each column."""
    for row in range(z.shape[0]):
        x = z[row, columns]
        for j in range(x.size):
            sums[j] += x[j]
    for j in range(mean.size):
        mean[j] = sums[j] / count


@inline()
def _column_variances(
    z: FloatArray, columns: slice, mean: FloatArray, count: Any, variance: FloatArray, sums: FloatArray
) -> None:
    """variance = Σ (z − mean)² / count for each column."""
    for row in range(z.shape[0]):
        x = z[row, columns]
        for j in range(x.size):
            difference = x[j] - mean[j]
            sums[j] += difference * difference
    for j in range(variance.size):
        variance[j] = sums[j] / count


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


@inline()
def _normalize(
    z: FloatArray,
    columns: slice,
    known: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    h: FloatArray,
    behind: Any,
    bits: AnyArray,
) -> None:
    """h = dropout(activation(γ (z − mean) / √(variance + eps) + β))."""
    m, inverse_std, g, b = known
    for row in range(z.shape[0]):
        x, y = z[row, columns], h[row, columns]
        for j in range(x.size):
            y[j] = g[j] * ((x[j] - m[j]) * inverse_std[j]) + b[j]
        activate_line(y, row, columns.start, bits, behind)


@kernel()
def batchnorm_backward(share: Any, *arguments: Any) -> None:
    """The gradients of `batchnorm_forward`.

    The first piece writes those of the vectors, zero for the bias, which cancels out; `dh` becomes the gradient with
    respect to the normalized, scaled and shifted z. The second makes it the gradient with respect to z; `sums` are the
    gradients of γ and β over all rows of the minibatch.
    """
    in_parts(share, _batchnorm_backward, arguments)


@inner()
def _batchnorm_backward(
    dh: FloatArray,
    h: FloatArray,
    z: FloatArray,
    statistics: tuple[FloatArray, FloatArray],
    vectors: tuple[FloatArray, FloatArray, FloatArray],
    gradients: tuple[FloatArray, FloatArray, FloatArray],
    pieces: tuple[int, int],
    sums: tuple[FloatArray, FloatArray],
    count: Any,
    behind: Any,
    scratch: Scratch,
    part: int,
    parts: int,
) -> None:
    columns = part_of_columns(vectors[0].size, part, parts)
    known = statistics[0][columns], statistics[1][columns], vectors[1][columns], vectors[2][columns]
    for piece in range(*pieces):
        if piece == 0:
            rows, into = (dh, h, z), (gradients[0][columns], gradients[1][columns], gradients[2][columns])
            _gradients_of_vectors(rows, columns, known, into, behind, scratch, part)
        else:
            _through_statistics((dh, z), columns, known, (sums[0][columns], sums[1][columns]), count, scratch, part)


@inline()
def _gradients_of_vectors(
    rows: tuple[FloatArray, FloatArray, FloatArray],
    columns: slice,
    known: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    into: tuple[FloatArray, FloatArray, FloatArray],
    behind: Any,
    scratch: Scratch,
    part: int,
) -> None:
    (dh, h, z), (m, s, g, b), zero = rows, known, rows[0].dtype.type(0)
    dg, db = zeros(scratch, part, 0, m.size), zeros(scratch, part, 1, m.size)
    bits, line = scratch[1][part, 0], scratch[0][part, 2, : m.size]
    for row in range(dh.shape[0]):
        x, dy = z[row, columns], dh[row, columns]
        if behind.activation != RELU:
            for j in range(x.size):
                line[j] = g[j] * ((x[j] - m[j]) * s[j]) + b[j]
        activate_line_backward(dy, h[row, columns], line, row, columns.start, bits, behind)
        for j in range(dy.size):
            db[j] += dy[j]
            dg[j] += dy[j] * ((x[j] - m[j]) * s[j])
    for j in range(m.size):
        into[0][j], into[1][j], into[2][j] = zero, dg[j], db[j]


@inline()
def _through_statistics(
    rows: tuple[FloatArray, FloatArray],
    columns: slice,
    known: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    sums: tuple[FloatArray, FloatArray],
    count: Any,
    scratch: Scratch,
    part: int,
) -> None:
    (dh, z), (m, s, g, _), lines = rows, known, scratch[0][part]
    scale, dg, db = lines[0, : g.size], lines[1, : g.size], lines[2, : g.size]
    for j in range(g.size):  # once, and not for each row: divisions are slow
        scale[j], dg[j], db[j] = g[j] * s[j], sums[0][j] / count, sums[1][j] / count
    for row in range(dh.shape[0]):
        x, dy = z[row, columns], dh[row, columns]
        for j in range(dy.size):
            x_hat = (x[j] - m[j]) * s[j]
            dy[j] = scale[j] * (dy[j] - db[j] - x_hat * dg[j])
