"""The kernels of the losses in `thinnet.layers.losses`, with the output layer's bias added on the way.

Each returns the mean loss of scores + bias and writes the gradients: of the scores to `scores`, of the bias to `dbias`.
`weights` is (N,), or empty if every row counts once; `smoothing` is label smoothing.
"""

from typing import Any

import numpy as np

from thinnet.kernels.compile import inline, kernel
from thinnet.typing import AnyArray, FloatArray, IntArray


@inline()
def _inplace_normalizers(scores: FloatArray, bias: FloatArray) -> tuple[Any, Any]:
    """Add the bias to a row of scores; return, in two parts, what to subtract to get log probabilities."""
    highest, total = scores[0] + bias[0], scores.dtype.type(0)
    for c in range(scores.size):
        scores[c] += bias[c]
        if not scores[c] <= highest:  # written this way so that NaN reaches the loss
            highest = scores[c]
    for c in range(scores.size):
        total += np.exp(scores[c] - highest)
    return highest, np.log(total)


@kernel()
def inplace_softmax_loss(
    scores: FloatArray, bias: FloatArray, y: IntArray, weights: FloatArray, dbias: FloatArray, smoothing: Any
) -> float:
    """The kernel of `thinnet.layers.losses.softmax_loss`."""
    rows, classes = scores.shape
    zero, one, count = scores.dtype.type(0), scores.dtype.type(1), scores.dtype.type(scores.shape[0])
    share = smoothing / scores.dtype.type(classes)
    loss = 0.0
    dbias[:] = zero
    for row in range(rows):
        highest, log_total = _inplace_normalizers(scores[row], bias)
        weight = weights[row] if weights.shape[0] else one
        loss -= weight * (one - smoothing) * (scores[row, y[row]] - highest - log_total)
        if smoothing > zero:
            for c in range(classes):
                loss -= weight * share * (scores[row, c] - highest - log_total)
        for c in range(classes):
            gradient = np.exp(scores[row, c] - highest - log_total)
            if c == y[row]:
                gradient -= one - smoothing
            scores[row, c] = weight * (gradient - share) / count
            dbias[c] += scores[row, c]
    return float(loss / rows)


@kernel()
def inplace_shares_loss(
    scores: FloatArray, bias: FloatArray, y: FloatArray, weights: FloatArray, dbias: FloatArray, smoothing: Any
) -> float:
    """The kernel of `thinnet.layers.losses.softmax_loss` where `y` is (N, C), the share of each class."""
    rows, classes = scores.shape
    zero, one, count = scores.dtype.type(0), scores.dtype.type(1), scores.dtype.type(scores.shape[0])
    smooth = smoothing / scores.dtype.type(classes)
    loss = 0.0
    dbias[:] = zero
    for row in range(rows):
        highest, log_total = _inplace_normalizers(scores[row], bias)
        whole = zero
        for c in range(classes):
            whole += (one - smoothing) * y[row, c] + smooth
        weight = weights[row] if weights.shape[0] else one
        for c in range(classes):
            log_probability = scores[row, c] - highest - log_total
            target = (one - smoothing) * y[row, c] + smooth
            loss -= weight * target * log_probability
            scores[row, c] = weight * (whole * np.exp(log_probability) - target) / count
            dbias[c] += scores[row, c]
    return float(loss / rows)


@kernel()
def inplace_mse_loss(
    scores: FloatArray, bias: FloatArray, y: FloatArray, weights: FloatArray, dbias: FloatArray
) -> float:
    """The kernel of `thinnet.layers.losses.mse_loss`."""
    rows, columns = scores.shape
    one, two_over_size = scores.dtype.type(1), scores.dtype.type(2 / scores.size)
    loss = 0.0
    dbias[:] = scores.dtype.type(0)
    for row in range(rows):
        weight = weights[row] if weights.shape[0] else one
        for c in range(columns):
            difference = scores[row, c] + bias[c] - y[row, c]
            loss += weight * difference * difference
            scores[row, c] = weight * difference * two_over_size
            dbias[c] += scores[row, c]
    return float(loss / scores.size)


@kernel()
def inplace_logistic_loss(
    scores: FloatArray, bias: FloatArray, y: FloatArray, weights: FloatArray, dbias: FloatArray, smoothing: Any
) -> float:
    """The kernel of `thinnet.layers.losses.logistic_loss`."""
    rows, columns = scores.shape
    zero, one, size = scores.dtype.type(0), scores.dtype.type(1), scores.dtype.type(scores.size)
    loss = 0.0
    dbias[:] = zero
    for row in range(rows):
        weight = weights[row] if weights.shape[0] else one
        for c in range(columns):
            score = scores[row, c] + bias[c]
            target = (one - smoothing) * y[row, c] + smoothing / scores.dtype.type(2)
            small = np.exp(-np.abs(score))
            highest = score if not score <= zero else zero  # written this way so that NaN reaches the loss
            loss += weight * (highest - score * target + np.log1p(small))
            probability = (one if score >= zero else small) / (one + small)
            scores[row, c] = weight * (probability - target) / size
            dbias[c] += scores[row, c]
    return float(loss / scores.size)


def kernel_of(loss: str, y: AnyArray) -> Any:
    """The kernel of a loss for targets like y, or None if there is none."""
    return inplace_shares_loss if loss == "softmax" and y.ndim == 2 else KERNELS.get(loss)


KERNELS = {"softmax": inplace_softmax_loss, "mse": inplace_mse_loss, "logistic": inplace_logistic_loss}
