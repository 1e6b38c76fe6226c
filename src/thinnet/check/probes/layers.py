"""Affine and ReLU: outputs and gradients against the formula."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from thinnet.check.compare import Alternative, close, difference
from thinnet.check.unit import UNKNOWN, Stop, Unit, describe
from thinnet.checks import in_shape
from thinnet.gradient_check import eval_numerical_gradient_array
from thinnet.typing import AnyArray, FloatArray


def output(unit: Unit, name: str, got: Any, expected: AnyArray, alternatives: tuple[Alternative, ...] = ()) -> None:
    """Note what is wrong with an output."""
    array = unit.array(name, got, "the output")
    wrong = difference("the output", array, expected, alternatives)
    if wrong:
        unit.find(wrong.of_output, wrong.words)


def backward(
    unit: Unit,
    forward: str,
    arguments: dict[str, Any],
    right_out: AnyArray,
    dout: FloatArray,
    expected: Mapping[str, AnyArray],
    known: Mapping[str, tuple[Alternative, ...]],
) -> None:
    """Compare the gradients that the unit returns with the right ones.

    Args:
        forward: the name of the forward pass, and `arguments`, what it is given, by name.
        right_out: what it must give.  Where it gives something else, a gradient that fits it is not accused as well,
            and one that is wrong in no way with a name may only follow from that.
        expected: the right gradients, in the order of the function's results.
        known: wrong ones that are known, by name.
    """
    name, batch = unit.owns[0], len(dout)
    out, cache = _run(unit, forward, arguments)
    result = unit.call(name, dout, cache)
    values = result if isinstance(result, (tuple, list)) else (result,)
    if len(values) != len(expected):
        raise unit.stop("wrong-return", f"{name} must return {', '.join(expected)}, got {describe(values)}")
    returned = dict(zip(expected, values, strict=True))
    for key in {"db", "dgamma", "dbeta"} & set(expected):
        size, shape = expected[key].size, np.shape(returned[key])
        if max(shape, default=0) == size and math.prod(shape) == size:  # (1, M) is as good: it broadcasts
            returned[key] = np.asarray(returned[key]).reshape(expected[key].shape)
    averaged = _averaged(unit, returned, expected, batch)
    forward_right = agrees(out, right_out)
    for key, value in returned.items():
        if value is UNKNOWN:
            continue
        if value is None:
            raise unit.stop("unimplemented", f"{key} is None")
        wrong = difference(key, unit.array(name, value, key), expected[key], known.get(key, ()), batch)
        if not wrong or (not forward_right and _fits(unit, forward, arguments, dout, key, value)):
            continue
        if forward_right or wrong.verdict:
            unit.find(wrong.of_gradient, wrong.words, severity="note" if key in averaged else None)
        else:
            unit.find("not-checked", f"{key} cannot be judged while forward is wrong")


def agrees(out: Any, expected: AnyArray) -> bool:
    """Whether an output is as it must be, without a word about it."""
    array = in_shape(np.asarray(out), expected.shape)
    return array.shape == expected.shape and close(array, expected)


def _averaged(unit: Unit, returned: Mapping[str, Any], expected: Mapping[str, AnyArray], batch: int) -> list[str]:
    """The gradients of a class's parameters, if it averages them all, as some books do instead of the loss."""
    known = [key for key in ("dw", "db") if returned.get(key, UNKNOWN) is not UNKNOWN]
    of_class = unit.functions.get("__class_adapter__")
    return known if of_class and all(agrees(returned[key], expected[key] / batch) for key in known) else []


def _fits(unit: Unit, forward: str, arguments: dict[str, Any], dout: FloatArray, key: str, value: Any) -> bool:
    """Whether a gradient is that of the code's own forward pass, by numbers."""

    def out(_: FloatArray) -> AnyArray:
        found = np.asarray(_run(unit, forward, arguments)[0])
        if found.shape != dout.shape:
            raise Stop
        return found

    try:
        return agrees(value, eval_numerical_gradient_array(out, arguments[key.removeprefix("d")], dout))
    except Stop:
        return False


def _run(unit: Unit, forward: str, arguments: dict[str, Any]) -> tuple[Any, Any]:
    return unit.pair(forward, *(dict(one) if isinstance(one, dict) else one for one in arguments.values()))


def _affine_inputs(unit: Unit) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    rng = unit.rng
    shape = (4, 6) if unit.functions.get("__class_adapter__") else (4, 2, 3)  # the courses' layers flatten
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
    expected = {"dx": (dout @ w.T).reshape(x.shape), "dw": rows.T @ dout, "db": dout.sum(axis=0)}
    averaged = Alternative(dout.mean(axis=0), "bias-gradient-averaged", "is averaged over the batch instead of summed")
    backward(unit, "affine_forward", {"x": x, "w": w, "b": b}, rows @ w + b, dout, expected, {"db": (averaged,)})


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
    known = (
        Alternative(dout, "wrong-gradient", "lets everything through, also where x is negative"),
        Alternative((x > 0) * 1.0, "wrong-gradient", "lacks the factor dout"),
        Alternative(dout * (x < 0), "wrong-gradient", "is let through where x is negative, and stopped where positive"),
        Alternative(dout * (dout > 0), "wrong-gradient", "is masked by the sign of dout instead of that of x"),
        Alternative(np.maximum(x, 0) * dout, "wrong-gradient", "is multiplied by x instead of by 1"),
    )
    backward(unit, "relu_forward", {"x": x}, np.maximum(x, 0), dout, {"dx": (x > 0) * dout}, {"dx": known})
