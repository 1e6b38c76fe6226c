r"""Losses: each returns the mean over the batch and its gradient with respect to the scores.

With weights, row n counts w[n] times: its loss is multiplied by w[n], and the sum is still divided by N. So weights
with mean 1 do not change the scale, and minibatches of weighted rows are unbiased.
"""

import numpy as np

from thinnet.arguments import known_arguments
from thinnet.checks import check_arrays, check_labels, check_number
from thinnet.errors import ArgumentError
from thinnet.typing import AnyArray, FloatArray, IntArray


@known_arguments
def softmax_loss(
    scores: FloatArray, y: AnyArray, weights: FloatArray | None = None, *, label_smoothing: float = 0.0
) -> tuple[float, FloatArray]:
    r"""Softmax and cross-entropy: loss = mean over n of −log(exp(s[n, y[n]]) / Σ_c exp(s[n, c])).

    Args:
        scores: (N, C) floats, one column per class.
        y: (N,) integer labels, 0 <= y < C; or (N, C) floats of the same dtype from 0 to 1, with the share of each
            class in each row, as mixup produces, and the loss −Σ_c y[n, c] · log(exp(s[n, c]) / Σ).
        weights: (N,) floats >= 0 of the same dtype; None for 1 each.
        label_smoothing: e, 0 <= e < 1: the target is 1 − e + e/C for the label and e/C for each other class.

    Returns:
        loss: the mean, in nats.
        dscores: (N, C), its gradient.

    Raises:
        ArgumentError: if shapes or dtypes do not fit, a label is out of range, or the batch is empty.

    Source: for smoothing, Szegedy et al., "Rethinking the Inception architecture", arXiv 1512.00567 (2015), section 7.

    >>> loss, dscores = softmax_loss(np.array([[0.0, 0.0]]), np.array([1]))
    >>> round(loss, 4)
    0.6931
    >>> dscores
    array([[ 0.5, -0.5]])
    """
    check_classes("softmax_loss", scores, y, weights)
    rows = np.arange(len(scores))
    shifted = scores - scores.max(axis=1, keepdims=True)  # prevents overflow in exp
    total = np.exp(shifted).sum(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(total)
    dscores, share = np.exp(log_probabilities), scores.dtype.type(check_number("label_smoothing", label_smoothing))
    if y.ndim == 2:
        targets = (1 - share) * y + share / scores.dtype.type(scores.shape[1])
        losses, dscores = -(targets * log_probabilities).sum(axis=1), dscores * targets.sum(axis=1, keepdims=True)
        return _mean(losses, dscores - targets, weights)
    losses = -log_probabilities[rows, y]
    dscores[rows, y] -= 1 - share
    if share:
        losses = (1 - share) * losses - share * log_probabilities.mean(axis=1)
        dscores -= share / scores.dtype.type(scores.shape[1])
    return _mean(losses, dscores, weights)


@known_arguments
def svm_loss(scores: FloatArray, y: IntArray, weights: FloatArray | None = None) -> tuple[float, FloatArray]:
    r"""The multi-class hinge loss: mean over n of Σ_{c ≠ y[n]} max(0, s[n, c] − s[n, y[n]] + 1).

    Args:
        scores: (N, C) floats, one column per class.
        y: (N,) integer labels, 0 <= y < C.
        weights: (N,) floats >= 0 of the same dtype; None for 1 each.

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
    check_labeled("svm_loss", scores, y, weights)
    rows = np.arange(len(scores))
    margins = np.maximum(scores - scores[rows, y][:, None] + 1, 0)
    margins[rows, y] = 0
    dscores = (margins > 0).astype(scores.dtype)
    dscores[rows, y] = -dscores.sum(axis=1)
    return _mean(margins.sum(axis=1), dscores, weights)


@known_arguments
def mse_loss(scores: FloatArray, y: FloatArray, weights: FloatArray | None = None) -> tuple[float, FloatArray]:
    r"""Mean squared error over all elements: loss = mean of (scores − y)².

    Args:
        scores: (N, C) floats, the predictions.
        y: (N, C) targets of the same dtype.
        weights: (N,) floats >= 0 of the same dtype; None for 1 each.

    Returns:
        loss: the mean, in the units of y squared.
        dscores: (N, C), its gradient.

    Raises:
        ArgumentError: if shapes or dtypes do not fit, or the batch is empty.

    >>> mse_loss(np.array([[1.0, 2.0]]), np.array([[1.0, 4.0]]))
    (2.0, array([[ 0., -2.]]))
    """
    check_valued("mse_loss", scores, y, weights)
    difference = scores - y
    columns = scores.dtype.type(scores.shape[1])
    return _mean(np.square(difference).sum(axis=1) / columns, difference * (2 / columns), weights)


@known_arguments
def logistic_loss(
    scores: FloatArray, y: FloatArray, weights: FloatArray | None = None, *, label_smoothing: float = 0.0
) -> tuple[float, FloatArray]:
    r"""Binary cross-entropy per element, for rows that may have several labels.

    loss = mean of −y·log σ(s) − (1 − y)·log(1 − σ(s)) = mean of max(s, 0) − s·y + log(1 + exp(−|s|)), where
    σ(s) = 1 / (1 + exp(−s)).

    Args:
        scores: (N, C) floats, one column per label.
        y: (N, C) targets of the same dtype, 0 <= y <= 1: 1 if the row has the label.
        weights: (N,) floats >= 0 of the same dtype; None for 1 each.
        label_smoothing: e, 0 <= e < 1: the target is (1 − e)·y + e/2.

    Returns:
        loss: the mean over all elements, in nats.
        dscores: (N, C), its gradient.

    Raises:
        ArgumentError: if shapes or dtypes do not fit, a target is not between 0 and 1, or the batch is empty.

    >>> loss, dscores = logistic_loss(np.array([[0.0, 0.0]]), np.array([[1.0, 0.0]]))
    >>> round(loss, 4)
    0.6931
    >>> dscores
    array([[-0.25,  0.25]])
    """
    check_fractions("logistic_loss", scores, y, weights)
    columns = scores.dtype.type(scores.shape[1])
    share = scores.dtype.type(check_number("label_smoothing", label_smoothing))
    y = (1 - share) * y + share / 2 if share else y
    small = np.exp(-np.abs(scores))  # at most 1
    losses = np.maximum(scores, 0) - scores * y + np.log1p(small)
    probabilities = np.where(scores >= 0, 1, small) / (1 + small)
    return _mean(losses.sum(axis=1) / columns, (probabilities - y) / columns, weights)


@known_arguments
def poisson_loss(scores: FloatArray, y: FloatArray, weights: FloatArray | None = None) -> tuple[float, FloatArray]:
    r"""Half the Poisson deviance, for counts and other nonnegative amounts with expected values exp(scores).

    loss = mean over n of Σ_c (y·log y − y·s − y + exp(s)), with 0·log 0 = 0: zero where exp(s) = y.

    Args:
        scores: (N, C) floats, the logarithms of the predictions.
        y: (N, C) targets of the same dtype, y >= 0.
        weights: (N,) floats >= 0 of the same dtype; None for 1 each.

    Returns:
        loss: the mean over the rows of the sum over the columns.
        dscores: (N, C), its gradient.

    Raises:
        ArgumentError: if shapes or dtypes do not fit, a target is not >= 0, or the batch is empty.

    Source: McCullagh and Nelder, "Generalized linear models" (1989), sections 2.3 and 6.

    >>> loss, dscores = poisson_loss(np.array([[0.0, 0.0]]), np.array([[1.0, 0.0]]))
    >>> loss
    1.0
    >>> dscores
    array([[0., 1.]])
    """
    check_counts("poisson_loss", scores, y, weights)
    expected = np.exp(scores)
    losses = y * (np.log(np.where(y > 0, y, 1)) - scores - 1) + expected
    return _mean(losses.sum(axis=1), expected - y, weights)


def _mean(losses: FloatArray, gradients: FloatArray, weights: FloatArray | None) -> tuple[float, FloatArray]:
    """The mean of the rows' losses (N,), and its gradient, from the rows' gradients (N, C)."""
    if weights is not None:
        losses, gradients = losses * weights, gradients * weights[:, None]
    return float(losses.sum() / len(losses)), gradients / gradients.dtype.type(len(losses))


def check_labeled(where: str, scores: FloatArray, y: IntArray, weights: FloatArray | None = None) -> None:
    """Check that `scores` is (N, C) and not empty, `y` (N,) labels of those classes, and `weights` (N,) and >= 0."""
    sizes = check_arrays(where, scores=(scores, "N C"))
    _check_rows(where, scores, weights)
    check_labels(where, y, sizes["N"], sizes["C"])


def check_classes(where: str, scores: FloatArray, y: AnyArray, weights: FloatArray | None = None) -> None:
    """Like `check_labeled`; but if `y` is (N, C) floats, the shares of the classes, like `check_fractions`.

    Zeros and ones of another dtype are most likely meant as labels.
    """
    shares = isinstance(y, np.ndarray) and y.ndim == 2 and y.dtype.kind == "f"
    meant = shares and (y.dtype == getattr(scores, "dtype", None) or not np.isin(y, (0, 1)).all())
    check = check_fractions if meant else check_labeled
    check(where, scores, y, weights)


def check_valued(where: str, scores: FloatArray, y: FloatArray, weights: FloatArray | None = None) -> None:
    """Check that `scores` is (N, C) and not empty, `y` of the same shape and dtype, and `weights` (N,) and >= 0."""
    check_arrays(where, scores=(scores, "N C"), y=(y, "N C"))
    _check_rows(where, scores, weights)


def check_fractions(where: str, scores: FloatArray, y: FloatArray, weights: FloatArray | None = None) -> None:
    """Like `check_valued`, and every element of `y` must be between 0 and 1."""
    check_valued(where, scores, y, weights)
    if not (float(y.min()) >= 0 and float(y.max()) <= 1):  # written so that NaN fails
        raise ArgumentError(
            f"{where}: y must be between 0 and 1, got values from {y.min():g} to {y.max():g}. "
            "Write 1 where a row has the label, and 0 where it does not."
        )


def check_counts(where: str, scores: FloatArray, y: FloatArray, weights: FloatArray | None = None) -> None:
    """Like `check_valued`, and every element of `y` must be >= 0."""
    check_valued(where, scores, y, weights)
    if not float(y.min()) >= 0:
        raise ArgumentError(f"{where}: y must be >= 0, got {y.min():g}. Use loss='mse' for values of either sign.")


def _check_rows(where: str, scores: FloatArray, weights: FloatArray | None) -> None:
    if scores.size == 0:
        raise ArgumentError(
            f"{where}: scores must have at least one row and one column, got {scores.shape}. Skip empty batches."
        )
    if weights is None:
        return
    check_arrays(where, scores=(scores, "N C"), weights=(weights, "N"))
    if not float(weights.min()) >= 0:
        raise ArgumentError(f"{where}: weights must be >= 0, got {weights.min():g}. Use 0 to leave a row out.")
