"""Backward of dropout, compared with the mask and the scale of forward.

Not with a numerical gradient, which would agree with a wrong forward.
"""

from __future__ import annotations

import numpy as np

from thinnet.check.probes.dropout_calls import BACKWARD, FORWARD, RATES, DropoutCall, call_dropout, inputs, param
from thinnet.check.probes.dropout_shapes import check_backward_of_more_dimensions
from thinnet.check.subject import Stop, Subject, describe
from thinnet.typing import FloatArray


def check_backward(subject: Subject) -> None:
    """The backward pass, against the mask and the scale that forward really had."""
    for p in RATES:
        call = call_dropout(subject, p, "train")
        if call.kept.all() or not call.kept.any() or not call.uniform:
            raise subject.stop(
                "not-checked", "forward does not multiply by a mask, so that there is no mask to compare with"
            )
        dout = inputs(subject)
        dx = _gradient(subject, dout, call)
        again = _gradient(subject, dout, call)
        with np.errstate(all="ignore"):
            ratio = np.asarray(dx / dout, dtype=np.float64)
        _compare(subject, call, ratio, dx, again)
    if not subject.findings:
        _zeros(subject)
    if not subject.functions.get("__class_adapter__"):
        if not subject.findings:
            check_backward_of_more_dimensions(subject)
        _test_mode(subject)


def _gradient(subject: Subject, dout: FloatArray, call: DropoutCall) -> FloatArray:
    result = subject.call(BACKWARD, dout.copy(), call.cache)
    if isinstance(result, tuple) and len(result) == 1:
        result = result[0]
    if isinstance(result, tuple):
        raise subject.stop("wrong-return", f"{BACKWARD} must return dx alone, got {describe(result)}")
    dx = subject.array(BACKWARD, result, "dx")
    if dx.shape != dout.shape:
        raise subject.stop("shape-changed", f"dx has shape {dx.shape} for a dout of shape {dout.shape}")
    return np.asarray(dx, dtype=np.float64)


def _compare(subject: Subject, call: DropoutCall, ratio: FloatArray, dx: FloatArray, again: FloatArray) -> None:
    through = ratio != 0
    agree = int((through == call.kept).sum())
    all_dropped = bool((~call.kept).any())
    evidence = f"with p = {call.p}, forward kept {int(call.kept.sum())} of {call.x.size} elements; backward lets "
    evidence += f"{int(through.sum())} through, of which {int((through & call.kept).sum())} were kept"
    example = _mask_example(call, ratio)
    if not np.all(np.isfinite(ratio)):
        subject.report("wrong-gradient", "dx has values that are not finite")
    elif through.all() and all_dropped:
        subject.report("mask-not-applied-in-backward", evidence, example=example)
    elif agree == call.x.size:
        scale = float(np.median(ratio[through]))
        if not np.allclose(ratio[through], scale, rtol=1e-4):
            spread = f"{ratio[through].min():.4g} to {ratio[through].max():.4g}"
            subject.report("wrong-gradient", f"dx / dout is {spread} where it is not zero, instead of {call.scale:.4g}")
        elif not np.isclose(scale, call.scale, rtol=1e-4):
            evidence = (
                f"with p = {call.p}, forward multiplies what it keeps by {call.scale:.4g}, backward by {scale:.4g}"
            )
            reference = subject.functions.get("__unscaled_backward__") and np.isclose(scale, 1)
            evidence += (
                "; the reference solution of 11-785 does so as well, and its tests expect it" if reference else ""
            )
            subject.report("scaled-differently-in-backward", evidence, severity="note" if reference else None)
        elif not np.allclose(dx, again):
            subject.report("cache-changed", "a second call with the same cache gives another gradient")
    elif agree == 0:
        subject.report("mask-inverted-in-backward", evidence, example=example)
    elif not through.any():
        subject.report("wrong-gradient", "dx is zero everywhere")
    else:
        subject.report("new-mask-in-backward", evidence, example=example)


def _zeros(subject: Subject) -> None:
    """A mask worked out from where the output is zero is wrong where the input was zero."""
    x = inputs(subject)
    x[:, ::2] = 0
    _, cache = subject.pair(FORWARD, x.copy(), param(0.5, "train"))
    dx = np.asarray(subject.call(BACKWARD, np.ones_like(x), cache))
    if dx.shape == x.shape and dx[:, 1::2].any() and not dx[:, ::2].any():
        subject.report(
            "mask-depends-on-input",
            f"where x is 0, backward lets none of {x[:, ::2].size} gradients through: its mask comes from the values",
        )


def _test_mode(subject: Subject) -> None:
    known = len(subject.findings)
    try:
        call = call_dropout(subject, RATES[0], "test")
    except Stop:  # a fault of forward, reported there
        del subject.findings[known:]
        return
    if not call.kept.all() or not call.uniform:
        return
    dout = inputs(subject)
    try:
        dx = np.asarray(subject.functions[BACKWARD](dout.copy(), call.cache), dtype=np.float64)
    except Exception as error:
        subject.report(
            "no-backward-at-test", f"after a forward pass in test mode it raises {type(error).__name__}: {error}"
        )
        return
    if dx.shape != dout.shape or not np.allclose(dx, dout * call.scale):
        right = "dout" if call.scale == 1 else f"dout times {call.scale:g}, as out is x times {call.scale:g}"
        subject.report("no-backward-at-test", f"after a forward pass in test mode dx is not {right}")


def _mask_example(call: DropoutCall, ratio: FloatArray) -> str:
    columns = slice(0, 6)
    forward = " ".join(f"{value:.3g}" for value in call.ratio[0, columns])
    backward = " ".join(f"{value:.3g}" for value in ratio[0, columns])
    return f"out / x in the first row: {forward}; dx / dout: {backward}"
