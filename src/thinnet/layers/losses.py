r"""Losses: each returns the mean over the batch and its gradient with respect to the scores."""

from __future__ import annotations

import numpy as np

from thinnet.checks import check_arrays, check_labels
from thinnet.errors import ArgumentError
from thinnet.typing import FloatArray, IntArray


def softmax_loss(scores: FloatArray, y: IntArray) -> tuple[float, FloatArray]:
    r"""Softmax and cross-entropy: loss = mean over n of −log(exp(s[n, y[n]]) / Σ_c exp(s[n, c])).

    Args:
        scores: (N, C) floats, one column a class.
        y: (N,) integer labels, 0 <= y < C.

    Returns:
        loss: the mean in nats.
        dscores: (N, C), its gradient.

    Raises:
        ArgumentError: if shapes or dtypes do not fit, a label is out of range, or the batch is empty.

    >>> loss, dscores = softmax_loss(np.array([[0.0, 0.0]]), np.array([1]))
    >>> round(loss, 4)
    0.6931
    >>> dscores
    array([[ 0.5, -0.5]])
    """
    check_labeled("softmax_loss", scores, y)
    rows = np.arange(len(scores))
    shifted = scores - scores.max(axis=1, keepdims=True)  # so that exp cannot overflow
    total = np.exp(shifted).sum(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(total)
    loss = -log_probabilities[rows, y].sum() / len(rows)
    dscores = np.exp(log_probabilities)
    dscores[rows, y] -= 1
    return float(loss), dscores / scores.dtype.type(len(rows))


def svm_loss(scores: FloatArray, y: IntArray) -> tuple[float, FloatArray]:
    r"""The multi-class hinge loss: mean over n of Σ_{c ≠ y[n]} max(0, s[n, c] − s[n, y[n]] + 1).

    Args:
        scores: (N, C) floats, one column a class.
        y: (N,) integer labels, 0 <= y < C.

    Returns:
        loss: the mean.
        dscores: (N, C), its gradient (zero at a kink).

    Raises:
        ArgumentError: if shapes or dtypes do not fit, a label is out of range, or the batch is empty.

    Source: Weston and Watkins, "Support vector machines for multi-class pattern recognition", ESANN 1999.

    >>> loss, dscores = svm_loss(np.array([[0.5, 0.0]]), np.array([1]))
    >>> loss
    1.5
    >>> dscores
    array([[ 1., -1.]])
    """
    check_labeled("svm_loss", scores, y)
    rows = np.arange(len(scores))
    margins = np.maximum(scores - scores[rows, y][:, None] + 1, 0)
    margins[rows, y] = 0
    dscores = (margins > 0).astype(scores.dtype)
    dscores[rows, y] = -dscores.sum(axis=1)
    return float(margins.sum() / len(rows)), dscores / scores.dtype.type(len(rows))


def mse_loss(scores: FloatArray, y: FloatArray) -> tuple[float, FloatArray]:
    r"""Mean squared error over all elements: loss = mean of (scores − y)².

    Args:
        scores: (N, C) floats, the predictions.
        y: (N, C) targets of the same dtype.

    Returns:
        loss: the mean, in the units of y squared.
        dscores: (N, C), its gradient.

    Raises:
        ArgumentError: if shapes or dtypes do not fit, or the batch is empty.

    >>> mse_loss(np.array([[1.0, 2.0]]), np.array([[1.0, 4.0]]))
    (2.0, array([[ 0., -2.]]))
    """
    check_valued("mse_loss", scores, y)
    difference = scores - y
    loss = np.square(difference).sum() / difference.size
    return float(loss), difference * scores.dtype.type(2 / difference.size)


def check_labeled(where: str, scores: FloatArray, y: IntArray) -> None:
    """Check that `scores` is (N, C) and not empty, and `y` (N,) labels of those classes."""
    sizes = check_arrays(where, scores=(scores, "N C"))
    _check_some(where, scores)
    check_labels(where, y, sizes["N"], sizes["C"])


def check_valued(where: str, scores: FloatArray, y: FloatArray) -> None:
    """Check that `scores` is (N, C) and not empty, and `y` of the same shape and dtype."""
    check_arrays(where, scores=(scores, "N C"), y=(y, "N C"))
    _check_some(where, scores)


def _check_some(where: str, scores: FloatArray) -> None:
    if scores.size == 0:
        raise ArgumentError(
            f"{where}: scores must have at least one row and one column, got {scores.shape}. Skip empty batches."
        )
