"""Spatial batch and group normalization.

If something is wrong, the function is run once more with right layers of rows in place of those that it calls: faults
that are then gone follow from these layers, which have their own verdicts.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from thinnet import layers
from thinnet.check.call_recorder import LAYERS, CallRecorder, Layers, report_own_faults
from thinnet.check.compare import Alternative
from thinnet.check.findings import Finding
from thinnet.check.probes import normalization
from thinnet.check.probes.layers import agrees, check_gradients, check_output, right_results
from thinnet.check.probes.normalization import EPS, Axes, normalized
from thinnet.check.subject import Subject
from thinnet.layers.spatial_norm import images, pixels
from thinnet.typing import AnyArray, FloatArray

OF_ROWS = [name for name in LAYERS if name.startswith(("batchnorm", "layernorm"))]
BATCH_SHAPE, GROUP_SHAPE, GROUPS = (3, 5, 2, 4), (4, 6, 2, 5), 3
# The wrong axes that statistics may be taken over: of (N, C, H, W) images, and of (N, G, C / G, H, W) groups.
OVER: dict[Axes, str] = {(0,): "over the examples only", (2, 3): "over each channel of each example"}
OVER |= {(1,): "over the channels only", (1, 2, 3): "over each whole example", (0, 1, 2, 3): "over everything"}
IN_GROUPS: dict[Axes, str] = {(0,): OVER[0,], (3, 4): OVER[2, 3], (1, 2): OVER[1,], (1, 2, 3, 4): OVER[1, 2, 3]}
IN_GROUPS |= {(0, 1, 2, 3, 4): "over everything", (0, 2, 3, 4): "over the examples too", (2,): "over each place alone"}


def _or_on_right_layers(probe: Callable[[Subject], None]) -> Callable[[Subject], None]:
    """The probe, run once more on right layers if it has found a fault."""

    @functools.wraps(probe)
    def check(subject: Subject) -> None:
        pair = [subject.functions.get(name) for name in (subject.own, subject.forward)]

        def run(layers: Layers) -> tuple[list[Finding], bool]:
            probed = Subject(subject.name, subject.functions, subject.convention, subject.owns)
            with CallRecorder(pair, layers, OF_ROWS) as recorder:
                probed.run(probe, probed)
            return probed.findings, bool(recorder.found)

        report_own_faults(subject, run)

    return check


def _inputs(subject: Subject, shape: tuple[int, ...]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Images whose channels, columns and examples differ in mean, and channels also in spread."""
    N, C, _, W = shape
    level = np.linspace(-2, 4, C)[:, None, None] + np.linspace(0, 1, N)[:, None, None, None] + np.linspace(0, 1, W)
    x = subject.rng.normal(size=shape) * np.linspace(1, 3, C)[:, None, None] + level
    return x, np.linspace(0.5, 2, C), np.linspace(-1, 1, C)


@_or_on_right_layers
def check_batchnorm_forward(subject: Subject) -> None:
    """Train mode, the running statistics, test mode."""
    x, gamma, beta = _inputs(subject, BATCH_SHAPE)
    rows = gamma * normalized(x.reshape(-1, len(gamma)), (0,)) + beta
    ordered = gamma * normalized(pixels(x), (0,)) + beta
    mixed = "is that of images reshaped to rows without a transpose"
    shuffled = (
        (rows.reshape(x.shape), "channels-mixed-up", mixed),
        (ordered.reshape(x.shape), "channels-mixed-up", "is reshaped back without a transpose"),
        (images(rows, x.shape), "channels-mixed-up", mixed),
    )
    known = normalization.known_outputs(x, gamma[:, None, None], beta[:, None, None], (0, 2, 3), OVER)
    normalization.check_modes(subject, x, gamma, beta, (*shuffled, *known))


@_or_on_right_layers
def check_batchnorm_backward(subject: Subject) -> None:
    """dx, dgamma and dbeta in train mode."""
    x, gamma, beta = _inputs(subject, BATCH_SHAPE)
    arguments = {"x": x, "gamma": gamma, "beta": beta, "param": {"mode": "train"}}
    out, dout, expected = right_results(subject, arguments)
    known = normalization.known_gradients(dout, expected, normalized(x, (0, 2, 3)))
    ordered = pixels(expected["dx"]).reshape(x.shape)
    known["dx"] = [(ordered, "channels-mixed-up", "is reshaped back without a transpose")]
    check_gradients(subject, arguments, out, dout, expected, known)


def _columns(subject: Subject, x: FloatArray, gamma: FloatArray, beta: FloatArray) -> tuple[int, ...]:
    """The shape in which the code takes γ and β: (1, C, 1, 1), as in the course's notebook, or (C,)."""
    right = layers.spatial_groupnorm_forward(x, gamma, beta, groups=GROUPS)[0]
    notebook = (1, len(gamma), 1, 1)
    for shape in (notebook, gamma.shape):
        arrays = x, gamma.reshape(shape), beta.reshape(shape)
        got, why = subject.attempt(subject.pair, subject.forward, *arrays, GROUPS, {})
        if not why and agrees(got[0], right):
            return shape
    return notebook


@_or_on_right_layers
def check_groupnorm_forward(subject: Subject) -> None:
    """Each group of neighboring channels of each image is normalized by its own statistics."""
    x, gamma, beta = _inputs(subject, GROUP_SHAPE)
    shape = _columns(subject, x, gamma, beta)
    out, _ = subject.pair(subject.own, x, gamma.reshape(shape), beta.reshape(shape), GROUPS, {"eps": EPS})
    N, C, H, W = x.shape
    split, other = x.reshape(N, GROUPS, C // GROUPS, H, W), x.reshape(N, C // GROUPS, GROUPS, H, W)
    scale, shift = (np.reshape(one, (GROUPS, C // GROUPS, 1, 1)) for one in (gamma, beta))

    def over(value: FloatArray, axes: Axes) -> FloatArray:
        return scale * normalized(value, axes).reshape(split.shape) + shift

    known = [
        *normalization.known_outputs(split, scale, shift, (2, 3, 4), IN_GROUPS),
        (over(other, (1, 3, 4)), "groups-mixed-up", "has every third channel in one group"),
        (over(other, (2, 3, 4)), "groups-mixed-up", f"has {C // GROUPS} groups instead of {GROUPS}"),
        (over(x.reshape(N, H, W, C), (1, 2)), "channels-mixed-up", "is reshaped, not transposed"),
    ]
    known = [(np.reshape(value, x.shape), verdict, text) for value, verdict, text in known]
    check_output(subject, out, over(split, (2, 3, 4)).reshape(x.shape), known)
    x[0] = 1.5
    scale, shift = gamma.reshape(shape), beta.reshape(shape)
    normalization.check_epsilon(subject, "an example of equal values", out, subject.own, x, scale, shift, GROUPS, {})


@_or_on_right_layers
def check_groupnorm_backward(subject: Subject) -> None:
    """dx, dgamma and dbeta."""
    x, gamma, beta = _inputs(subject, GROUP_SHAPE)
    shape = _columns(subject, x, gamma, beta)
    arguments: dict[str, Any] = {"x": x, "gamma": gamma.reshape(shape), "beta": beta.reshape(shape), "groups": GROUPS}
    arguments["param"] = {"eps": EPS}
    out, dout, expected = right_results(subject, arguments)
    rows = layers.spatial_groupnorm_forward(x, gamma, beta, groups=GROUPS)[1].rows
    known: dict[str, Any] = normalization.known_gradients(dout, expected, rows.x_hat.reshape(x.shape))
    plain, g = (one.reshape(rows.x_hat.shape) for one in (dout, dout * gamma[:, None, None]))

    def known_dx(got: AnyArray) -> list[Alternative]:
        found = normalization.known_dx(got.reshape(g.shape), rows.x_hat, 1 / rows.inverse_std, plain, g, 1)
        return [(np.reshape(value, x.shape), verdict, text) for value, verdict, text in found]

    known["dx"] = known_dx
    check_gradients(subject, arguments, out, dout, expected, known)
    x[0] = 1.5
    normalization.check_epsilon_back(subject, "an example of equal values", *arguments.values())
