"""Affine and ReLU: outputs and gradients against the formula."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from thinnet.check.compare import Alternative, close, difference, numerical_gradient
from thinnet.check.unit import UNKNOWN, Stop, Unit, describe
from thinnet.check.verdicts import Severity
from thinnet.typing import AnyArray, FloatArray


def output(unit: Unit, name: str, got: Any, expected: AnyArray, alternatives: tuple[Alternative, ...] = ()) -> None:
    """Note what is wrong with an output."""
    array = unit.array(name, got, "the output")
    wrong = difference("the output", array, expected, alternatives)
    if wrong:
        unit.find(wrong.of_output, wrong.words)


def gradients(
    unit: Unit,
    name: str,
    returned: Any,
    expected: Mapping[str, AnyArray],
    alternatives: Mapping[str, tuple[Alternative, ...]] | None = None,
    numerical: Callable[[str], AnyArray] | None = None,
    batch: int = 0,
    forward_right: bool = True,
) -> None:
    """Compare the gradients that a backward pass returned.

    Args:
        expected: the right ones, in the order of the function's results.
        alternatives: known wrong ones, by name.
        numerical: the gradients of the code's own forward, asked for only where one differs: a backward pass that fits
            a wrong forward is not accused as well.
        batch: the number of rows.
        forward_right: whether forward gave the right output; if not, a gradient that is wrong in no way with a name
            may only follow from that.
    """
    if not isinstance(returned, (tuple, list)):
        returned = (returned,)
    if len(returned) != len(expected):
        wanted = ", ".join(expected)
        raise unit.stop("wrong-return", f"{name} must return {wanted}, got {describe(returned)}")
    averaged = _all_averaged(unit, dict(zip(expected, returned, strict=True)), expected, batch)
    for key, value in zip(expected, returned, strict=True):
        if value is UNKNOWN:
            continue
        if value is None:
            raise unit.stop("unimplemented", f"{key} is None")
        wrong = difference(key, unit.array(name, value, key), expected[key], (alternatives or {}).get(key, ()), batch)
        if not wrong or (not forward_right and numerical and _fits(np.asarray(value), numerical, key)):
            continue
        if forward_right or wrong.verdict:
            severity: Severity | None = "note" if averaged and key in ("dw", "db") else None
            unit.find(wrong.of_gradient, wrong.words, severity=severity)
        else:
            unit.find("not-checked", f"{key} cannot be judged while forward is wrong")


def _all_averaged(unit: Unit, returned: Mapping[str, Any], expected: Mapping[str, AnyArray], batch: int) -> bool:
    """Whether a class averages all gradients of its parameters over the batch, as some books do instead of the loss."""
    known = [key for key in ("dw", "db") if key in returned and returned[key] is not UNKNOWN]
    if not unit.functions.get("__class_adapter__") or not known:
        return False
    return all(agrees(returned[key], expected[key] / batch) for key in known)


def agrees(out: Any, expected: AnyArray) -> bool:
    """Whether an output is as it must be, without a word about it."""
    return np.shape(out) == expected.shape and close(out, expected)


def _fits(got: AnyArray, numerical: Callable[[str], AnyArray], key: str) -> bool:
    try:
        own = numerical(key)
    except Stop:
        return False
    return got.shape == own.shape and close(got, own)


def own_gradient(unit: Unit, name: str, arguments: dict[str, Any], dout: AnyArray) -> Callable[[str], FloatArray]:
    """The numerical gradients of the code's own forward pass: of dx with respect to x, and so on."""

    def numerical(key: str) -> FloatArray:
        x = arguments[key.removeprefix("d")]

        def forward() -> AnyArray:
            copies = [dict(one) if isinstance(one, dict) else one for one in arguments.values()]
            out = np.asarray(unit.pair(name, *copies)[0])
            if out.shape != dout.shape:
                raise Stop
            return out

        return numerical_gradient(forward, x, dout)

    return numerical


def _affine_inputs(unit: Unit) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    rng = unit.rng
    shape = (
        (4, 6) if unit.functions.get("__class_adapter__") else (4, 2, 3)
    )  # the courses' layers flatten, others do not
    return rng.normal(size=shape), rng.normal(size=(6, 5)), rng.normal(size=5), rng.normal(size=(4, 5))


def check_affine_forward(unit: Unit) -> None:
    """out = x · w + b, with x flattened to rows."""
    x, w, b, _ = _affine_inputs(unit)
    rows = x.reshape(4, 6)
    out, _ = unit.pair("affine_forward", x, w, b)
    without = Alternative(rows @ w, "wrong-output", "lacks the bias")
    output(unit, "affine_forward", out, rows @ w + b, (without,))


def check_affine_backward(unit: Unit) -> None:
    """dx = dout · wᵀ, dw = xᵀ · dout, db = Σ dout."""
    x, w, b, dout = _affine_inputs(unit)
    rows = x.reshape(4, 6)
    out, cache = unit.pair("affine_forward", x, w, b)
    expected = {"dx": (dout @ w.T).reshape(x.shape), "dw": rows.T @ dout, "db": dout.sum(axis=0)}
    averaged = Alternative(dout.mean(axis=0), "bias-gradient-averaged", "is averaged over the batch instead of summed")
    numerical = own_gradient(unit, "affine_forward", {"x": x, "w": w, "b": b}, dout)
    returned = unit.call("affine_backward", dout, cache)
    if isinstance(returned, (tuple, list)) and len(returned) == 3 and np.shape(returned[2]) == (1, 5):
        returned = (*returned[:2], np.asarray(returned[2])[0])  # a row is as good: it broadcasts
    right = agrees(out, rows @ w + b)
    gradients(unit, "affine_backward", returned, expected, {"db": (averaged,)}, numerical, 4, right)


def _relu_input(unit: Unit) -> FloatArray:
    magnitudes = np.linspace(0.2, 3, 20).reshape(4, 5)
    return magnitudes * np.where(np.arange(20).reshape(4, 5) % 3 == 0, -1.0, 1.0)


def check_relu_forward(unit: Unit) -> None:
    """out = max(x, 0)."""
    x = _relu_input(unit)
    out, _ = unit.pair("relu_forward", x)
    absolute = Alternative(np.abs(x), "wrong-output", "is the absolute value")
    mask = Alternative((x > 0) * 1.0, "wrong-output", "is one where x is positive, rather than x")
    output(unit, "relu_forward", out, np.maximum(x, 0), (absolute, mask))


def check_relu_backward(unit: Unit) -> None:
    """dx = dout where x > 0, else 0."""
    x = _relu_input(unit)
    dout = unit.rng.normal(size=x.shape)
    out, cache = unit.pair("relu_forward", x)
    known = (
        Alternative(dout, "wrong-gradient", "lets everything through, also where x is negative"),
        Alternative((x > 0) * 1.0, "wrong-gradient", "lacks the factor dout"),
        Alternative(dout * (x < 0), "wrong-gradient", "is let through where x is negative, and stopped where positive"),
        Alternative(dout * (dout > 0), "wrong-gradient", "is masked by the sign of dout instead of that of x"),
        Alternative(np.maximum(x, 0) * dout, "wrong-gradient", "is multiplied by x instead of by 1"),
    )
    numerical = own_gradient(unit, "relu_forward", {"x": x}, dout)
    returned, right = unit.call("relu_backward", dout, cache), agrees(out, np.maximum(x, 0))
    gradients(unit, "relu_backward", returned, {"dx": (x > 0) * dout}, {"dx": known}, numerical, 4, right)
