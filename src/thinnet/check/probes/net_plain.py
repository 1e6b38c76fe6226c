"""A net without dropout and normalization: its parameters, scores, loss and gradients by the formula."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from thinnet.check.probes.net_harness import HIDDEN, C, D, NetHarness, Options, role

INPUTS, UNITS = 40, (60, 50)  # so many weights that their standard deviation is sure within a tenth
SCALES = (0.01, 0.3)
NOISE = 0.005  # around a constant, which some add on purpose
SIZES = (D, *HIDDEN, C)
SHAPES: dict[tuple[str, int], tuple[int, ...]] = {  # of the weights and biases of each layer; no two are equal
    **{("W", i): SIZES[i - 1 : i + 1] for i in range(1, len(SIZES))},
    **{("b", i): SIZES[i : i + 1] for i in range(1, len(SIZES))},
}


def check_plain(harness: NetHarness) -> None:
    """Without dropout and normalization: scores, loss and gradients by the formula."""
    net = harness.build()
    columns = _names_and_shapes(harness, net)
    if columns and harness.subject.attempt(harness.check_pass, net)[1]:
        raise harness.subject.stop("wrong-return", columns)
    found = _usable_options(harness)
    if found:
        harness.standard |= found
        net = harness.build()
    batch_and_gradients = harness.check_pass(net)
    harness.compare_gradients(net, *batch_and_gradients, list(harness.recorder.calls))


def _names_and_shapes(harness: NetHarness, net: Any) -> str:
    """The weights and biases of all layers, by whatever names; returns what is odd in shapes that may be right."""
    harness.first = min((number for kind, number in map(role, net.params) if kind == "W"), default=1)
    names = {(kind, i): f"{kind}{i - 1 + harness.first}" for kind, i in SHAPES}
    if any(harness.parameter(net, *role_and_layer) is None for role_and_layer in SHAPES):
        roles = {shape: role_and_layer for role_and_layer, shape in SHAPES.items()}
        shapes = {key: np.squeeze(value).shape for key, value in net.params.items()}
        found = {key: roles[shape] for key, shape in shapes.items() if shape in roles}
        if sorted(found.values()) != sorted(SHAPES):
            message = f"params has the keys {sorted(map(str, net.params))}, expected {sorted(names.values())}"
            raise harness.subject.stop("wrong-return", message)
        harness.first, harness.roles = 1, found
        names = {role_and_layer: str(key) for key, role_and_layer in found.items()}
    odd = ""
    for (kind, i), shape in SHAPES.items():
        got = np.asarray(harness.parameter(net, kind, i)).shape
        if got == shape or (kind == "b" and got == (1, *shape)):  # a row is as good: it broadcasts
            continue
        message = f"params[{names[kind, i]!r}] has shape {got}, expected {shape}"
        if kind == "W" or got != (*shape, 1):
            raise harness.subject.stop("wrong-return", message)
        odd = odd or message  # a net that turns its columns round itself is right
    weights = next(key for key in net.params if harness.role(key) == ("W", harness.first))
    if weights != "W1":
        harness.subject.report("parameter-names", f"the first layer's weights are {weights} instead of W1")
    return odd


def _usable_options(harness: NetHarness) -> Options:
    """Options with which the net works, where it does not with the constructor's own default; most often nothing."""
    finite, why = harness.subject.attempt(_finite, harness, {})
    arguments = inspect.signature(harness.owner).parameters
    if finite or harness.dropout is None or harness.dropout not in arguments:
        return {}
    for value in (1, 0):
        if harness.subject.attempt(_finite, harness, {harness.dropout: value})[0]:
            default = f"with the default {harness.dropout}={arguments[harness.dropout].default!r}"
            end = f"it stops: {why}" if why else "scores or loss are not finite"
            message = f"{default} {end}; with {harness.dropout}={value} they are finite"
            harness.subject.report("default-unusable", message)
            return {harness.dropout: value}
    return {}


def _finite(harness: NetHarness, options: Options) -> bool:
    net, (X, y) = harness.build(**options), harness.data()
    scores = harness.scores(net, X)
    loss, _ = harness.loss(net, X, y)
    return bool(np.isfinite(loss) and np.all(np.isfinite(scores)))


def check_initial_values(harness: NetHarness) -> None:
    """Weights of the standard deviation weight_scale, biases and shifts of zero, scales of one."""
    scales = SCALES if "weight_scale" in harness.arguments else ()
    wrong: list[str] = []
    for options in ({}, *harness.normalizations):
        for scale in scales or (0.1,):
            sizes = {"input_dim": INPUTS, "num_classes": UNITS[-1], "weight_scale": scale}
            net, _ = harness.subject.attempt(harness.fresh, UNITS, {**sizes, **options})
            if net is not None:
                wrong += wrong_initial_values(net.params, scale if scales else 0.0, harness.role)
        if wrong:
            setting = ", ".join(f"{key}={value!r}" for key, value in options.items())
            harness.subject.report("initial-values", (f"with {setting}, " if setting else "") + "; ".join(wrong[:3]))
            return


def wrong_initial_values(
    params: dict[Any, Any], scale: float, role: Callable[[Any], tuple[str, int]] = role
) -> list[str]:
    """A message for each parameter that begins otherwise than it should; a scale of 0 stands for any."""
    constants = {"b": 0.0, "beta": 0.0, "gamma": 1.0}
    wrong = []
    for key, given in params.items():
        kind, value = role(key)[0], np.asarray(given, dtype=float)
        if kind in constants and np.abs(value - constants[kind]).max(initial=0) > NOISE:
            initial = f"{value.min():.3g} to {value.max():.3g}" if np.ptp(value) else f"{value.flat[0]:.3g}"
            wrong.append(f"{key} begins with {initial}, expected {constants[kind]:g}")
        elif kind == "W" and scale and abs(value.std() / scale - 1) > 0.2:
            message = f"with weight_scale={scale:g}, {key} begins with a standard deviation of {value.std():.3g}"
            wrong.append(f"{message}, expected {scale:g}")
    return wrong
