"""An independent float64 reference for nets: it uses none of our layers, kernels or buffers."""

from __future__ import annotations

from typing import Any, NamedTuple

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
    """Loss, gradients and running statistics of one training step."""
    p, running, kept, last = _in_float64(net.params), _in_float64(net.running), _kept_units(net, step), net.num_layers
    if net.dropout_mask == "batch":  # weights of dropped units are left out, in the penalty too
        for i in range(1, last):
            p[f"W{i}"], p[f"W{i + 1}"] = p[f"W{i}"] * kept[i], p[f"W{i + 1}"] * kept[i][:, None]
    hidden = []
    h = np.asarray(X, np.float64)
    for i in range(1, last):
        z, norm = _normalized(net, p, i, h @ p[f"W{i}"] + p[f"b{i}"])
        if net.normalization == "batchnorm":
            for name, new in ((f"running_mean{i}", norm.mean[0]), (f"running_var{i}", norm.var[0])):
                moved = MOMENTUM * running[name] + (1 - MOMENTUM) * new
                running[name] = np.where(kept[i], moved, running[name])
        factor = _mask(net, step, i, z.shape) / (1 - net.dropout if net.scaling == "inverted" else 1.0) * (z > 0)
        hidden.append((h, norm, factor))
        h = z * factor
    losses, d = _loss(net.loss_name, h @ p[f"W{last}"] + p[f"b{last}"], y, net.label_smoothing)
    counts = np.ones(len(X)) if weights is None else np.asarray(weights, np.float64)
    gradients, d = Arrays(), d * counts[:, None] / len(X)
    for i in range(last, 0, -1):
        if i < last:
            h, norm, factor = hidden[i - 1]
            d = _normalized_backward(net, p, i, d * factor, norm, gradients)
        gradients[f"W{i}"], gradients[f"b{i}"] = h.T @ d + net.reg * p[f"W{i}"], d.sum(axis=0)
        d = d @ p[f"W{i}"].T
    penalty = 0.5 * net.reg * sum(float((p[f"W{i}"] ** 2).sum()) for i in range(1, last + 1))
    return float((counts * losses).mean()) + penalty, gradients, running


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


def _mask(net: FullyConnectedNet, step: int, i: int, shape: tuple[int, ...]) -> AnyArray:
    """The mask of hidden layer i, counted from 1: a single row if the whole batch shares one mask."""
    rows = shape[0] if net.dropout_mask == "element" else 1
    return keep_mask(net.dropout, (rows, shape[1]), seed=net.seed, step=step, layer=i - 1)


def _kept_units(net: FullyConnectedNet, step: int) -> dict[int, AnyArray]:
    """For each hidden layer, from 1, the units used in a step: all, unless the whole batch shares one mask."""
    dims = enumerate(net.hidden_dims, 1)
    if net.dropout_mask == "element":
        return {i: np.ones(dim, bool) for i, dim in dims}
    return {i: _mask(net, step, i, (1, dim))[0] for i, dim in dims}


class Norm(NamedTuple):
    mean: FloatArray  # (1, D) of the columns, or (N, 1) of the rows
    var: FloatArray
    hat: FloatArray  # (N, D), of mean 0 and variance 1


def _normalized(net: FullyConnectedNet, p: Arrays, i: int, z: FloatArray) -> tuple[FloatArray, Norm]:
    if net.normalization is None:
        return z, Norm(z, z, z)
    axis = AXES[net.normalization]
    mean, var = z.mean(axis=axis, keepdims=True), z.var(axis=axis, keepdims=True)
    hat = (z - mean) / np.sqrt(var + EPS)
    return p[f"gamma{i}"] * hat + p[f"beta{i}"], Norm(mean, var, hat)


def _normalized_backward(
    net: FullyConnectedNet, p: Arrays, i: int, d: FloatArray, norm: Norm, gradients: Arrays
) -> FloatArray:
    if net.normalization is None:
        return d
    axis = AXES[net.normalization]
    gradients[f"gamma{i}"], gradients[f"beta{i}"] = (d * norm.hat).sum(axis=0), d.sum(axis=0)
    d = d * p[f"gamma{i}"]
    along = norm.hat * (d * norm.hat).mean(axis=axis, keepdims=True)
    dz: FloatArray = (d - d.mean(axis=axis, keepdims=True) - along) / np.sqrt(norm.var + EPS)
    return dz


def _loss(name: str, scores: FloatArray, y: AnyArray, smoothing: float) -> tuple[FloatArray, FloatArray]:
    """The loss of each row, and its gradient with respect to that row's scores."""
    rows, classes = np.arange(len(scores)), scores.shape[1]
    if name == "softmax":
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        odds /= odds.sum(axis=1, keepdims=True)
        targets = (1 - smoothing) * np.eye(classes)[y] + smoothing / classes
        return -(targets * np.log(odds)).sum(axis=1), odds - targets
    if name == "svm":
        others = 1 - np.eye(classes)[y]
        margins = np.maximum(scores - scores[rows, y][:, None] + 1, 0) * others
        slopes = 1.0 * (margins > 0)
        slopes[rows, y] -= slopes.sum(axis=1)
        return margins.sum(axis=1), slopes
    if name == "mse":
        return np.square(scores - y).mean(axis=1), 2 * (scores - y) / classes
    if name == "poisson":
        ratios = np.where(y > 0, y, 1) / np.exp(np.where(y > 0, scores, 0))
        return (y * np.log(ratios) - y + np.exp(scores)).sum(axis=1), np.exp(scores) - y
    y = (1 - smoothing) * y + smoothing / 2
    return (np.logaddexp(0, scores) - y * scores).mean(axis=1), (1 / (1 + np.exp(-scores)) - y) / classes
