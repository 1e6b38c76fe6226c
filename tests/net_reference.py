"""What a net must compute, in float64 and written down anew: no layer, no kernel, no buffer of ours."""

from __future__ import annotations

from typing import Any

import numpy as np

from thinnet import FullyConnectedNet
from thinnet.masks import keep_mask
from thinnet.typing import AnyArray, FloatArray

EPS, MOMENTUM = 1e-5, 0.9
AXES = {"batchnorm": 0, "layernorm": 1}

Arrays = dict[str, FloatArray]


def reference(
    net: FullyConnectedNet, X: AnyArray, y: AnyArray, step: int, weights: AnyArray | None = None
) -> tuple[float, Arrays, Arrays]:
    """Loss, gradients and running statistics of one step of training."""
    p, kept, last = _in_float64(net.params), _kept_columns(net, step), net.num_layers
    if net.dropout_mask == "batch":  # weights of dropped units take no part, in the penalty neither
        for i in range(1, last):
            p[f"W{i}"], p[f"W{i + 1}"] = p[f"W{i}"] * kept[i], p[f"W{i + 1}"] * kept[i][:, None]
    running, gradients, caches = _in_float64(net.running), Arrays(), []
    h = np.asarray(X, np.float64)
    for i in range(1, last):
        z = h @ p[f"W{i}"] + p[f"b{i}"]
        axis = AXES.get(str(net.normalization))
        hat, std = z, np.ones((1, 1))
        if axis is not None:
            mean, var = z.mean(axis=axis, keepdims=True), z.var(axis=axis, keepdims=True)
            std = np.sqrt(var + EPS)
            hat = (z - mean) / std
            z = p[f"gamma{i}"] * hat + p[f"beta{i}"]
            if axis == 0:
                for name, new in ((f"running_mean{i}", mean[0]), (f"running_var{i}", var[0])):
                    moved = MOMENTUM * running[name] + (1 - MOMENTUM) * new
                    running[name] = np.where(kept[i], moved, running[name])
        shape = (len(X), z.shape[1]) if net.dropout_mask == "element" else (1, z.shape[1])
        keep = keep_mask(net.dropout, shape, seed=net.seed, step=step, layer=i - 1)
        factor = keep / (1 - net.dropout if net.scaling == "inverted" else 1.0) * (z > 0)
        caches.append((h, hat, std, axis, factor))
        h = z * factor
    losses, d = _loss(net.loss_name, h @ p[f"W{last}"] + p[f"b{last}"], y)
    counts = np.ones(len(X)) if weights is None else np.asarray(weights, np.float64)
    loss, d = float((counts * losses).mean()), d * counts[:, None] / len(X)
    for i in range(last, 0, -1):
        below = caches[i - 1][0] if i < last else h
        if i < last:
            _, hat, std, axis, factor = caches[i - 1]
            d = d * factor
            if axis is not None:
                gradients[f"gamma{i}"], gradients[f"beta{i}"] = (d * hat).sum(axis=0), d.sum(axis=0)
                d = d * p[f"gamma{i}"]
                means = d.mean(axis=axis, keepdims=True), (d * hat).mean(axis=axis, keepdims=True)
                d = (d - means[0] - hat * means[1]) / std
        gradients[f"W{i}"], gradients[f"b{i}"] = below.T @ d + net.reg * p[f"W{i}"], d.sum(axis=0)
        d = d @ p[f"W{i}"].T
        loss += 0.5 * net.reg * float((p[f"W{i}"] ** 2).sum())
    return loss, gradients, running


def reference_scores(net: FullyConnectedNet, X: AnyArray) -> FloatArray:
    """The scores in test mode."""
    p, running, h = _in_float64(net.params), _in_float64(net.running), np.asarray(X, np.float64)
    for i in range(1, net.num_layers):
        h = h @ p[f"W{i}"] + p[f"b{i}"]
        if net.normalization == "batchnorm":
            h = (h - running[f"running_mean{i}"]) / np.sqrt(running[f"running_var{i}"] + EPS)
        elif net.normalization == "layernorm":
            h = (h - h.mean(axis=1, keepdims=True)) / np.sqrt(h.var(axis=1, keepdims=True) + EPS)
        if net.normalization is not None:
            h = p[f"gamma{i}"] * h + p[f"beta{i}"]
        h = np.maximum(h, 0) * (1 - net.dropout if net.scaling == "classic" else 1.0)
    scores: FloatArray = h @ p[f"W{net.num_layers}"] + p[f"b{net.num_layers}"]
    return scores


def _in_float64(arrays: Any) -> Arrays:
    return {name: array.astype(np.float64) for name, array in arrays.items()}


def _kept_columns(net: FullyConnectedNet, step: int) -> dict[int, AnyArray]:
    """For each hidden layer, from 1, the units that take part in a step: all of them, unless the batch has one mask."""
    if net.dropout_mask == "element":
        return {i: np.ones(dim, bool) for i, dim in enumerate(net.hidden_dims, 1)}
    dims = enumerate(net.hidden_dims, 1)
    return {i: keep_mask(net.dropout, (1, dim), seed=net.seed, step=step, layer=i - 1)[0] for i, dim in dims}


def _loss(name: str, scores: FloatArray, y: AnyArray) -> tuple[FloatArray, FloatArray]:
    """The loss of each row, and its gradient with respect to that row's scores."""
    rows, classes = np.arange(len(scores)), scores.shape[1]
    if name == "softmax":
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        odds /= odds.sum(axis=1, keepdims=True)
        return -np.log(odds[rows, y]), odds - np.eye(classes)[y]
    if name == "svm":
        others = 1 - np.eye(classes)[y]
        margins = np.maximum(scores - scores[rows, y][:, None] + 1, 0) * others
        slopes = 1.0 * (margins > 0)
        slopes[rows, y] -= slopes.sum(axis=1)
        return margins.sum(axis=1), slopes
    if name == "mse":
        return np.square(scores - y).mean(axis=1), 2 * (scores - y) / classes
    return (np.logaddexp(0, scores) - y * scores).mean(axis=1), (1 / (1 + np.exp(-scores)) - y) / classes
