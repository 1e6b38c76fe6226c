"""A net without dropout and normalization: its parameters, scores, loss and gradients by the formula."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

import numpy as np

from thinnet.check.compare import difference
from thinnet.check.probes.net_trial import HIDDEN, C, D, N, Options, Trial, role
from thinnet.layers import softmax_loss

INPUTS, UNITS = 40, (60, 50)  # so many weights that their standard deviation is sure within a tenth
SCALES = (0.01, 0.3)
NOISE = 0.005  # around a constant, which some add on purpose


def check_plain(trial: Trial) -> None:
    """Without dropout and normalization: scores, loss and gradients by the formula."""
    net = trial.build()
    _names_and_shapes(trial, net)
    X, y = trial.data()
    found = _usable_options(trial)
    if found:
        trial.standard |= found
        net = trial.build()
    expected = trial.plain_scores(net, X)
    wrong = difference("the scores of loss(X)", trial.scores(net, X), expected)
    if wrong:
        trial.scores_right = False  # gradients are not judged then: they may only follow
        raise trial.unit.stop("wrong-output", wrong.words)
    loss, grads = trial.loss(net, X, y)
    wrong = difference("the loss", np.asarray(loss), softmax_loss(expected, y)[0], batch=N)
    if wrong:
        raise trial.unit.stop("wrong-output", wrong.words)
    trial.numerically(net, X, y, grads, list(trial.tap.calls))


def _names_and_shapes(trial: Trial, net: Any) -> None:
    """The weights and biases of all layers, by whatever names, and their shapes."""
    sizes = (D, *HIDDEN, C)
    layers = range(1, len(sizes))
    numbers = [number for kind, number in map(role, net.params) if kind == "W"]
    trial.first = min(numbers, default=1)
    names = {(kind, i): f"{kind}{i - 1 + trial.first}" for kind in ("W", "b") for i in layers}
    if any(trial.parameter(net, *one) is None for one in names):
        told = f"params has the keys {sorted(map(str, net.params))}, expected {sorted(names.values())}"
        raise trial.unit.stop("wrong-return", told)
    for (kind, i), name in names.items():
        shape = sizes[i - 1 : i + 1] if kind == "W" else sizes[i : i + 1]
        got = np.asarray(trial.parameter(net, kind, i)).shape
        if got != shape and not (kind == "b" and got == (1, *shape)):  # a row is as good: it broadcasts
            raise trial.unit.stop("wrong-return", f"params[{name!r}] has shape {got}, expected {shape}")
    weights = next(key for key in net.params if role(key) == ("W", trial.first))
    if weights != "W1":
        trial.unit.find("parameter-names", f"the first layer's weights are {weights} instead of W1")


def _usable_options(trial: Trial) -> Options:
    """Options with which the net works, where it does not with the constructor's own default; most often nothing."""
    finite, why = trial.unit.attempt(partial(_finite, trial, {}))
    arguments = inspect.signature(trial.owner).parameters
    if finite or trial.dropout is None or trial.dropout not in arguments:
        return {}
    for value in (1, 0):
        if trial.attempt(partial(_finite, trial, {trial.dropout: value})):
            default = f"with the default {trial.dropout}={arguments[trial.dropout].default!r}"
            end = f"it stops: {why}" if why else "scores or loss are not finite"
            told = f"{default} {end}; with {trial.dropout}={value} they are finite"
            trial.unit.find("default-unusable", told)
            return {trial.dropout: value}
    return {}


def _finite(trial: Trial, options: Options) -> bool:
    net, (X, y) = trial.build(**options), trial.data()
    scores = trial.scores(net, X)
    loss, _ = trial.loss(net, X, y)
    return bool(np.isfinite(loss) and np.all(np.isfinite(scores)))


def check_initial_values(trial: Trial) -> None:
    """Weights of the standard deviation weight_scale, biases and shifts of zero, scales of one."""
    scales = SCALES if "weight_scale" in trial.arguments else ()
    wrong: list[str] = []
    for options in ({}, *trial.normalizations):
        for scale in scales or (0.1,):
            sizes = {"input_dim": INPUTS, "num_classes": UNITS[-1], "weight_scale": scale}
            net = trial.attempt(partial(trial.fresh, UNITS, {**sizes, **options}))
            if net is not None:
                wrong += wrongly_begun(net.params, scale if scales else 0.0)
        if wrong:
            words = ", ".join(f"{key}={value!r}" for key, value in options.items())
            trial.unit.find("initial-values", (f"with {words}, " if words else "") + "; ".join(wrong[:3]))
            return


def wrongly_begun(params: dict[Any, Any], scale: float) -> list[str]:
    constants = {"b": 0.0, "beta": 0.0, "gamma": 1.0}
    wrong = []
    for key, given in params.items():
        kind, value = role(key)[0], np.asarray(given, dtype=float)
        if kind in constants and np.abs(value - constants[kind]).max(initial=0) > NOISE:
            words = f"{value.min():.3g} to {value.max():.3g}" if np.ptp(value) else f"{value.flat[0]:.3g}"
            wrong.append(f"{key} begins with {words}, expected {constants[kind]:g}")
        elif kind == "W" and scale and abs(value.std() / scale - 1) > 0.2:
            told = f"with weight_scale={scale:g}, {key} begins with a standard deviation of {value.std():.3g}"
            wrong.append(f"{told}, expected {scale:g}")
    return wrong
