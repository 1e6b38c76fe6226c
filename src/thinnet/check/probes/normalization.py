"""Batch and layer normalization: both modes, the running statistics, and the terms of the gradient."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from thinnet.check.compare import Alternative, close
from thinnet.check.probes.layers import check_gradients, check_output
from thinnet.check.subject import Subject
from thinnet.checks import in_shape
from thinnet.typing import AnyArray, FloatArray

EPS = 1e-5
ROWS, COLUMNS = 6, 5


def _inputs(subject: Subject) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    x = subject.rng.normal(size=(ROWS, COLUMNS)) * np.linspace(1, 3, COLUMNS) + np.linspace(-2, 4, COLUMNS)
    gamma, beta = np.linspace(0.5, 2, COLUMNS), np.linspace(-1, 1, COLUMNS)
    return x, gamma, beta, subject.rng.normal(size=x.shape)


def normalized(x: FloatArray, axis: int | tuple[int, ...], power: float = 0.5, ddof: int = 0) -> FloatArray:
    """x without its mean, over its variance to a power: its root is right."""
    mean, var = x.mean(axis=axis, keepdims=True), x.var(axis=axis, keepdims=True, ddof=ddof)
    return np.asarray((x - mean) / (var + EPS) ** power)


def _known_outputs(x: FloatArray, gamma: FloatArray, beta: FloatArray, axis: int) -> tuple[Alternative, ...]:
    hat, name = normalized(x, axis), "wrong-output"
    mean = x.mean(axis=axis, keepdims=True)
    uncentered = hat + mean / np.sqrt(x.var(axis=axis, keepdims=True) + EPS)
    return (
        (gamma * normalized(x, 1 - axis) + beta, "wrong-axis", "is normalized along the other axis"),
        (gamma * normalized(x, axis, 1.0) + beta, name, "is divided by the variance instead of its root"),
        (gamma * (x - mean) + beta, name, "is not divided by the standard deviation"),
        (gamma * uncentered + beta, name, "is not centered"),
        *without_parameters(hat, gamma, beta),
        (gamma * normalized(x, axis, ddof=1) + beta, name, "has the variance divided by N - 1 instead of N"),
    )


def without_parameters(hat: FloatArray, gamma: FloatArray, beta: FloatArray) -> tuple[Alternative, ...]:
    """The normalized values without gamma, beta or both, which broadcast."""
    return (
        (hat, "wrong-output", "lacks gamma and beta"),
        (gamma * hat, "wrong-output", "lacks beta"),
        (hat + beta, "wrong-output", "lacks gamma"),
    )


def known_dx(
    hat: FloatArray, deviation: FloatArray, dout: FloatArray, g: FloatArray, axis: int
) -> tuple[Alternative, ...]:
    """The gradients dx of rows that lack a term; g is dout · gamma."""
    mean, through = g.mean(axis=axis, keepdims=True), hat * (g * hat).mean(axis=axis, keepdims=True)
    plain = dout - dout.mean(axis=axis, keepdims=True) - hat * (dout * hat).mean(axis=axis, keepdims=True)
    return (
        ((g - through) / deviation, "missing-mean-term", "lacks the term through the mean"),
        ((g - mean) / deviation, "missing-variance-term", "lacks the term through the variance"),
        (g / deviation, "missing-mean-and-variance-terms", "lacks the terms through mean and variance"),
        (plain / deviation, "wrong-gradient", "lacks the factor gamma"),
    )


def check_batchnorm_forward(subject: Subject) -> None:
    """Train mode, the running statistics, test mode."""
    x, gamma, beta, _ = _inputs(subject)
    check_modes(subject, x, gamma, beta, _known_outputs(x, gamma, beta, 0))
    param: dict[str, Any] = {"mode": "train"}  # the first step, with nothing more, as the nets call it
    subject.pair(subject.own, x, gamma, beta, param)
    missing = [key for key in ("running_mean", "running_var") if param.get(key) is None]
    if missing:
        message = f"after a step in train mode bn_param has no {' and no '.join(missing)}"
        subject.report("running-statistics-not-updated", message)
    _constant_column(subject, x, gamma, beta, {"mode": "train"})


def known_gradients(dout: FloatArray, expected: dict[str, AnyArray], hat: FloatArray) -> dict[str, list[Alternative]]:
    """Those of gamma and beta that are known to be wrong."""
    last, places = "is that of the last example", (*range(1, dout.ndim - 1),)
    rows = dout.reshape(-1, dout.shape[1]).sum(axis=0)
    return {
        "dgamma": [
            (expected["dbeta"], "wrong-gradient", "is the sum of dout instead of that of dout times x_hat"),
            ((dout * hat)[-1].sum(axis=places), "examples-not-summed", last),
        ],
        "dbeta": [
            (rows, "channels-mixed-up", "is that of gradients reshaped to rows without a transpose"),
            (expected["dbeta"] / len(dout), "bias-gradient-averaged", "is averaged over the batch instead of summed"),
            (dout[-1].sum(axis=places), "examples-not-summed", last),
        ],
    }


def check_modes(
    subject: Subject, x: FloatArray, gamma: FloatArray, beta: FloatArray, known: Sequence[Alternative]
) -> None:
    """Batch normalization of rows or of images: train mode, the running statistics, test mode.

    The output at test is not judged once more where that in training is wrong in a way without a name.
    """
    axes, old_mean, old_var = (0, *range(2, x.ndim)), np.linspace(1, 2, len(gamma)), np.linspace(2, 5, len(gamma))
    running = {"running_mean": old_mean.copy(), "running_var": old_var.copy()}
    param: dict[str, Any] = {"mode": "train", "momentum": 0.8, **running}

    def along(value: FloatArray) -> FloatArray:
        return value.reshape(-1, *[1] * (x.ndim - 2))

    def by(mean: FloatArray, var: FloatArray) -> FloatArray:
        return np.asarray((x - along(mean)) / np.sqrt(along(var) + EPS))

    scale, shift = along(gamma), along(beta)
    out, _ = subject.pair(subject.own, x, gamma, beta, param)
    by_running = scale * by(old_mean, old_var) + shift
    known_running = (by_running, "running-statistics-in-training", "is normalized by the running statistics")
    right = scale * normalized(x, axes) + shift
    check_output(subject, out, right, (known_running, *known))
    if not (subject.has("wrong-axis") or subject.has("dtype-changed") or subject.has("channels-mixed-up")):
        check_running(subject, param, np.moveaxis(x, 1, -1).reshape(-1, len(gamma)), old_mean, old_var)
    mean, var = np.linspace(0, 1, len(gamma)), np.linspace(0.5, 4, len(gamma))
    param = {"mode": "test", "running_mean": mean.copy(), "running_var": var.copy()}
    out, _ = subject.pair(subject.own, x, gamma, beta, param)
    known = (
        (right, "batch-statistics-at-test", "is normalized by the batch's own statistics"),
        (by(mean, var), "wrong-output", "lacks gamma and beta"),
        (scale * (x - along(mean)) / along(var + EPS) + shift, "wrong-output", "is divided by the variance"),
    )
    if x.ndim == 2 or not subject.has_fault:
        check_output(subject, out, scale * by(mean, var) + shift, known, "in test mode the output")
    for key, old in (("running_mean", mean), ("running_var", var)):
        if not np.array_equal(np.asarray(param.get(key)).ravel(), old):
            subject.report("running-statistics-updated-at-test", f"a call in test mode changed bn_param[{key!r}]")


def check_running(
    subject: Subject, param: dict[str, Any], x: FloatArray, old_mean: FloatArray, old_var: FloatArray
) -> None:
    """The running statistics in `param` after a step in training with momentum 0.8 on the rows x."""
    batches = (("running_mean", old_mean, x.mean(axis=0)), ("running_var", old_var, x.var(axis=0)))
    for key, old, batch in batches:
        value = in_shape(np.asarray(param.get(key)), old.shape)
        if value.dtype.kind != "f" or value.shape != old.shape:
            message = f"bn_param[{key!r}] has shape {value.shape}, expected {old.shape}"
            subject.report("running-statistics-wrong", message)
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
        subject.report(verdict, f"with momentum 0.8, {moved}{why}")


def _constant_column(
    subject: Subject, x: FloatArray, gamma: FloatArray, beta: FloatArray, param: dict[str, Any]
) -> None:
    """A feature, or an example, without variance."""
    flat = x.copy()
    flat[(slice(None), 0) if subject.own.startswith("batch") else 0] = 1.5
    outputs = (subject.pair(subject.own, rows, gamma, beta, dict(param))[0] for rows in (flat, x))
    finite, usual = (np.all(np.isfinite(np.asarray(out, dtype=float))) for out in outputs)
    if usual and not finite:
        subject.report("epsilon-missing", "with all values equal the output is not finite")


def check_layernorm_forward(subject: Subject) -> None:
    """Each row is normalized by its own statistics."""
    x, gamma, beta, _ = _inputs(subject)
    out, _ = subject.pair(subject.own, x, gamma, beta, {})
    check_output(subject, out, gamma * normalized(x, 1) + beta, _known_outputs(x, gamma, beta, 1))
    _constant_column(subject, x, gamma, beta, {})


def check_backward(subject: Subject) -> None:
    """dx with its three terms, dgamma and dbeta, of either normalization."""
    axis, param = (0, {"mode": "train"}) if subject.own.startswith("batchnorm") else (1, {})
    x, gamma, beta, dout = _inputs(subject)
    hat, deviation = normalized(x, axis), np.sqrt(x.var(axis=axis, keepdims=True) + EPS)
    g, dgamma, dbeta = dout * gamma, (dout * hat).sum(axis=0), dout.sum(axis=0)
    dx = (g - g.mean(axis=axis, keepdims=True) - hat * (g * hat).mean(axis=axis, keepdims=True)) / deviation
    arguments = {"x": x, "gamma": gamma, "beta": beta, "param": param}
    expected: dict[str, AnyArray] = {"dx": dx, "dgamma": dgamma, "dbeta": dbeta}
    known = {**known_gradients(dout, expected, hat), "dx": [*known_dx(hat, deviation, dout, g, axis)]}
    check_gradients(subject, arguments, gamma * hat + beta, dout, expected, known)
