"""Affine layers and activations: outputs and gradients against the formulas."""

import copy
import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from thinnet.check.call_recorder import right_layers
from thinnet.check.class_calls import Returned
from thinnet.check.compare import Alternative, Alternatives, close, difference
from thinnet.check.subject import UNKNOWN, Stop, Subject, describe
from thinnet.check.verdicts import Severity
from thinnet.checks import in_shape
from thinnet.errors import ArgumentError
from thinnet.gradient_check import eval_numerical_gradient_array
from thinnet.typing import AnyArray, FloatArray

Arguments = dict[str, Any]  # of forward; dx is the gradient of x, and so on
Gradients = Mapping[str, AnyArray]
Known = Mapping[str, Alternatives]  # wrong gradients, by the right one's name
VECTORS = {"db", "dgamma", "dbeta"}


def check_output(
    subject: Subject, got: Any, expected: AnyArray, known: Sequence[Alternative] = (), what: str = "the output"
) -> None:
    """Report what is wrong with an output."""
    array = subject.plain_array(subject.own, got, what)
    wrong = difference(what, array, expected, known)
    if wrong and not subject.is_half_precision(what, array, expected):
        subject.report(wrong.of_output, wrong.message)
    if array.dtype == np.float32:
        subject.report("dtype-changed", f"for arguments of float64 {what} is in float32", severity="note")


def right_results(subject: Subject, arguments: Arguments) -> tuple[FloatArray, FloatArray, dict[str, FloatArray]]:
    """The output of a right forward pass, a random gradient `dout` of it, and the right gradients of the arguments."""
    right = right_layers(subject.convention.means)
    out, cache = right[subject.forward](*copy.deepcopy([*arguments.values()]))
    dout = subject.rng.normal(size=out.shape)
    gradients = right[subject.own](dout, cache)
    in_order = gradients if isinstance(gradients, tuple) else (gradients,)
    named = {f"d{name}": gradient for name, gradient in zip(arguments, in_order, strict=False)}
    return out, dout, {key: value.ravel() if key in VECTORS else value for key, value in named.items()}


def check_gradients(
    subject: Subject, arguments: Arguments, right_out: AnyArray, dout: FloatArray, expected: Gradients, known: Known
) -> None:
    """Compare the gradients that the subject returns with the right ones, which are in the order of its results.

    If the output of forward is wrong, a gradient that fits it is not judged, nor one that is wrong in an unknown way,
    since that may just follow from forward.
    """
    name, batch = subject.own, len(dout)
    out, cache = _run(subject, arguments)
    forward_right = agrees(out, right_out)
    _check_cache(subject, arguments, dout, cache, expected)
    result = _backward(subject, dout, cache, forward_right)
    values = _values(result)
    if values is result and len(values) == len(expected) == 1 and not subject.of_class:
        raise subject.stop("wrong-return", f"{name} must return dx alone, got {describe(result)}")
    if len(values) != len(expected):
        raise subject.stop("wrong-return", f"{name} must return {', '.join(expected)}, got {describe(values)}")
    returned = dict(zip(expected, _in_order(subject, values, expected), strict=True))
    for key in VECTORS & set(expected):
        size, shape = expected[key].size, getattr(returned[key], "shape", ())
        if isinstance(returned[key], np.matrix):
            continue
        if max(shape, default=0) == size == math.prod(shape) and shape != (size, 1):  # (1, M) is fine: it broadcasts
            returned[key] = np.asarray(returned[key]).reshape(expected[key].shape)
    averaged = _averaged(subject, returned, expected, batch)
    wrong: dict[tuple[str, Severity | None], list[str]] = defaultdict(list)  # all messages of each verdict
    for key, value in returned.items():
        if value is UNKNOWN:
            wrong["not-checked", None].append(f"{key} is not found under a usual name")
            continue
        if value is None:
            how = "is neither returned nor stored in an attribute" if subject.of_class else "is None"
            wrong["unimplemented", None].append(f"{key} {how}")
            continue
        array = subject.plain_array(name, value, key)
        differs = difference(key, array, expected[key], known.get(key, ()), batch)
        if not differs:
            continue
        subject.last_call = name, (dout, cache)
        if forward_right and subject.is_half_precision(key, array, expected[key]):
            continue
        excusable = not (forward_right and differs.verdict)  # also if forward has another epsilon
        fits = excusable and _fits(subject, arguments, dout, key, value)
        if fits and forward_right:
            continue
        if fits:
            wrong["not-checked", None].append(f"{key} matches forward, which is itself wrong")
        elif forward_right or differs.verdict:
            wrong[differs.of_gradient, "note" if key in averaged else None].append(differs.message)
        else:
            wrong["not-checked", None].append(f"{key} cannot be judged while forward is wrong")
    for (verdict, graded), messages in wrong.items():
        subject.report(verdict, "; ".join(messages), severity=graded)
    if forward_right and not wrong:
        _check_later_calls(subject, arguments, dout, values)


def _check_later_calls(subject: Subject, arguments: Arguments, dout: FloatArray, values: Sequence[Any]) -> None:
    """Report gradients that change with later calls of forward or backward."""
    _, cache = _run(subject, arguments)
    _, other = _run(subject, {**arguments, "x": -arguments["x"]})
    first = [np.copy(value) for value in values]
    subject.call(subject.own, 2 * dout, other)
    if not subject.of_class and not all(map(close, values, first)):
        message = f"a second call of {subject.own} changes the arrays that the first one returned"
        subject.report("wrong-gradient", message)
    again = _values(subject.call(subject.own, dout, cache))
    if not all(close(*pair) for pair in zip(first, again, strict=False) if np.ndim(pair[0])):
        calls = f"after two calls of {subject.forward}, {subject.own} with the cache of the first"
        subject.report("cache-of-another-layer", f"{calls} gives other gradients")


def _backward(subject: Subject, dout: FloatArray, cache: Any, forward_right: bool) -> Any:
    """What the subject returns; if it stops because of what forward left, that is reported as forward's fault."""
    try:
        return subject.call(subject.own, dout, cache)
    except Stop:
        if subject.findings[-1].verdict != "crashed" or (forward_right and cache is not None):
            raise
        why = subject.findings.pop().evidence
        if not forward_right:
            raise subject.stop("not-checked", f"it cannot be judged while forward is wrong: {why}") from None
        message = f"{subject.forward} leaves None in the cache, so {subject.own} stops"
        raise subject.stop("wrong-return", message) from None


def _values(result: Any) -> Sequence[Any]:
    """What a function returns, as a sequence of values; an array, or a list of lists, is a single value."""
    return result if isinstance(result, (tuple, list)) and not is_array(result) else (result,)


def is_array(result: Any) -> bool:
    """Whether a result is a list of lists."""
    return isinstance(result, list) and all(isinstance(one, list) for one in result)


def _squeezed(value: Any) -> Any:
    return np.squeeze(value) if isinstance(value, np.ndarray) else value


def _check_cache(subject: Subject, arguments: Arguments, dout: FloatArray, cache: Any, expected: Gradients) -> None:
    """Stop if the gradients are wrong only because forward's cache holds something other than its arguments."""
    given, kept = [*arguments.values()], [*_values(cache)]
    both = [(key, given[i], kept[i]) for i, key in enumerate(arguments) if i < len(kept)]
    others = [one for one in both if not np.array_equal(*map(_squeezed, one[1:]))]  # (1, M) is as good as (M,)

    def right(cache: Any) -> bool:
        values = _values(subject.attempt(subject.call, subject.own, dout, cache)[0])
        return len(values) == len(expected) and all(map(agrees, values, expected.values()))

    if subject.of_class or not others or right(cache):
        return
    if not right(given[0] if kept[0] is cache else (*given, *kept[len(given) :])):
        return
    names, shapes = " and ".join(key for key, *_ in others), [[*map(np.shape, one[1:])] for one in others]
    how = next((f"shape {new} instead of {old}" for old, new in shapes if new != old), "other values")
    message = f"{subject.forward} does not keep {names} as given: its cache has {how}"
    raise subject.stop("wrong-return", f"{message}; with {names} as given, {subject.own} is right")


def _in_order(subject: Subject, values: Sequence[Any], expected: Gradients) -> Sequence[Any]:
    """The values in the expected order; a student's own class may return them in another one."""
    for order in itertools.permutations(expected):
        pairs = [*zip(values, (expected[key] for key in order), strict=True)]
        same = all(isinstance(value, np.ndarray) and agrees(value, right) for value, right in pairs)
        if same and order != tuple(expected):
            if isinstance(values, Returned):
                message = f"it returns {', '.join(order)}; the courses return {', '.join(expected)}"
                subject.report("another-order", message)
                return [values[order.index(key)] for key in expected]
            message = f"{subject.own} must return {', '.join(expected)} in this order, got {', '.join(order)}"
            if subject.of_class:  # found by their names
                message = f"what it gives for {', '.join(expected)} is {', '.join(order)}"
            raise subject.stop("wrong-return", message)
    return values


def agrees(out: Any, expected: AnyArray) -> bool:
    """Whether an output is right, without a report."""
    try:
        array = in_shape(np.asarray(out), expected.shape)
    except ValueError:  # it holds arrays of several shapes
        return False
    return array.shape == expected.shape and array.dtype.kind in "fiub" and close(array, expected)


def _averaged(subject: Subject, returned: Mapping[str, Any], expected: Gradients, batch: int) -> list[str]:
    """The gradients of a class's parameters, if it averages them all, as some books do instead of the loss."""
    known = [key for key in ("dw", "db") if returned.get(key, UNKNOWN) is not UNKNOWN]
    return known if subject.of_class and all(agrees(returned[key], expected[key] / batch) for key in known) else []


def _fits(subject: Subject, arguments: Arguments, dout: FloatArray, key: str, value: Any) -> bool:
    """Whether a gradient is numerically that of the code's own forward pass."""
    x = arguments[key.removeprefix("d")]
    try:
        own = eval_numerical_gradient_array(lambda _: _run(subject, arguments)[0], x, dout)
        return np.size(value) == own.size and agrees(value, own.reshape(np.shape(value)))
    except (Stop, ArgumentError):  # the latter if the output does not have the shape of dout
        return False


def _run(subject: Subject, arguments: Arguments) -> tuple[Any, Any]:
    given = (dict(value) if isinstance(value, dict) else value for value in arguments.values())
    return subject.pair(subject.forward, *given)


def _shapes(subject: Subject, *shapes: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """These shapes of x in turn, until a fault is found; only the first one for a class."""
    for shape in shapes[:1] if subject.of_class else shapes:
        subject.when = f"with x of shape {shape}: " if shape != shapes[0] else ""
        if not subject.has_fault:
            yield shape


def _affine_inputs(subject: Subject) -> Iterator[tuple[FloatArray, FloatArray, FloatArray, FloatArray]]:
    """Inputs of several shapes, since the courses' layers flatten them."""
    rng = subject.rng
    for shape in _shapes(subject, *([(4, 6)] if subject.of_class else [(4, 2, 3), (4, 6), (4, 1, 2, 3)])):
        yield rng.normal(size=shape), rng.normal(size=(6, 5)), rng.normal(size=5), rng.normal(size=(4, 5))


def check_affine_forward(subject: Subject) -> None:
    """out = x · w + b, with x flattened to rows."""
    for x, w, b, _ in _affine_inputs(subject):
        rows = x.reshape(4, 6)
        out, _ = subject.pair("affine_forward", x, w, b)
        mixed = "is that of x reshaped in another order than x.reshape(len(x), -1)"
        orders = x.reshape(len(x), -1, order="F"), x.reshape(-1, len(x)).T
        added = "has the bias added to w, x.dot(w + b), instead of to the product"
        biases = {0: "lacks the bias", -1: "has the bias subtracted instead of added", 2: "has the bias added twice"}
        known = [(rows @ w + times * b, "wrong-output", told) for times, told in biases.items()]
        known += [(rows @ (w + b), "wrong-output", added)]
        known += [(other @ w + b, "wrong-output", mixed) for other in orders]
        check_output(subject, out, rows @ w + b, known)


def check_affine_backward(subject: Subject) -> None:
    """dx = dout · wᵀ, dw = xᵀ · dout, db = Σ dout."""
    for x, w, b, dout in _affine_inputs(subject):
        rows = x.reshape(4, 6)
        expected = {"dx": (dout @ w.T).reshape(x.shape), "dw": rows.T @ dout, "db": dout.sum(axis=0)}
        flipped = (dout @ w.T).reshape(x.shape, order="F")
        turned: Alternative = (flipped, "wrong-gradient", "is reshaped in another order than that of x")
        of_one: list[Alternative] = [
            (np.outer(rows[i], dout[i]), "examples-not-summed", f"is that of the {which} example")
            for i, which in ((0, "first"), (-1, "last"))
        ]
        step = (dout @ (rows.T @ dout).T).reshape(x.shape)  # what a step along dw subtracts from dx
        known: dict[str, Alternatives] = {"dw": of_one, "db": wrong_sums(dout)}
        known["dx"] = partial(_known_dx, turned, expected["dx"], step)
        check_gradients(subject, {"x": x, "w": w, "b": b}, rows @ w + b, dout, expected, known)


def _known_dx(turned: Alternative, right: FloatArray, step: FloatArray, got: AnyArray) -> list[Alternative]:
    """Known wrong values of an affine layer's dx: in another order, or from weights that have already been updated."""
    rate = float(np.sum((right - got) * step) / np.sum(step * step))
    moved = "is computed with weights that have already been updated: compute it before the step"
    return [turned, (right - rate * step, "wrong-gradient", moved)]


def wrong_sums(rows: FloatArray) -> list[Alternative]:
    """Known mistakes in place of the sum over the rows."""
    return [
        (rows.mean(axis=0), "bias-gradient-averaged", "is averaged over the batch instead of summed"),
        (rows.sum(axis=1), "wrong-axis", "is summed along the other axis"),
        (rows.sum(), "wrong-axis", "is summed over everything"),
        (rows, "examples-not-summed", "is not summed over the examples"),
        (rows[0], "examples-not-summed", "is that of the first example"),
        (rows[-1], "examples-not-summed", "is that of the last example"),
    ]


def _relu_inputs(subject: Subject) -> Iterator[FloatArray]:
    for shape in _shapes(subject, (4, 5), (1, 2, 2, 5)):
        yield (np.linspace(0.2, 3, 20) * np.where(np.arange(20) % 3 == 0, -1.0, 1.0)).reshape(shape)


def check_relu_forward(subject: Subject) -> None:
    """out = max(x, 0)."""
    for x in _relu_inputs(subject):
        known = [
            (np.abs(x), "wrong-output", "is the absolute value"),
            ((x > 0) * 1.0, "wrong-output", "is one where x is positive, rather than x"),
            (np.minimum(x, 0), "wrong-output", "is the smaller of x and 0"),
            (x.max(axis=0), "shape-changed", "has the largest value of each column, as from np.max(x, 0)"),
            (np.asarray(x.max()), "shape-changed", "is the largest value of all"),
        ]
        for a in (0.01, 0.1, 0.2, 1):
            known.append((np.where(x > 0, x, a * x), "wrong-output", f"is {a} * x where x is negative"))
        check_output(subject, subject.pair("relu_forward", x)[0], np.maximum(x, 0), known)


def check_relu_backward(subject: Subject) -> None:
    """dx = dout where x > 0, else 0."""
    for x in _relu_inputs(subject):
        dout = subject.rng.normal(size=x.shape)
        known = (
            (dout, "wrong-gradient", "lets everything through, even where x is negative"),
            ((x > 0) * 1.0, "wrong-gradient", "lacks the factor dout"),
            (dout * (x < 0), "wrong-gradient", "lets dout through where x is negative instead of where it is positive"),
            (dout * (dout > 0), "wrong-gradient", "is masked by the sign of dout instead of that of x"),
            (np.maximum(x, 0) * dout, "wrong-gradient", "is multiplied by x instead of by 1"),
            (x * dout, "wrong-gradient", "is multiplied by x instead of by 1"),
            (np.maximum(x, 0), "wrong-gradient", "is the output of forward instead of dout times its slope"),
        )
        check_gradients(subject, {"x": x}, np.maximum(x, 0), dout, {"dx": (x > 0) * dout}, {"dx": known})


SMOOTH: dict[str, tuple[Any, Any]] = {  # the output as a function of x, and the slope of the output
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda out: out * (1 - out)),
    "tanh": (np.tanh, lambda out: 1 - out**2),
}


def check_smooth_forward(subject: Subject) -> None:
    """The output of an activation; known mistakes are the other activation and wrong signs."""
    x = next(_relu_inputs(subject))
    got, _ = subject.pair(subject.own, x)
    values = {
        f"is {'' if sign > 0 else 'minus '}{name}({'' if inner > 0 else '-'}x)": sign * out(inner * x)
        for name, (out, _) in SMOOTH.items()
        for sign in (1, -1)
        for inner in (1, -1)
    }
    known = [(value, "wrong-output", text) for text, value in values.items()]
    check_output(subject, got, SMOOTH[subject.own.partition("_")[0]][0](x), known)


def check_smooth_backward(subject: Subject) -> None:
    """dx = dout times the slope."""
    x = next(_relu_inputs(subject))
    dout, (output, slope) = subject.rng.normal(size=x.shape), SMOOTH[subject.own.partition("_")[0]]
    out = output(x)
    known = (
        (slope(out), "wrong-gradient", "lacks the factor dout"),
        (dout * slope(x), "wrong-gradient", "has x in place of the output"),
        (dout * out, "wrong-gradient", "is dout times the output"),
    )
    check_gradients(subject, {"x": x}, out, dout, {"dx": dout * slope(out)}, {"dx": known})
