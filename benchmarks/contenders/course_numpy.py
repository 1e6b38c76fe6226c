"""Plain NumPy as a student of the courses writes it: the control of every comparison."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from job import Job


def build(job: Job) -> Callable[[], object]:
    """One step with dicts of parameters, a cache a layer, and an Adam that makes temporaries."""
    return build_with_scores(job)[0]


def build_with_scores(job: Job) -> tuple[Callable[[], object], Callable[[Any], Any]]:
    """The step, and a function that gives scores in test mode."""
    X, y = job.floats()
    dims = [job.input_dim, *job.hidden_dims, job.num_classes]
    rng = np.random.default_rng(0)
    params: dict[str, Any] = {}
    for i, (fan_in, fan_out) in enumerate(pairwise(dims)):
        params[f"W{i}"] = (0.01 * rng.standard_normal((fan_in, fan_out))).astype(np.float32)
        params[f"b{i}"] = np.zeros(fan_out, np.float32)
        params[f"gamma{i}"], params[f"beta{i}"] = np.ones(fan_out, np.float32), np.zeros(fan_out, np.float32)
    running = [[np.zeros(dim, np.float32), np.zeros(dim, np.float32)] for dim in job.hidden_dims]
    moments = {name: (np.zeros_like(w), np.zeros_like(w)) for name, w in params.items()}
    batches, count = job.batches(), [0]

    def step() -> None:
        rows = next(batches)
        gradients = _gradients(params, running, X[rows], y[rows], len(job.hidden_dims), 1 - job.dropout)
        count[0] += 1
        for name, dw in gradients.items():
            m, v = moments[name]
            m = 0.9 * m + 0.1 * dw
            v = 0.999 * v + 0.001 * dw**2
            m_hat, v_hat = m / (1 - 0.9 ** count[0]), v / (1 - 0.999 ** count[0])
            params[name] = params[name] - job.learning_rate * m_hat / (np.sqrt(v_hat) + 1e-8)
            moments[name] = m, v

    def scores(h: Any) -> Any:
        for i, (mean, var) in enumerate(running):
            x_hat = (h @ params[f"W{i}"] + params[f"b{i}"] - mean) / np.sqrt(var + 1e-5)
            h = np.maximum(params[f"gamma{i}"] * x_hat + params[f"beta{i}"], 0)
        return h @ params[f"W{len(running)}"] + params[f"b{len(running)}"]

    return step, scores


def _gradients(params: Any, running: Any, h: Any, y: Any, depth: int, keep: float) -> dict[str, Any]:
    caches, gradients = [], {}
    for i in range(depth):
        x, a = h, h @ params[f"W{i}"] + params[f"b{i}"]
        mean, var = a.mean(axis=0), a.var(axis=0)
        x_hat = (a - mean) / np.sqrt(var + 1e-5)
        for old, new in zip(running[i], (mean, var), strict=True):
            old[...] = 0.9 * old + 0.1 * new
        normalized = params[f"gamma{i}"] * x_hat + params[f"beta{i}"]
        mask = ((np.random.rand(*normalized.shape) < keep) / keep).astype(np.float32)
        h = np.maximum(normalized, 0) * mask
        caches.append((x, x_hat, var, normalized, mask))
    scores = h @ params[f"W{depth}"] + params[f"b{depth}"]
    probabilities = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    probabilities[np.arange(len(y)), y] -= 1
    dout = probabilities / len(y)
    gradients[f"W{depth}"], gradients[f"b{depth}"] = h.T @ dout, dout.sum(axis=0)
    dh = dout @ params[f"W{depth}"].T
    for i in range(depth - 1, -1, -1):
        x, x_hat, var, normalized, mask = caches[i]
        dn = dh * mask * (normalized > 0)
        gradients[f"gamma{i}"], gradients[f"beta{i}"] = (dn * x_hat).sum(axis=0), dn.sum(axis=0)
        dx_hat = dn * params[f"gamma{i}"]
        da = (dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0)) / np.sqrt(var + 1e-5)
        gradients[f"W{i}"], gradients[f"b{i}"] = x.T @ da, da.sum(axis=0)
        dh = da @ params[f"W{i}"].T
    return gradients
