"""The backward pass of dropout, compared with the mask and the scale of forward.

It is not compared with a numerical gradient, which would agree with a wrong forward.
"""

from typing import Any

import numpy as np

from thinnet.check.compare import close
from thinnet.check.probes.dropout_calls import BACKWARD, FORWARD, RATES, DropoutCall, call_dropout, inputs
from thinnet.check.probes.dropout_shapes import check_more_dimensions
from thinnet.check.probes.layers import agrees, is_array
from thinnet.check.subject import Subject, describe
from thinnet.typing import FloatArray


def check_backward(subject: Subject) -> None:
    """Check the backward pass against the mask and the scale that forward actually used."""
    for p in RATES:
        param: dict[str, Any] = {}
        call = call_dropout(subject, p, "train", param=param)
        if call.kept.all() or not call.kept.any() or not call.uniform:
            raise subject.stop("not-checked", "forward does not multiply by a mask, so there is none to compare with")
        # Like a call for the next layer, which is another object of a class; its mask must not be used.
        other_p, other_param = (sum(RATES) - p, {}) if subject.of_class else (p, param)
        later = call_dropout(subject, other_p, "train", param=other_param)
        dout = inputs(subject)
        (dx, draw), (again, other) = ((_gradient(subject, dout, call), np.random.random()) for _ in range(2))
        if draw == other:
            message = "backward sets the seed of NumPy's generator, so forward drops the same units each time"
            subject.report("same-mask-every-call", message)
        if not close(dx, dout * call.ratio) and subject.is_half_precision("dx", dx, dout * call.ratio):
            return
        with np.errstate(all="ignore"):
            ratio = dx / dout
        if not close(later.ratio, call.ratio) and close(dx, dout * later.ratio):
            of_two = "of two objects," if subject.of_class else "with one dropout_param, as in a net of two layers,"
            message = f"{BACKWARD} with the cache of the first uses the mask of the second"
            raise subject.stop("cache-of-another-layer", f"after two calls of {FORWARD} {of_two} {message}")
        if _is_right(subject, call, ratio) and not np.allclose(dx, again):
            subject.report("cache-changed", "a second call with the same cache gives another gradient")
    if not subject.findings:
        _zeros(subject)
    if not subject.of_class:
        if not subject.findings:
            check_more_dimensions(subject, backward=True)
        _test_mode(subject)


def _gradient(subject: Subject, dout: FloatArray, call: DropoutCall) -> FloatArray:
    result = subject.call(BACKWARD, dout, call.cache)
    if isinstance(result, tuple) and len(result) == 1 and subject.of_class:
        result = result[0]
    if isinstance(result, (tuple, list)) and not is_array(result):
        raise subject.stop("wrong-return", f"{BACKWARD} must return dx alone, got {describe(result)}")
    dx = subject.plain_array(BACKWARD, result, "dx")
    if dx.shape != dout.shape:
        raise subject.stop("shape-changed", f"dx has shape {dx.shape} for a dout of shape {dout.shape}")
    return np.asarray(dx, dtype=np.float64)


def _is_right(subject: Subject, call: DropoutCall, ratio: FloatArray) -> bool:
    """Compare dx / dout with the mask and the scale of forward, which kept some elements and dropped others."""
    through = ratio != 0
    agree = int((through == call.kept).sum())
    if not np.all(np.isfinite(ratio)):
        subject.report("wrong-gradient", "dx has values that are not finite")
    elif agree == call.x.size:
        return _is_scaled_right(subject, call, ratio[through])
    elif not through.any():
        subject.report("wrong-gradient", "dx is zero everywhere")
    else:
        evidence = f"with p = {call.p}, forward kept {int(call.kept.sum())} of {call.x.size} elements; backward lets "
        evidence += f"{int(through.sum())} through, of which {int((through & call.kept).sum())} were kept"
        first_rows = (" ".join(f"{value:.3g}" for value in values[0, :6]) for values in (call.ratio, ratio))
        example = "out / x in the first row: {}; dx / dout: {}".format(*first_rows)
        how = "mask-not-applied" if through.all() else "new-mask" if agree else "mask-inverted"
        subject.report(f"{how}-in-backward", evidence, example=example)
    return False


def _is_scaled_right(subject: Subject, call: DropoutCall, ratio: FloatArray) -> bool:
    scale = float(np.median(ratio))
    if not np.allclose(ratio, scale, rtol=1e-4):
        ranges = f"dx / dout ranges from {ratio.min():.4g} to {ratio.max():.4g} where it is not zero"
        subject.report("wrong-gradient", f"{ranges}, expected {call.scale:.4g}")
    elif not np.isclose(scale, call.scale, rtol=1e-4):
        evidence = f"with p = {call.p}, forward multiplies what it keeps by {call.scale:.4g}, backward by {scale:.4g}"
        reference = subject.functions.get("__unscaled_backward__") and np.isclose(scale, 1)
        evidence += "; the reference solution of 11-785 does so as well, and its tests expect it" if reference else ""
        subject.report("scaled-differently-in-backward", evidence, severity="note" if reference else None)
    else:
        return True
    return False


def _zeros(subject: Subject) -> None:
    """A mask derived from the zeros of the output is wrong where the input was zero."""
    x = inputs(subject)
    x[:, ::2] = 0
    _, cache = subject.pair(FORWARD, x, {"p": 0.5, "mode": "train"})
    dx = np.asarray(subject.call(BACKWARD, np.ones_like(x), cache))
    if dx.shape == x.shape and dx[:, 1::2].any() and not dx[:, ::2].any():
        message = f"where x is 0, backward lets none of {x[:, ::2].size} gradients through"
        subject.report("mask-depends-on-input", f"{message}: its mask comes from values, not from forward's mask")


def _test_mode(subject: Subject) -> None:
    call, why = subject.attempt(call_dropout, subject, RATES[0], "test")
    if why or not call.kept.all() or not call.uniform:  # a fault of forward, reported there
        return
    dout = inputs(subject)
    dx, told = subject.attempt(subject.call, BACKWARD, dout, call.cache)
    if not told and not agrees(dx, dout * call.scale):
        right = "dout" if call.scale == 1 else f"dout times {call.scale:g}, as out is x times {call.scale:g}"
        told = f"dx is not {right}"
    if told:
        subject.report("no-backward-at-test", f"after a forward pass in test mode: {told}")
