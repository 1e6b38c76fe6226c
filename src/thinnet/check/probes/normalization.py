"""Batch and layer normalization: both modes, the running statistics, and the terms of the gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from thinnet.check.compare import Alternative, close, difference
from thinnet.check.probes.layers import agrees, gradients, output, own_gradient
from thinnet.check.unit import Unit
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
    hat, g = _normalized(x, axis), dout * gamma
    inverse = 1 / np.sqrt(x.var(axis=axis, keepdims=True) + EPS)
    through_mean = g.mean(axis=axis, keepdims=True)
    through_var = hat * (g * hat).mean(axis=axis, keepdims=True)
    expected = {
        "dx": (g - through_mean - through_var) * inverse,
        "dgamma": (dout * hat).sum(axis=0),
        "dbeta": dout.sum(axis=0),
    }
    wrong = "wrong-gradient"
    known = {
        "dx": (
            Alternative((g - through_var) * inverse, "missing-mean-term", "lacks the term through the mean"),
            Alternative((g - through_mean) * inverse, "missing-variance-term", "lacks the term through the variance"),
            Alternative(g * inverse, "missing-mean-and-variance-terms", "lacks the terms through mean and variance"),
            Alternative(expected_without_gamma(dout, hat, inverse, axis), wrong, "lacks the factor gamma"),
        ),
        "dgamma": (Alternative(dout.sum(axis=0), wrong, "is the sum of dout instead of that of dout times x_hat"),),
        "dbeta": (
            Alternative(dout.mean(axis=0), "bias-gradient-averaged", "is averaged over the batch instead of summed"),
        ),
    }
    return expected, known


def expected_without_gamma(dout: FloatArray, hat: FloatArray, inverse: FloatArray, axis: int) -> FloatArray:
    """dx with γ forgotten."""
    centered = dout - dout.mean(axis=axis, keepdims=True)
    return np.asarray((centered - hat * (dout * hat).mean(axis=axis, keepdims=True)) * inverse)


def check_batchnorm_forward(unit: Unit) -> None:
    """Train mode, the running statistics, test mode."""
    name = "batchnorm_forward"
    x, gamma, beta, _ = _inputs(unit)
    old_mean, old_var = np.linspace(1, 2, COLUMNS), np.linspace(2, 5, COLUMNS)
    param: dict[str, Any] = {
        "mode": "train",
        "running_mean": old_mean.copy(),
        "running_var": old_var.copy(),
        "momentum": 0.8,
    }
    out, _ = unit.pair(name, x, gamma, beta, param)
    by_running = Alternative(
        gamma * (x - old_mean) / np.sqrt(old_var + EPS) + beta,
        "running-statistics-in-training",
        "is normalized by the running statistics",
    )
    expected = gamma * _normalized(x, 0) + beta
    output(unit, name, out, expected, (by_running, *_known_outputs(x, gamma, beta, 0)))
    if all(one.verdict != "wrong-axis" for one in unit.findings):
        _running(unit, param, x, old_mean, old_var)
    _fresh(unit, x, gamma, beta)
    _at_test(unit, x, gamma, beta)
    _constant_column(unit, name, x, gamma, beta, {"mode": "train"})


def _running(unit: Unit, param: dict[str, Any], x: FloatArray, old_mean: FloatArray, old_var: FloatArray) -> None:
    new = {"running_mean": x.mean(axis=0), "running_var": x.var(axis=0)}
    for key, old in (("running_mean", old_mean), ("running_var", old_var)):
        value = np.asarray(param.get(key))
        batch = new[key]
        if value.shape == (1, COLUMNS):
            value = value[0]
        if value.dtype.kind != "f" or value.shape != old.shape:
            unit.find("running-statistics-wrong", f"bn_param[{key!r}] has shape {value.shape}, expected {old.shape}")
            continue
        right = 0.8 * old + 0.2 * batch
        unbiased = 0.8 * old + 0.2 * batch * ROWS / (ROWS - 1)
        if close(value, right) or (key == "running_var" and close(value, unbiased)):
            continue
        evidence = (
            f"with momentum 0.8, bn_param[{key!r}][0] went from {old[0]:.4g} to {value[0]:.4g}, expected {right[0]:.4g}"
        )
        if close(value, old):
            unit.find("running-statistics-not-updated", evidence)
        elif close(value, 0.2 * old + 0.8 * batch):
            unit.find("running-momentum-swapped", evidence)
        else:
            own = ": it is that of the batch alone" if close(value, batch) else ""
            root = ": it is mixed from standard deviations" if close(value, 0.8 * old + 0.2 * np.sqrt(batch)) else ""
            unit.find("running-statistics-wrong", evidence + own + root)


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
    by_batch = Alternative(
        gamma * _normalized(x, 0) + beta,
        "batch-statistics-at-test",
        "in test mode is normalized by the batch's own statistics",
    )
    hat = (x - mean) / np.sqrt(var + EPS)
    known = (
        by_batch,
        Alternative(hat, "wrong-output", "in test mode lacks gamma and beta"),
        Alternative(gamma * (x - mean) / (var + EPS) + beta, "wrong-output", "in test mode is divided by the variance"),
    )
    got = unit.array("batchnorm_forward", out, "the output")
    wrong = difference("the output", got, gamma * hat + beta, known)
    if wrong:
        words = wrong.words if "in test mode" in wrong.words else f"in test mode: {wrong.words}"
        unit.find(
            wrong.verdict if wrong.verdict in ("batch-statistics-at-test", "shape-changed") else "wrong-output", words
        )
    for key, old in (("running_mean", mean), ("running_var", var)):
        if not np.array_equal(np.asarray(param.get(key)), old):
            unit.find("running-statistics-updated-at-test", f"a call in test mode changed bn_param[{key!r}]")


def _constant_column(
    unit: Unit, name: str, x: FloatArray, gamma: FloatArray, beta: FloatArray, param: dict[str, Any]
) -> None:
    """A feature, or an example, without variance."""
    flat = x.copy()
    flat[(slice(None), 0) if name.startswith("batch") else 0] = 1.5
    out = np.asarray(unit.pair(name, flat, gamma, beta, param)[0], dtype=float)
    if not np.all(np.isfinite(out)) and np.all(
        np.isfinite(np.asarray(unit.pair(name, x, gamma, beta, dict(param))[0]))
    ):
        unit.find("epsilon-missing", "with all values equal the output is not finite")


def check_batchnorm_backward(unit: Unit) -> None:
    """dx with its three terms, dgamma and dbeta."""
    _check_backward(unit, unit.owns[0], "batchnorm_forward", {"mode": "train"}, 0)


def check_layernorm_forward(unit: Unit) -> None:
    """Each row is normalized by its own statistics."""
    x, gamma, beta, _ = _inputs(unit)
    out, _ = unit.pair("layernorm_forward", x, gamma, beta, {})
    output(unit, "layernorm_forward", out, gamma * _normalized(x, 1) + beta, _known_outputs(x, gamma, beta, 1))
    _constant_column(unit, "layernorm_forward", x, gamma, beta, {})


def check_layernorm_backward(unit: Unit) -> None:
    """dx with its three terms, dgamma and dbeta."""
    _check_backward(unit, "layernorm_backward", "layernorm_forward", {}, 1)


def _check_backward(unit: Unit, name: str, forward: str, param: dict[str, Any], axis: int) -> None:
    x, gamma, beta, dout = _inputs(unit)
    out, cache = unit.pair(forward, x, gamma, beta, dict(param))
    right = agrees(out, gamma * _normalized(x, axis) + beta)
    expected, known = _backward(x, gamma, dout, axis)
    arguments = {"x": x, "gamma": gamma, "beta": beta, "param": param}
    numerical = own_gradient(unit, forward, arguments, dout)
    gradients(unit, name, unit.call(name, dout, cache), expected, known, numerical, ROWS, right)
