"""A net without dropout and normalization: its parameters, scores, loss and gradients by the formula."""

import inspect
import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from thinnet.check.classes import of_courses, role
from thinnet.check.compare import close
from thinnet.check.probes.net_calls import mode_at_test
from thinnet.check.probes.net_gradients import compare_gradients
from thinnet.check.probes.net_harness import HIDDEN, C, D, NetHarness, Options, Shape
from thinnet.check.subject import Subject
from thinnet.checks import listed
from thinnet.typing import FloatArray

UNITS = (60, 50)  # with large_options, enough weights to estimate their standard deviation within a tenth
CONSTANTS = {"b": 0.0, "beta": 0.0, "gamma": 1.0}  # initial values of biases, shifts and scales
OFF_CENTER = 0.5  # of the standard deviation: some eight times that of the mean of so many weights
NOISE = 0.005  # that some add to a constant on purpose


def check_plain(harness: NetHarness) -> None:
    """Check scores, loss and gradients by the formula, without dropout and normalization."""
    net = harness.build()
    columns = _names_and_shapes(harness, net)
    if columns and harness.subject.attempt(harness.check_pass, net)[1]:
        raise harness.subject.stop("wrong-return", columns)
    harness.standard |= _usable_options(harness)
    net = harness.build()  # once more, so that findings do not name the options that were tried
    grads = harness.check_pass(net)
    compare_gradients(harness, net, grads, list(harness.recorder.calls))
    X, y = harness.data()
    later, first = (harness.loss(one, -X, y)[1] for one in (net, harness.build()))
    changed = [str(key) for key in first if key in later and not close(later[key], first[key])]
    if changed and not harness.subject.has_fault:
        message = f"for the same batch, a later call gives other gradients of {', '.join(changed)} than the first call"
        harness.ended = True
        raise harness.subject.stop("wrong-gradient", f"{message}: something is kept between calls and not cleared")


def check_depths(harness: NetHarness) -> None:
    """Check nets with one hidden layer and with three, if the names of parameters tell their layers."""

    def run(hidden: tuple[int, ...]) -> None:
        net = harness.build(hidden)
        harness.tell_of({"hidden_dims": [*hidden]})
        sizes = [D, *hidden, C]
        for i, shape in enumerate(itertools.pairwise(sizes), 1):
            weights = harness.parameter(net, "W", i)
            if weights is not None and weights.shape != shape:
                told = f"params['W{i}'] has shape {weights.shape}, expected {shape}"
                raise harness.subject.stop("wrong-return", told)
        compare_gradients(harness, net, harness.check_pass(net), [])

    for hidden in ((8,), (6, 7, 8)):
        if harness.roles or harness.subject.has_fault or not of_courses(harness.subject.name):
            return
        _, why = harness.subject.attempt(run, hidden)
        if why:
            verdict = "crashed" if "Error" in why else "wrong-return" if "params[" in why else "wrong-output"
            harness.tell_of({"hidden_dims": [*hidden]})
            harness.subject.report(verdict, f"{why.removeprefix(harness.subject.when)}; with {[*HIDDEN]} it is right")


def _names_and_shapes(harness: NetHarness, net: Any) -> str:
    """Find the weights and biases of all layers, whatever their names; return what is odd about acceptable shapes."""
    shapes = harness.shapes
    harness.first = min((number for kind, number in map(role, net.params) if kind == "W"), default=1)
    names = {(kind, i): f"{kind}{i - 1 + harness.first}" for kind, i in shapes}
    if any(harness.parameter(net, *role_and_layer) is None for role_and_layer in shapes):
        roles = {shape: role_and_layer for role_and_layer, shape in shapes.items()}
        seen = {key: np.squeeze(value).shape for key, value in net.params.items()}
        found = {key: roles[shape] for key, shape in seen.items() if shape in roles}
        if sorted(found.values()) != sorted(shapes):
            message = f"params has the keys {sorted(map(str, net.params))}, expected {sorted(names.values())}"
            raise harness.subject.stop("wrong-return", message)
        harness.first, harness.roles = 1, found
        names = {role_and_layer: str(key) for key, role_and_layer in found.items()}
    got = {names[what]: np.asarray(harness.parameter(net, *what)).shape for what in shapes}
    odd = _odd_shapes(harness.subject, got, {names[what]: shape for what, shape in shapes.items()})
    weights = next(key for key in net.params if harness.role(key) == ("W", harness.first))
    if weights != "W1":
        harness.subject.report("parameter-names", f"the first layer's weights are named {weights} instead of W1")
    return odd


def _odd_shapes(subject: Subject, got: Mapping[str, Shape], shapes: Mapping[str, Shape]) -> str:
    """Stop if parameters have other shapes than these; return what is odd about biases that may be right."""
    # A row of biases is as good as a vector: it broadcasts.
    other = {name: shape for name, shape in got.items() if shape not in (shapes[name], (1, *shapes[name]))}
    told = {name: f"params[{name!r}] has shape {shape}, expected {shapes[name]}" for name, shape in other.items()}
    turned = [name for name, shape in other.items() if len(shape) == 2 and shape == shapes[name][::-1]]
    wrong = [name for name, shape in other.items() if shape != (*shapes[name], 1) or len(shape) > 2]
    if turned:
        listed = ", ".join(turned)
        raise subject.stop("weights-transposed", f"{told[turned[0]]}; of shape (outputs, inputs): {listed}")
    if wrong:
        raise subject.stop("wrong-return", told[wrong[0]])
    return next(iter(told.values()), "")  # a net that transposes its columns itself is right


def _usable_options(harness: NetHarness) -> Options:
    """Options with which the net works, if it does not with the constructor's own default; usually none."""

    def are_finite(options: Options) -> bool:
        net, batch = harness.build(**options), harness.data()
        return bool(np.all(np.isfinite(harness.scores(net, batch[0]))) and np.isfinite(harness.loss(net, *batch)[0]))

    finite, why = harness.subject.attempt(are_finite, {})
    arguments = inspect.signature(harness.owner).parameters
    if finite or harness.dropout is None or harness.dropout not in arguments:
        return {}
    for value in (1, 0):
        if harness.subject.attempt(are_finite, {harness.dropout: value})[0]:
            default = f"with the default {harness.dropout}={arguments[harness.dropout].default!r}"
            end = f"scores and loss cannot be computed: {why}" if why else "scores or loss are not finite"
            message = f"{default} {end}; with {harness.dropout}={value} both are finite"
            harness.subject.report("default-unusable", message)
            return {harness.dropout: value}
    return {}


def check_examples_alone(harness: NetHarness, net: Any) -> bool:
    """Whether the scores of an example do not depend on the others in its batch; reports it if they do."""
    X, _ = harness.data()
    whole, part = harness.scores(net, X), harness.scores(net, X[:3])
    if whole[:3].shape == part.shape and close(whole[:3], part):
        return True
    message = "at test, the scores of an example depend on the other examples in the batch"
    harness.subject.report("batch-statistics-at-test", message + mode_at_test(harness.recorder.calls, "batchnorm"))
    return False


def check_initial_values(harness: NetHarness) -> None:
    """Weights must have the given standard deviation, biases and shifts be 0, scales 1; all in float64."""
    name = next((name for name in ("weight_scale", "std") if name in harness.arguments), "")
    for options in ({}, *harness.normalizations):
        for scale in (0.01, 0.3) if name else (0.0,):
            given = {**harness.large_options, **({name: scale} if name else {}), **options}
            net, _ = harness.subject.attempt(harness.fresh, UNITS, given)
            wrong: dict[tuple[str, str], dict[str, str]] = {}  # by how it is told: the parameters, each with its value
            for key, value in net.params.items() if net is not None else ():
                got, *words = _initial_value(harness, key, np.asarray(value, dtype=float), scale)
                if got:
                    wrong.setdefault((words[0], words[1]), {})[str(key)] = got
            told = [
                f"{listed(own)} start{'s' * (len(own) == 1)} {what} {listed(dict.fromkeys(own.values()))}, {expected}"
                for (what, expected), own in wrong.items()
            ]
            if told:
                harness.tell_of({**options, **({name: scale} if "deviation" in "".join(told) else {})})
                harness.subject.report("initial-values", "; ".join(told))
                return
    for key, value in harness.fresh(HIDDEN, {}).params.items():
        if isinstance(value, np.ndarray) and value.dtype != np.float64:
            asked = ", although dtype=float64 is given" if "dtype" in harness.arguments else ""
            message = f"the constructor leaves params[{key!r}] in {value.dtype}{asked}"
            harness.subject.report("dtype-changed", message, severity="note" if value.dtype == np.float32 else None)
            return


def _initial_value(harness: NetHarness, key: Any, value: FloatArray, scale: float) -> tuple[str, str, str]:
    """A parameter's initial value, or nothing if it is right, and the words around it; a `scale` of 0 is any."""
    kind = harness.role(key)[0]
    if kind in CONSTANTS and np.abs(value - CONSTANTS[kind]).max(initial=0) > NOISE:
        initial = f"{value.min():.3g} to {value.max():.3g}" if np.ptp(value) else f"{value.flat[0]:.3g}"
        return initial, "at", f"expected {CONSTANTS[kind]:g}"
    if kind == "W" and scale and abs(value.std() / scale - 1) > 0.2:
        return f"{value.std():.3g}", "with a standard deviation of", f"expected {scale:g}"
    if kind == "W" and abs(value.mean()) > OFF_CENTER * value.std() > 0:
        return f"{value.mean():.3g}", "with a mean of", "expected one near 0"
    return "", "", ""
