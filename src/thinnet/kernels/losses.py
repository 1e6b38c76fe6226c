"""The twin of `thinnet.layers.losses.softmax_loss`, with the output layer's bias added on the way."""

from __future__ import annotations

import numpy as np

from thinnet.kernels.compile import kernel
from thinnet.typing import FloatArray, IntArray


@kernel()
def inplace_softmax_loss(scores: FloatArray, bias: FloatArray, y: IntArray, dbias: FloatArray) -> float:
    """The mean loss of scores + bias; `scores` becomes its gradient, `dbias` the bias's."""
    rows, classes = scores.shape
    zero, count = scores.dtype.type(0), scores.dtype.type(scores.shape[0])
    loss = 0.0
    dbias[:] = zero
    for row in range(rows):
        highest = scores[row, 0] + bias[0]
        for c in range(classes):
            scores[row, c] += bias[c]
            if not scores[row, c] <= highest:  # in this form, so that NaN reaches the loss
                highest = scores[row, c]
        total = zero
        for c in range(classes):
            total += np.exp(scores[row, c] - highest)
        log_total = np.log(total)
        loss -= scores[row, y[row]] - highest - log_total
        for c in range(classes):
            gradient = np.exp(scores[row, c] - highest - log_total)
            if c == y[row]:
                gradient -= scores.dtype.type(1)
            scores[row, c] = gradient / count
            dbias[c] += scores[row, c]
    mean: float = loss / rows
    return mean
