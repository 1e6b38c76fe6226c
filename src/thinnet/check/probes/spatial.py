"""Spatial batch and group normalization.

Where something is wrong, the function is run once more with right layers of rows in the place of those that it calls:
what is gone then follows from them, and they have verdicts of their own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any

import numpy as np

from thinnet.check.compare import Alternative, difference
from thinnet.check.probes.layers import agrees, backward, output
from thinnet.check.probes.normalization import EPS, check_running
from thinnet.check.tap import right_layers
from thinnet.check.unit import Unit
from thinnet.layers import (
    spatial_batchnorm_backward,
    spatial_batchnorm_forward,
    spatial_groupnorm_backward,
    spatial_groupnorm_forward,
)
from thinnet.layers.spatial_norm import images, pixels
from thinnet.typing import AnyArray, FloatArray

BATCH, GROUP = "spatial_batchnorm_forward", "spatial_groupnorm_forward"
BATCH_SHAPE, GROUP_SHAPE, GROUPS = (3, 5, 2, 4), (2, 6, 2, 5), 3
Axes = tuple[int, ...]


def _or_on_right_layers(probe: Callable[[Unit], None]) -> Callable[[Unit], None]:
    """The probe, once more on right layers where it has found a fault."""

    @functools.wraps(probe)
    def check(unit: Unit) -> None:
        own = _trial(unit, probe)
        faults = [one for one in own.findings if one.severity == "fault"]
        unit.findings += own.findings
        if not faults:
            return
        with _right_rows(unit) as calls:
            again = _trial(unit, probe)
        if calls and not any(one.severity == "fault" for one in again.findings):
            unit.findings[:] = [one for one in unit.findings if one not in faults] + again.findings
            told = "; ".join(one.evidence for one in faults[:2])
            unit.find("follows-from-layers", f"with right layers in their place this is gone: {told}")

    return check


def _trial(unit: Unit, probe: Callable[[Unit], None]) -> Unit:
    trial = Unit(unit.name, unit.functions, unit.reading, unit.owns)
    try:
        probe(trial)
    except Exception as error:
        trial.note(error)
    return trial


@contextmanager
def _right_rows(unit: Unit) -> Iterator[bool]:
    """Right batch and layer normalization under the functions' global names; gives whether there were any."""
    pair = [unit.functions.get(name) for name in (unit.owns[0], unit.owns[0].replace("backward", "forward"))]
    spaces = {id(one.__globals__): one.__globals__ for one in pair if isinstance(one, FunctionType)}
    right = {name: one for name, one in right_layers("keep").items() if name.startswith(("batchnorm", "layernorm"))}
    undo = [(space, name, space[name]) for space in spaces.values() for name in right if name in space]
    for space, name, _ in undo:
        space[name] = right[name]
    try:
        yield bool(undo)
    finally:
        for space, name, old in undo:
            space[name] = old


def _inputs(unit: Unit, shape: tuple[int, ...]) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Images whose channels, places and examples differ in mean and spread."""
    N, C, _, W = shape
    level = np.linspace(-2, 4, C)[:, None, None] + np.linspace(0, 1, N)[:, None, None, None] + np.linspace(0, 1, W)
    x = unit.rng.normal(size=shape) * np.linspace(1, 3, C)[:, None, None] + level
    return x, np.linspace(0.5, 2, C), np.linspace(-1, 1, C), unit.rng.normal(size=shape)


def _normalized(x: FloatArray, axes: Axes, power: float = 0.5) -> FloatArray:
    return np.asarray((x - x.mean(axis=axes, keepdims=True)) / (x.var(axis=axes, keepdims=True) + EPS) ** power)


def _known_outputs(
    x: FloatArray, hat: FloatArray, gamma: FloatArray, beta: FloatArray, others: list[tuple[FloatArray, str, str]]
) -> tuple[Alternative, ...]:
    """Wrong normalizations, each with γ and β; and the right one without them."""
    scale, shift = gamma[:, None, None], beta[:, None, None]
    found = [Alternative(scale * other + shift, verdict, words) for other, verdict, words in others]
    by_axes = {
        (0,): "over the examples only",
        (2, 3): "of each channel of each example",
        (1,): "over the channels only",
    }
    by_axes |= {(1, 2, 3): "of each whole example", (0, 1, 2, 3): "over everything"}
    for axes, words in by_axes.items():
        wrong = scale * _normalized(x, axes) + shift
        found.append(Alternative(wrong, "wrong-axis", f"is normalized by statistics {words}"))
    return (
        *found,
        Alternative(hat, "wrong-output", "lacks gamma and beta"),
        Alternative(scale * hat, "wrong-output", "lacks beta"),
        Alternative(hat + shift, "wrong-output", "lacks gamma"),
    )


def _shuffled(x: FloatArray) -> FloatArray:
    """Normalized after a reshape without a transpose, which makes rows of pixels of several channels."""
    return _normalized(x.reshape(-1, x.shape[1]), (0,)).reshape(x.shape)


@_or_on_right_layers
def check_batchnorm_forward(unit: Unit) -> None:
    """Train mode, the running statistics, test mode."""
    x, gamma, beta, _ = _inputs(unit, BATCH_SHAPE)
    C = len(gamma)
    old_mean, old_var = np.linspace(1, 2, C), np.linspace(2, 5, C)
    param: dict[str, Any] = {"mode": "train", "running_mean": old_mean.copy(), "running_var": old_var.copy()}
    param["momentum"] = 0.8
    out, _ = unit.pair(BATCH, x, gamma, beta, param)
    hat = _normalized(x, (0, 2, 3))
    by_running = (x - old_mean[:, None, None]) / np.sqrt(old_var + EPS)[:, None, None]
    known = [
        (by_running, "running-statistics-in-training", "is normalized by the running statistics"),
        (_normalized(x, (0, 2, 3), 1.0), "wrong-output", "is divided by the variance instead of its root"),
    ]
    rows = gamma * _normalized(x.reshape(-1, C), (0,)) + beta
    ordered = gamma * _normalized(pixels(x), (0,)) + beta
    mixed = "is that of images reshaped to rows without a transpose"
    shuffled = (
        Alternative(rows.reshape(x.shape), "channels-mixed-up", mixed),
        Alternative(ordered.reshape(x.shape), "channels-mixed-up", "is reshaped back without a transpose"),
        Alternative(images(rows, x.shape), "channels-mixed-up", mixed),
    )
    right = gamma[:, None, None] * hat + beta[:, None, None]
    output(unit, BATCH, out, right, (*shuffled, *_known_outputs(x, hat, gamma, beta, known)))
    if not unit.findings:
        check_running(unit, param, pixels(x), old_mean, old_var)
    _at_test(unit, x, gamma, beta)


def _at_test(unit: Unit, x: FloatArray, gamma: FloatArray, beta: FloatArray) -> None:
    mean, var = np.linspace(0, 1, len(gamma)), np.linspace(0.5, 4, len(gamma))
    param: dict[str, Any] = {"mode": "test", "running_mean": mean.copy(), "running_var": var.copy()}
    out, _ = unit.pair(BATCH, x, gamma, beta, param)
    scale, shift = gamma[:, None, None], beta[:, None, None]
    right = scale * (x - mean[:, None, None]) / np.sqrt(var + EPS)[:, None, None] + shift
    by_batch = scale * _normalized(x, (0, 2, 3)) + shift
    known = (Alternative(by_batch, "batch-statistics-at-test", "is normalized by the batch's own statistics"),)
    wrong = difference("in test mode the output", unit.array(BATCH, out, "the output"), right, known)
    if wrong and (wrong.verdict or not unit.findings):
        unit.find(wrong.of_output, wrong.words)


@_or_on_right_layers
def check_batchnorm_backward(unit: Unit) -> None:
    """dx, dgamma and dbeta in train mode."""
    x, gamma, beta, dout = _inputs(unit, BATCH_SHAPE)
    zeros = np.zeros_like(gamma)
    out, cache = spatial_batchnorm_forward(x, gamma, beta, zeros.copy(), zeros.copy())
    expected = dict(zip(("dx", "dgamma", "dbeta"), spatial_batchnorm_backward(dout, cache), strict=True))
    arguments = {"x": x, "gamma": gamma, "beta": beta, "param": {"mode": "train"}}
    known = _known_gradients(dout, expected, _normalized(x, (0, 2, 3)))
    ordered = pixels(expected["dx"]).reshape(x.shape)
    known["dx"] = (Alternative(ordered, "channels-mixed-up", "is reshaped back without a transpose"),)
    backward(unit, BATCH, arguments, out, dout, expected, known)


def _known_gradients(
    dout: FloatArray, expected: dict[str, AnyArray], hat: FloatArray
) -> dict[str, tuple[Alternative, ...]]:
    wrong, words = "wrong-gradient", "is the sum of dout instead of that of dout times x_hat"
    first = Alternative(dout[-1].sum(axis=(1, 2)), "examples-not-summed", "is that of the last example")
    last = Alternative((dout * hat)[-1].sum(axis=(1, 2)), "examples-not-summed", "is that of the last example")
    shape = expected["dbeta"].shape
    rows = Alternative(dout.reshape(-1, len(expected["dbeta"])).sum(axis=0), "channels-mixed-up",
                       "is that of gradients reshaped to rows without a transpose")  # fmt: skip
    mean = Alternative(expected["dbeta"] / len(dout), "bias-gradient-averaged", "is averaged instead of summed")
    assert shape == expected["dgamma"].shape
    return {"dgamma": (Alternative(expected["dbeta"], wrong, words), last), "dbeta": (rows, mean, first)}


def _columns(unit: Unit, C: int) -> tuple[int, ...]:
    """The shape in which the code takes γ and β: (1, C, 1, 1) as the course's notebook gives them, else (C,)."""
    x, gamma, beta, _ = _inputs(unit, GROUP_SHAPE)
    for shape in ((1, C, 1, 1), (C,)):
        try:
            got = unit.functions[GROUP](x.copy(), gamma.reshape(shape), beta.reshape(shape), GROUPS, {})[0]
            if agrees(got, spatial_groupnorm_forward(x, gamma, beta, groups=GROUPS)[0]):
                return shape
        except Exception:
            continue
    return (1, C, 1, 1)


@_or_on_right_layers
def check_groupnorm_forward(unit: Unit) -> None:
    """Each group of neighboring channels of each image."""
    x, gamma, beta, _ = _inputs(unit, GROUP_SHAPE)
    shape = _columns(unit, len(gamma))
    out, _ = unit.pair(GROUP, x, gamma.reshape(shape), beta.reshape(shape), GROUPS, {"eps": EPS})
    N, C, H, W = x.shape
    split = x.reshape(N, GROUPS, C // GROUPS, H, W)
    hat = _normalized(split, (2, 3, 4)).reshape(x.shape)
    mixed = _normalized(x.reshape(N, C // GROUPS, GROUPS, H, W), (1, 3, 4)).reshape(x.shape)
    swapped = _normalized(x.reshape(N, C // GROUPS, GROUPS, H, W), (2, 3, 4)).reshape(x.shape)
    over = {(0, 2, 3, 4): "over the examples too", (2,): "at each place alone", (3, 4): "of each channel alone"}
    known = [
        (mixed, "groups-mixed-up", "has every third channel in one group"),
        (swapped, "groups-mixed-up", f"has {C // GROUPS} groups instead of {GROUPS}"),
        (_normalized(split, (2, 3, 4), 1.0).reshape(x.shape), "wrong-output", "is divided by the variance"),
        (
            _normalized(x.reshape(N, H, W, C), (1, 2)).reshape(x.shape),
            "channels-mixed-up",
            "is reshaped, not transposed",
        ),
    ]
    known += [
        (_normalized(split, axes).reshape(x.shape), "wrong-axis", f"is normalized by statistics {words}")
        for axes, words in over.items()
    ]
    right = gamma[:, None, None] * hat + beta[:, None, None]
    output(unit, GROUP, out, right, _known_outputs(x, hat, gamma, beta, known))


@_or_on_right_layers
def check_groupnorm_backward(unit: Unit) -> None:
    """dx, dgamma and dbeta."""
    x, gamma, beta, dout = _inputs(unit, GROUP_SHAPE)
    shape = _columns(unit, len(gamma))
    out, cache = spatial_groupnorm_forward(x, gamma, beta, groups=GROUPS)
    dx, dgamma, dbeta = spatial_groupnorm_backward(dout, cache)
    hat = cache.rows.x_hat.reshape(x.shape)
    arguments = {
        "x": x,
        "gamma": gamma.reshape(shape),
        "beta": beta.reshape(shape),
        "groups": GROUPS,
        "param": {"eps": EPS},
    }
    expected = {"dx": dx, "dgamma": dgamma, "dbeta": dbeta}
    known = _known_gradients(dout, expected, hat)
    known["dx"] = _known_dx(cache, dout, gamma)
    backward(unit, GROUP, arguments, out, dout, expected, known)


def _known_dx(cache: Any, dout: FloatArray, gamma: FloatArray) -> tuple[Alternative, ...]:
    """The gradients that lack a term."""
    rows = cache.rows
    g = (dout * gamma[:, None, None]).reshape(rows.x_hat.shape)
    mean, through = g.mean(axis=1, keepdims=True), rows.x_hat * (g * rows.x_hat).mean(axis=1, keepdims=True)

    def dx(value: FloatArray) -> FloatArray:
        return np.asarray((value * rows.inverse_std).reshape(dout.shape))

    plain = spatial_groupnorm_backward(dout, cache._replace(gamma=np.ones_like(gamma)))[0]
    return (
        Alternative(dx(g - through), "missing-mean-term", "lacks the term through the mean"),
        Alternative(dx(g - mean), "missing-variance-term", "lacks the term through the variance"),
        Alternative(dx(g), "missing-mean-and-variance-terms", "lacks the terms through mean and variance"),
        Alternative(plain, "wrong-gradient", "lacks the factor gamma"),
    )
