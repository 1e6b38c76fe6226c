"""Backward of dropout, compared with the mask and the scale of forward.

Not with a numerical gradient, which would agree with a wrong forward.
"""

from __future__ import annotations

import numpy as np

from thinnet.check.probes.draws import BACKWARD, FORWARD, RATES, Draw, draw, inputs, param
from thinnet.check.probes.dropout_shapes import check_backward_of_more_dimensions
from thinnet.check.unit import Stop, Unit, describe
from thinnet.typing import FloatArray


def check_backward(unit: Unit) -> None:
    """The backward pass, against the mask and the scale that forward really had."""
    for p in RATES:
        one = draw(unit, p, "train")
        if one.kept.all() or not one.kept.any() or not one.uniform:
            raise unit.stop(
                "not-checked", "forward does not multiply by a mask, so that there is no mask to compare with"
            )
        dout = inputs(unit)
        dx = _gradient(unit, dout, one)
        again = _gradient(unit, dout, one)
        with np.errstate(all="ignore"):
            ratio = np.asarray(dx / dout, dtype=np.float64)
        _judge(unit, one, ratio, dx, again)
    if not unit.findings:
        _zeros(unit)
    if not unit.functions.get("__class_adapter__"):
        if not unit.findings:
            check_backward_of_more_dimensions(unit)
        _test_mode(unit)


def _gradient(unit: Unit, dout: FloatArray, one: Draw) -> FloatArray:
    result = unit.call(BACKWARD, dout.copy(), one.cache)
    if isinstance(result, tuple) and len(result) == 1:
        result = result[0]
    if isinstance(result, tuple):
        raise unit.stop("wrong-return", f"{BACKWARD} must return dx alone, got {describe(result)}")
    dx = unit.array(BACKWARD, result, "dx")
    if dx.shape != dout.shape:
        raise unit.stop("shape-changed", f"dx has shape {dx.shape} for a dout of shape {dout.shape}")
    return np.asarray(dx, dtype=np.float64)


def _judge(unit: Unit, one: Draw, ratio: FloatArray, dx: FloatArray, again: FloatArray) -> None:
    through = ratio != 0
    agree = int((through == one.kept).sum())
    all_dropped = bool((~one.kept).any())
    evidence = f"with p = {one.p}, forward kept {int(one.kept.sum())} of {one.x.size} elements; backward lets "
    evidence += f"{int(through.sum())} through, of which {int((through & one.kept).sum())} were kept"
    example = _mask_example(one, ratio)
    if not np.all(np.isfinite(ratio)):
        unit.find("wrong-gradient", "dx has values that are not finite")
    elif through.all() and all_dropped:
        unit.find("mask-not-applied-in-backward", evidence, example=example)
    elif agree == one.x.size:
        scale = float(np.median(ratio[through]))
        if not np.allclose(ratio[through], scale, rtol=1e-4):
            spread = f"{ratio[through].min():.4g} to {ratio[through].max():.4g}"
            unit.find("wrong-gradient", f"dx / dout is {spread} where it is not zero, instead of {one.scale:.4g}")
        elif not np.isclose(scale, one.scale, rtol=1e-4):
            words = f"with p = {one.p}, forward multiplies what it keeps by {one.scale:.4g}, backward by {scale:.4g}"
            reference = unit.functions.get("__unscaled_backward__") and np.isclose(scale, 1)
            words += "; the reference solution of 11-785 does so as well, and its tests expect it" if reference else ""
            unit.find("scaled-differently-in-backward", words, severity="note" if reference else None)
        elif not np.allclose(dx, again):
            unit.find("cache-changed", "a second call with the same cache gives another gradient")
    elif agree == 0:
        unit.find("mask-inverted-in-backward", evidence, example=example)
    elif not through.any():
        unit.find("wrong-gradient", "dx is zero everywhere")
    else:
        unit.find("new-mask-in-backward", evidence, example=example)


def _zeros(unit: Unit) -> None:
    """A mask worked out from where the output is zero is wrong where the input was zero."""
    x = inputs(unit)
    x[:, ::2] = 0
    _, cache = unit.pair(FORWARD, x.copy(), param(0.5, "train"))
    dx = np.asarray(unit.call(BACKWARD, np.ones_like(x), cache))
    if dx.shape == x.shape and dx[:, 1::2].any() and not dx[:, ::2].any():
        unit.find(
            "mask-depends-on-input",
            f"where x is 0, backward lets none of {x[:, ::2].size} gradients through: its mask comes from the values",
        )


def _test_mode(unit: Unit) -> None:
    known = len(unit.findings)
    try:
        one = draw(unit, RATES[0], "test")
    except Stop:  # a fault of forward, told there
        del unit.findings[known:]
        return
    if not one.kept.all() or not one.uniform:
        return
    dout = inputs(unit)
    try:
        dx = np.asarray(unit.functions[BACKWARD](dout.copy(), one.cache), dtype=np.float64)
    except Exception as error:
        unit.find("no-backward-at-test", f"after a forward pass in test mode it raises {type(error).__name__}: {error}")
        return
    if dx.shape != dout.shape or not np.allclose(dx, dout * one.scale):
        right = "dout" if one.scale == 1 else f"dout times {one.scale:g}, as out is x times {one.scale:g}"
        unit.find("no-backward-at-test", f"after a forward pass in test mode dx is not {right}")


def _mask_example(one: Draw, ratio: FloatArray) -> str:
    columns = slice(0, 6)
    forward = " ".join(f"{value:.3g}" for value in one.ratio[0, columns])
    backward = " ".join(f"{value:.3g}" for value in ratio[0, columns])
    return f"out / x in the first row: {forward}; dx / dout: {backward}"
