"""Batch and layer normalization: both modes, the running statistics, and the terms of the gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from thinnet.check.compare import Alternative, close, difference
from thinnet.check.probes.layers import backward, output
from thinnet.check.unit import Unit
from thinnet.checks import in_shape
from thinnet.typing import AnyArray, FloatArray

EPS = 1e-5
ROWS, COLUMNS = 6, 5


def _inputs(unit: Unit) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    x = unit.rng.normal(size=(ROWS, COLUMNS)) * np.linspace(1, 3, COLUMNS) + np.linspace(-2, 4, COLUMNS)
    gamma, beta = np.linspace(0.5, 2, COLUMNS), np.linspace(-1, 1, COLUMNS)
    return x, gamma, beta, unit.rng.normal(size=x.shape)


def _normalized(x: FloatArray, axis: int, power: float = 0.5, ddof: int = 0) -> FloatArray:
    mean, var = x.mean(axis=axis, keepdims=True), x.var(axis=axis, keepdims=True, ddof=ddof)
    return np.asarray((x - mean) / (var + EPS) ** power)


def _known_outputs(x: FloatArray, gamma: FloatArray, beta: FloatArray, axis: int) -> tuple[Alternative, ...]:
    hat, name = _normalized(x, axis), "wrong-output"
    mean = x.mean(axis=axis, keepdims=True)
    return (
        Alternative(gamma * _normalized(x, 1 - axis) + beta, "wrong-axis", "is normalized along the other axis"),
        Alternative(gamma * _normalized(x, axis, 1.0) + beta, name, "is divided by the variance instead of its root"),
        Alternative(gamma * (x - mean) + beta, name, "is not divided by the standard deviation"),
        Alternative(
            gamma * (hat + mean / np.sqrt(x.var(axis=axis, keepdims=True) + EPS)) + beta, name, "is not centered"
        ),
        Alternative(hat, name, "lacks gamma and beta"),
        Alternative(gamma * hat, name, "lacks beta"),
        Alternative(hat + beta, name, "lacks gamma"),
        Alternative(
            gamma * _normalized(x, axis, ddof=1) + beta, name, "has the variance divided by N - 1 instead of N"
        ),
    )


def _backward(
    x: FloatArray, gamma: FloatArray, dout: FloatArray, axis: int
) -> tuple[dict[str, AnyArray], dict[str, tuple[Alternative, ...]]]:
    """The right gradients, and those that lack a term."""
    hat, deviation = _normalized(x, axis), np.sqrt(x.var(axis=axis, keepdims=True) + EPS)

    def dx(g: FloatArray, mean: bool = True, variance: bool = True) -> FloatArray:
        through_mean = g.mean(axis=axis, keepdims=True) if mean else 0.0
        through_variance = hat * (g * hat).mean(axis=axis, keepdims=True) if variance else 0.0
        return np.asarray((g - through_mean - through_variance) / deviation)

    g, wrong = dout * gamma, "wrong-gradient"
    expected: dict[str, AnyArray] = {"dx": dx(g), "dgamma": (dout * hat).sum(axis=0), "dbeta": dout.sum(axis=0)}
    known = {
        "dx": (
            Alternative(dx(g, mean=False), "missing-mean-term", "lacks the term through the mean"),
            Alternative(dx(g, variance=False), "missing-variance-term", "lacks the term through the variance"),
            Alternative(g / deviation, "missing-mean-and-variance-terms", "lacks the terms through mean and variance"),
            Alternative(dx(dout), wrong, "lacks the factor gamma"),
        ),
        "dgamma": (Alternative(dout.sum(axis=0), wrong, "is the sum of dout instead of that of dout times x_hat"),),
        "dbeta": (
            Alternative(dout.mean(axis=0), "bias-gradient-averaged", "is averaged over the batch instead of summed"),
        ),
    }
    return expected, known


def check_batchnorm_forward(unit: Unit) -> None:
    """Train mode, the running statistics, test mode."""
    name = "batchnorm_forward"
    x, gamma, beta, _ = _inputs(unit)
    old_mean, old_var = np.linspace(1, 2, COLUMNS), np.linspace(2, 5, COLUMNS)
    param: dict[str, Any] = {"mode": "train", "running_mean": old_mean.copy(), "running_var": old_var.copy()}
    param["momentum"] = 0.8
    out, _ = unit.pair(name, x, gamma, beta, param)
    by_running = Alternative(
        gamma * (x - old_mean) / np.sqrt(old_var + EPS) + beta,
        "running-statistics-in-training",
        "is normalized by the running statistics",
    )
    expected = gamma * _normalized(x, 0) + beta
    output(unit, name, out, expected, (by_running, *_known_outputs(x, gamma, beta, 0)))
    if not unit.reported("wrong-axis"):
        check_running(unit, param, x, old_mean, old_var)
    _fresh(unit, x, gamma, beta)
    _at_test(unit, x, gamma, beta)
    _constant_column(unit, name, x, gamma, beta, {"mode": "train"})


def check_running(unit: Unit, param: dict[str, Any], x: FloatArray, old_mean: FloatArray, old_var: FloatArray) -> None:
    """The running statistics in `param` after a step in training with momentum 0.8 on the rows x."""
    batches = (("running_mean", old_mean, x.mean(axis=0)), ("running_var", old_var, x.var(axis=0)))
    for key, old, batch in batches:
        value = in_shape(np.asarray(param.get(key)), old.shape)
        if value.dtype.kind != "f" or value.shape != old.shape:
            unit.find("running-statistics-wrong", f"bn_param[{key!r}] has shape {value.shape}, expected {old.shape}")
            continue
        right = 0.8 * old + 0.2 * batch
        unbiased = 0.8 * old + 0.2 * batch * len(x) / (len(x) - 1)
        if close(value, right) or (key == "running_var" and close(value, unbiased)):
            continue
        verdict, why = "running-statistics-wrong", ""
        if close(value, old):
            verdict = "running-statistics-not-updated"
        elif close(value, 0.2 * old + 0.8 * batch):
            verdict = "running-momentum-swapped"
        elif close(value, batch):
            why = ": it is that of the batch alone"
        elif close(value, 0.8 * old + 0.2 * np.sqrt(batch)):
            why = ": it is mixed from standard deviations"
        moved = f"bn_param[{key!r}][0] went from {old[0]:.4g} to {value[0]:.4g}, expected {right[0]:.4g}"
        unit.find(verdict, f"with momentum 0.8, {moved}{why}")


def _fresh(unit: Unit, x: FloatArray, gamma: FloatArray, beta: FloatArray) -> None:
    """The first step, with nothing in bn_param but the mode, as the nets call it."""
    param: dict[str, Any] = {"mode": "train"}
    unit.pair("batchnorm_forward", x, gamma, beta, param)
    missing = [key for key in ("running_mean", "running_var") if param.get(key) is None]
    if missing:
        unit.find(
            "running-statistics-not-updated", f"after a step in train mode bn_param has no {' and no '.join(missing)}"
        )


def _at_test(unit: Unit, x: FloatArray, gamma: FloatArray, beta: FloatArray) -> None:
    mean, var = np.linspace(0, 1, COLUMNS), np.linspace(0.5, 4, COLUMNS)
    param: dict[str, Any] = {"mode": "test", "running_mean": mean.copy(), "running_var": var.copy()}
    out, _ = unit.pair("batchnorm_forward", x, gamma, beta, param)
    hat = (x - mean) / np.sqrt(var + EPS)
    right = gamma * hat + beta
    by_batch = gamma * _normalized(x, 0) + beta
    known = (
        Alternative(by_batch, "batch-statistics-at-test", "is normalized by the batch's own statistics"),
        Alternative(hat, "wrong-output", "lacks gamma and beta"),
        Alternative(gamma * (x - mean) / (var + EPS) + beta, "wrong-output", "is divided by the variance"),
    )
    wrong = difference("in test mode the output", unit.array("batchnorm_forward", out, "the output"), right, known)
    if wrong:
        unit.find(wrong.of_output, wrong.words)
    for key, old in (("running_mean", mean), ("running_var", var)):
        if not np.array_equal(np.asarray(param.get(key)), old):
            unit.find("running-statistics-updated-at-test", f"a call in test mode changed bn_param[{key!r}]")


def _constant_column(
    unit: Unit, name: str, x: FloatArray, gamma: FloatArray, beta: FloatArray, param: dict[str, Any]
) -> None:
    """A feature, or an example, without variance."""
    flat = x.copy()
    flat[(slice(None), 0) if name.startswith("batch") else 0] = 1.5
    out, usual = (np.asarray(unit.pair(name, one, gamma, beta, dict(param))[0], dtype=float) for one in (flat, x))
    if np.all(np.isfinite(usual)) and not np.all(np.isfinite(out)):
        unit.find("epsilon-missing", "with all values equal the output is not finite")


def check_batchnorm_backward(unit: Unit) -> None:
    """dx with its three terms, dgamma and dbeta."""
    _check_backward(unit, "batchnorm_forward", {"mode": "train"}, 0)


def check_layernorm_forward(unit: Unit) -> None:
    """Each row is normalized by its own statistics."""
    x, gamma, beta, _ = _inputs(unit)
    out, _ = unit.pair("layernorm_forward", x, gamma, beta, {})
    output(unit, "layernorm_forward", out, gamma * _normalized(x, 1) + beta, _known_outputs(x, gamma, beta, 1))
    _constant_column(unit, "layernorm_forward", x, gamma, beta, {})


def check_layernorm_backward(unit: Unit) -> None:
    """dx with its three terms, dgamma and dbeta."""
    _check_backward(unit, "layernorm_forward", {}, 1)


def _check_backward(unit: Unit, forward: str, param: dict[str, Any], axis: int) -> None:
    x, gamma, beta, dout = _inputs(unit)
    expected, known = _backward(x, gamma, dout, axis)
    arguments = {"x": x, "gamma": gamma, "beta": beta, "param": param}
    backward(unit, forward, arguments, gamma * _normalized(x, axis) + beta, dout, expected, known)
