r"""Batch normalization of the columns of a matrix: out = γ · (x − mean) / √(variance + ε) + β."""

from typing import NamedTuple

import numpy as np

from thinnet.arguments import known_arguments
from thinnet.checks import check_arrays, check_cache, check_gradient, check_number
from thinnet.errors import ArgumentError
from thinnet.typing import FloatArray

MOMENTUM = 0.9
EPS = 1e-5


class BatchnormCache(NamedTuple):
    x_hat: FloatArray  # (N, D), the normalized input
    inverse_std: FloatArray  # (D,), 1 / sqrt(variance + eps)
    gamma: FloatArray  # (D,)
    training: bool


@known_arguments
def batchnorm_forward(
    x: FloatArray,
    gamma: FloatArray,
    beta: FloatArray,
    running_mean: FloatArray,
    running_var: FloatArray,
    *,
    training: bool = True,
    momentum: float = MOMENTUM,
    eps: float = EPS,
) -> tuple[FloatArray, BatchnormCache]:
    r"""Normalize each column over the batch, then scale by γ and shift by β.

    In training, mean and variance are those of the batch, and the running statistics are **updated in place**:

        running = momentum · running + (1 − momentum) · batch

    so `momentum` is the weight of the old value, as in the courses and in Keras; PyTorch's argument of that name is the
    weight of the new one.  Both variances are biased (divided by N), as in the courses and in Keras.  In test mode the
    running statistics are used instead of the batch's, and are not changed.

    Args:
        x: (N, D) floats.
        gamma, beta: (D,) scale and shift.
        running_mean, running_var: (D,) statistics for test mode; updated in training.  All five have one float dtype.
        training: whether to use the batch's statistics.
        momentum: the weight of the old running statistic, 0 <= momentum < 1.
        eps: added to the variance, > 0, in the units of x squared.

    Returns:
        out: (N, D), of the dtype of x.
        cache: what `batchnorm_backward` needs.

    Raises:
        ArgumentError: if shapes or dtypes do not fit, a number is outside its limits, or a training batch has fewer
            than two rows.

    Source: Ioffe and Szegedy, "Batch normalization", arXiv 1502.03167 (2015).

    >>> mean, var = np.zeros(1), np.ones(1)
    >>> out, cache = batchnorm_forward(np.array([[1.0], [3.0]]), np.ones(1), np.zeros(1), mean, var)
    >>> out.round(3)
    array([[-1.],
           [ 1.]])
    >>> mean
    array([0.2])
    """
    running = {"running_mean": (running_mean, "D"), "running_var": (running_var, "D")}
    rows = check_arrays("batchnorm_forward", x=(x, "N D"), gamma=(gamma, "D"), beta=(beta, "D"), **running)["N"]
    check_number("momentum", momentum)
    check_number("eps", eps)
    _check_running(rows, running_mean, running_var, training)
    mean, var = (x.mean(axis=0), x.var(axis=0)) if training else (running_mean, running_var)
    inverse_std = 1 / np.sqrt(var + x.dtype.type(eps))
    x_hat = (x - mean) * inverse_std
    if training:
        _inplace_average(running_mean, mean, momentum)
        _inplace_average(running_var, var, momentum)
    return gamma * x_hat + beta, BatchnormCache(x_hat, inverse_std, gamma, training)


@known_arguments
def batchnorm_backward(dout: FloatArray, cache: BatchnormCache) -> tuple[FloatArray, FloatArray, FloatArray]:
    r"""The gradients with respect to x, γ and β.

    With g = γ · dout, in training

        dx = (g − mean(g) − x̂ · mean(g · x̂)) / √(variance + ε)

    where the two means are the gradient through the batch's mean and variance; in test mode those are constants, and
    dx = g / √(variance + ε).

    Args:
        dout: (N, D) gradient with respect to the output.
        cache: from `batchnorm_forward`.

    Returns:
        dx (N, D), dgamma (D,), dbeta (D,).

    Raises:
        ArgumentError: if `dout` does not have the shape of x.

    >>> out, cache = batchnorm_forward(np.array([[1.0], [3.0]]), np.ones(1), np.zeros(1), np.zeros(1), np.ones(1))
    >>> dx, dgamma, dbeta = batchnorm_backward(np.array([[2.0], [5.0]]), cache)
    >>> dbeta
    array([7.])
    """
    check_cache("batchnorm_backward", cache, BatchnormCache)
    check_gradient("batchnorm_backward", dout, cache.x_hat.shape)
    dgamma, dbeta = (dout * cache.x_hat).sum(axis=0), dout.sum(axis=0)
    dx_hat = dout * cache.gamma
    if cache.training:
        through_var = (dx_hat * cache.x_hat).mean(axis=0)
        dx_hat = dx_hat - dx_hat.mean(axis=0) - cache.x_hat * through_var
    return dx_hat * cache.inverse_std, dgamma, dbeta


def check_batch(name: str, rows: int) -> None:
    """Raise if a training batch has fewer than two rows: one row equals its own mean, so the output would just be β."""
    if rows < 2:
        raise ArgumentError(
            f"{name} must have at least two rows in training with batch normalization, got {rows or 'none'}. "
            f"Use a larger batch, or layer normalization."
        )


def _check_running(rows: int, running_mean: FloatArray, running_var: FloatArray, training: bool) -> None:
    """Raise if training cannot change the running statistics, or has too few rows, or variances are negative."""
    if training:
        check_batch("batchnorm_forward: x", rows)
    for name, array in (("running_mean", running_mean), ("running_var", running_var)):
        if training and not array.flags.writeable:
            raise ArgumentError(
                f"batchnorm_forward: {name} must be writable in training, which changes it, got a read-only array. "
                f"Give a copy: {name}.copy()."
            )
    if (running_var < 0).any():
        raise ArgumentError(
            f"batchnorm_forward: running_var must be >= 0, got {running_var.min():g}. The order is running_mean, "
            f"running_var."
        )


def _inplace_average(running: FloatArray, new: FloatArray, momentum: float) -> None:
    running *= running.dtype.type(momentum)
    running += running.dtype.type(1 - momentum) * new
