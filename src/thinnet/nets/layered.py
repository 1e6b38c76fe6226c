"""A `FullyConnectedNet` computed by the layers' own functions: the readable way, and the truth for the fast one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from thinnet.layers import (
    LOSSES,
    affine_backward,
    affine_forward,
    batchnorm_backward,
    batchnorm_forward,
    dropout_backward,
    dropout_forward,
    layernorm_backward,
    layernorm_forward,
    relu_backward,
    relu_forward,
)
from thinnet.parameters import Parameters
from thinnet.sparse_rows import SparseRows
from thinnet.typing import AnyArray, FloatArray

if TYPE_CHECKING:
    from thinnet.nets.fully_connected import FullyConnectedNet


def gradients(
    net: FullyConnectedNet,
    X: FloatArray | SparseRows,
    y: AnyArray,
    into: Parameters,
    step: int,
    weights: FloatArray | None = None,
) -> float:
    """Write the gradients of the loss (without the L2 penalty) into `into`; return the loss."""
    scores, caches = forward(net, X, step)
    loss, dscores = LOSSES[net.loss_name].function(scores, y, weights)
    _backward(net, dscores, caches, into)
    return float(loss)


def forward(
    net: FullyConnectedNet, h: FloatArray | SparseRows, step: int | None = None
) -> tuple[FloatArray, list[Any]]:
    """Scores and caches; in training mode with the masks of `step`, in test mode where it is None."""
    caches: list[Any] = []
    for i in range(1, net.num_layers):
        h, cache = hidden_forward(net, i, h, step)
        caches.append(cache)
    scores, cache = _affine_forward(h, net.params[f"W{net.num_layers}"], net.params[f"b{net.num_layers}"])
    return scores, [*caches, cache]


def hidden_forward(
    net: FullyConnectedNet, i: int, h: FloatArray | SparseRows, step: int | None
) -> tuple[FloatArray, tuple[Any, ...]]:
    """Hidden layer i, counted from 1: its output and the caches of its parts."""
    h, affine_cache = _affine_forward(h, net.params[f"W{i}"], net.params[f"b{i}"])
    h, norm_cache = norm_forward(net, i, h, training=step is not None)
    h, relu_cache = relu_forward(h)
    h, dropout_cache = dropout_forward(
        h,
        net.dropout,
        training=step is not None,
        scaling=net.scaling,
        seed=net.seed,
        step=step or 0,
        layer=i - 1,
        mask=net.dropout_mask,
    )
    return h, (affine_cache, norm_cache, relu_cache, dropout_cache)


def _backward(net: FullyConnectedNet, dout: FloatArray, caches: list[Any], into: Parameters) -> None:
    last = net.num_layers
    dh, into[f"W{last}"], into[f"b{last}"] = _affine_backward(dout, caches[-1])
    for i in range(last - 1, 0, -1):
        affine_cache, norm_cache, relu_cache, dropout_cache = caches[i - 1]
        dh = relu_backward(dropout_backward(dh, dropout_cache), relu_cache)
        dh = _norm_backward(net, i, dh, norm_cache, into)
        dh, into[f"W{i}"], into[f"b{i}"] = _affine_backward(dh, affine_cache)


def _affine_forward(h: FloatArray | SparseRows, W: FloatArray, b: FloatArray) -> tuple[FloatArray, Any]:
    """`affine_forward`, also for the net's input where that is sparse."""
    return (h @ W + b, h) if isinstance(h, SparseRows) else affine_forward(h, W, b)


def _affine_backward(dout: FloatArray, cache: Any) -> tuple[Any, FloatArray, FloatArray]:
    """`affine_backward`; sparse rows, which are the net's input, get no gradient: it would be dense."""
    if not isinstance(cache, SparseRows):
        return affine_backward(dout, cache)
    dW = np.empty((cache.shape[1], dout.shape[1]), dout.dtype)
    cache.weight_gradient(dout, dW)
    return None, dW, dout.sum(axis=0)


def norm_forward(net: FullyConnectedNet, i: int, h: FloatArray, training: bool) -> tuple[FloatArray, Any]:
    """The normalization of hidden layer i, if the net has one."""
    if net.normalization is None:
        return h, None
    gamma, beta = net.params[f"gamma{i}"], net.params[f"beta{i}"]
    if net.normalization == "layernorm":
        return layernorm_forward(h, gamma, beta)
    mean, var = net.running[f"running_mean{i}"], net.running[f"running_var{i}"]
    return batchnorm_forward(h, gamma, beta, mean, var, training=training)


def _norm_backward(net: FullyConnectedNet, i: int, dh: FloatArray, cache: Any, into: Parameters) -> FloatArray:
    if net.normalization is None:
        return dh
    backward = layernorm_backward if net.normalization == "layernorm" else batchnorm_backward
    dh, into[f"gamma{i}"], into[f"beta{i}"] = backward(dh, cache)
    return dh
