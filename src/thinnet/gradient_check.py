r"""Gradient checking: compares backward passes with finite differences of the forward pass.

A numerical gradient shows that backward matches forward.  It cannot show that forward is right.
"""

import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from thinnet.arguments import known_arguments
from thinnet.checks import check_number, kind_of
from thinnet.errors import ArgumentError, ThinnetError
from thinnet.nets import FullyConnectedNet
from thinnet.nets.raw_rows import as_inputs
from thinnet.slopes import Compute, Index, Loss, around, closer_slope, moved
from thinnet.steps import choose
from thinnet.steps.batches import checked_batch
from thinnet.training.compilation import told_of_compilation
from thinnet.training.model_update import checked_model, loss_and_gradients
from thinnet.typing import AnyArray, FloatArray

STEP = 1e-5  # near the cube root of float64's precision, where rounding and curvature cost about the same
NEGLIGIBLE = 1e-3  # errors are relative to at least this fraction of the net's largest gradient
ASIDE = 100.0  # how far, in steps, all parameters are moved to judge elements at a kink
REPEATED = 1e-12  # relative difference allowed between two calls' losses, for another order of summation
MANY = 20_000  # parameters; more take minutes
ATTEMPTS = 4  # number of such moves, each to a different place


class GradientError(ThinnetError, AssertionError):
    """A backward pass does not compute the gradient of its forward pass."""


@dataclass(frozen=True)
class GradientReport:
    """How far analytic gradients are from numerical ones.

    Attributes:
        errors: for each parameter, the largest difference of any element, relative to the largest element of the
            parameter's gradient (or to a thousandth of the largest in the net, if that is more).
        worst: the parameter with the largest error.
        index: the index of its element with the largest error.
        analytic, numerical: the two values there.
        kinks: for each parameter that has any, how many of its elements are at a kink of the loss, where there is no
            derivative. They were judged at a nearby point, with all parameters moved a little.
        unjudged: how many of these have a kink, or only rounding error, nearby as well. They count as right.
    """

    errors: dict[str, float]
    worst: str
    index: tuple[int, ...]
    analytic: float
    numerical: float
    kinks: dict[str, int] = field(default_factory=dict)
    unjudged: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        where = f"{self.worst}[{', '.join(map(str, self.index))}]"
        return (
            f"largest error {self.errors[self.worst]:.2e} at {where}: "
            f"analytic {self.analytic:.8g}, numerical {self.numerical:.8g}"
            + _counted(self.kinks, "at a kink, judged close by")
            + _counted(self.unjudged, "not judged, with kinks or rounding close by too")
        )


@known_arguments
def check_gradients(
    model: Any, X: AnyArray, y: AnyArray, *, tolerance: float = 1e-5, h: float = STEP, raise_exception: bool = True
) -> GradientReport:
    """Compare every element of every gradient of a net with a numerical one, and name the worst.

    A `FullyConnectedNet` is checked on a float64 copy, with the same dropout mask in all calls, and is not changed.
    Any other model is checked as it is; it must return the same loss when called again.  Keep the net small: the loss
    is computed twice for each parameter.

    Where a unit is exactly at its ReLU's kink, as for a row of zeros, the loss has no derivative, and backward passes
    may differ there.  Such elements are judged with all parameters moved a little, and counted.

    Args:
        model: an object with a mapping ``params`` and ``loss(X, y) -> (loss, gradients)``.
        X, y: a minibatch.
        tolerance: the largest relative error that passes.
        h: the step of the central differences.
        raise_exception: whether to raise if an error is too large, as in ``torch.autograd.gradcheck``.

    Returns:
        A `GradientReport`.

    Raises:
        GradientError: if an error is above `tolerance`, a gradient is missing or has the wrong shape, or the loss is
            not finite or changes from call to call.
        ArgumentError: if `model` is not such an object, X or y does not fit it, its params are read-only, or they are
            float32 and `h` is so small that rounding alone exceeds `tolerance`.

    >>> net = FullyConnectedNet([5], input_dim=4, num_classes=3, dropout=0.5, normalization="batchnorm", seed=0)
    >>> X = np.random.default_rng(0).standard_normal((6, 4))
    >>> max(check_gradients(net, X, np.array([0, 1, 2, 0, 1, 2])).errors.values()) < 1e-5
    True
    """
    check_number("tolerance", tolerance)
    check_number("h", h)
    net, options, loss = checked_model(model), {}, None
    if isinstance(model, FullyConnectedNet):
        net, options = model.copy(np.float64), {"step": model.step, "training": True}
        loss = _loss_alone(net, X, y, model.step)
    _check_precision(net.params, tolerance, h)
    if (elements := sum(w.size for w in net.params.values())) > MANY:
        text = f"the net has {elements:,} parameters, and the loss is computed twice for each, which may take minutes"
        warnings.warn(f"{text}. A net with a few units in each layer runs the same code", UserWarning, stacklevel=3)
    with told_of_compilation(verbose=False):
        comparison = _Comparison(net, lambda: loss_and_gradients(net.loss(X, y, **options)), loss, tolerance, h)
    comparison.look_closer()
    comparison.judge_close_by()
    report = comparison.report()
    error = report.errors[report.worst]
    if raise_exception and not error <= tolerance:
        raise GradientError(
            f"gradients must match numerical ones to {tolerance:g}, got the {report}. "
            f"Fix the backward pass of the layer that {report.worst} belongs to, or of one after it."
        )
    return report


def _loss_alone(net: FullyConnectedNet, X: Any, y: Any, step: int) -> Callable[[], float]:
    """A function that computes a training step's loss, without gradients, for the parameters' current values."""
    rows = net._rows(X)
    rows = rows if net.standardization is None else as_inputs(net.spec, net.standardization, rows)
    batch = replace(checked_batch(net.spec, rows, y, step=step), only_loss=True)
    how = choose.training_step(net.spec, len(batch), fused=net.fused, products=net.products)
    return lambda: how.compute(net.state, batch).loss


class _Comparison:
    """Analytic and numerical gradients of a model, element by element."""

    def __init__(
        self, net: Any, compute: Compute, loss: Callable[[], float] | None, tolerance: float, h: float
    ) -> None:
        self.net, self.compute, self.tolerance, self.h = net, compute, tolerance, h
        self.loss: Loss = lambda _: float(loss() if loss else compute()[0])
        _check_losses(compute()[0], compute()[0])
        self.analytic = self._gradients()
        self.numerical = {name: eval_numerical_gradient(self.loss, w, False, h) for name, w in net.params.items()}
        for name, expected in self.numerical.items():
            came = self.analytic[name].shape if name in self.analytic else "no such key"
            if came != expected.shape:
                message = f"gradients[{name!r}] must have shape {expected.shape}, as params[{name!r}] has, got {came}."
                raise GradientError(message)
        self._measure()
        self.kinks: list[tuple[str, Index]] = []
        self.unjudged: list[tuple[str, Index]] = []

    def _gradients(self) -> dict[str, FloatArray]:
        """Copies, since elements at kinks are replaced."""
        return {name: np.array(gradient, np.float64) for name, gradient in self.compute()[1].items()}

    def _is_firm(self, name: str, index: Index) -> bool:
        """Recompute the difference of one element; return whether it can tell right from wrong."""
        bound = self.tolerance * float(self.scales[name][index])
        slope, firm = closer_slope(self.compute, self.loss, self.net.params, name, index, bound, self.h)
        self.numerical[name][index] = slope
        return firm

    def look_closer(self) -> None:
        """Recompute differences with smaller steps where the two disagree, and find the elements at kinks.

        A slope across a kink may be far larger than all gradients. Without it, the scale of the errors shrinks, and
        more elements may become suspects.
        """
        if self.tolerance < np.finfo(float).eps:  # no finite difference is that accurate
            return
        while found := [suspect for suspect in self._suspects() if not self._is_firm(*suspect)]:
            self.kinks += found
            for name, index in found:
                self.numerical[name][index] = self.analytic[name][index]
            self._measure()

    def _suspects(self) -> Iterator[tuple[str, Index]]:
        for name, numerical in self.numerical.items():
            differ = ~(np.abs(self.analytic[name] - numerical) <= self.tolerance * self.scales[name])
            yield from ((name, tuple(map(int, index))) for index in np.argwhere(differ))

    def _measure(self) -> None:
        scales = _scales(self.numerical)
        self.scales = {name: np.full(expected.shape, scales[name]) for name, expected in self.numerical.items()}

    def judge_close_by(self) -> None:
        """Move all parameters a little, off the kinks, and compare there the elements that are at kinks here.

        If units are at their kink because a row is zero or all units below were dropped, any move takes them off it.
        """
        self.unjudged = self.kinks
        for attempt in range(ATTEMPTS if self.kinks else 0):
            with moved(self.net.params, ASIDE * 10**attempt * self.h, attempt):
                gradients = self._gradients()
                scales = _scales(gradients)
                for name, index in self.unjudged:
                    self.analytic[name][index] = gradients[name][index]
                    self.scales[name][index] = max(self.scales[name][index], scales[name])
                self.unjudged = [suspect for suspect in self.unjudged if not self._is_firm(*suspect)]
        for name, index in self.unjudged:
            self.numerical[name][index] = self.analytic[name][index]

    def report(self) -> GradientReport:
        errors: dict[str, float] = {}
        largest: dict[str, Index] = {}
        for name, numerical in self.numerical.items():
            difference = np.abs(self.analytic[name] - numerical) / self.scales[name]
            largest[name] = tuple(int(i) for i in np.unravel_index(difference.argmax(), difference.shape))
            errors[name] = float(difference[largest[name]])
        worst = max(errors, key=lambda name: (np.isnan(errors[name]), errors[name]))
        index = largest[worst]
        values = float(self.analytic[worst][index]), float(self.numerical[worst][index])
        counts = (dict(Counter(name for name, _ in some)) for some in (self.kinks, self.unjudged))
        return GradientReport(errors, worst, index, *values, *counts)


def _scales(gradients: Mapping[str, FloatArray]) -> dict[str, float]:
    """The magnitude that each gradient's errors are relative to."""
    largest = {name: float(np.abs(g).max(initial=0, where=np.isfinite(g))) for name, g in gradients.items()}
    least = max(NEGLIGIBLE * max(largest.values(), default=0.0), np.finfo(float).tiny)
    return {name: max(own, least) for name, own in largest.items()}


def _counted(counts: Mapping[str, int], what: str) -> str:
    if not counts:
        return ""
    total = sum(counts.values())
    listed = ", ".join(f"{name}: {n}" for name, n in counts.items())
    return f"; {total} element{'s' if total > 1 else ''} {what} ({listed})"


@known_arguments
def eval_numerical_gradient(
    f: Callable[[FloatArray], float], x: FloatArray, verbose: bool = True, h: float = STEP
) -> FloatArray:
    r"""The gradient of a scalar function by central differences: (f(x + h) − f(x − h)) / 2h for each element.

    Args:
        f: takes the array `x`, which is changed in place for each call and restored afterwards.
        x: floats of any shape.
        verbose: whether to print each element.
        h: the step.

    Returns:
        An array of the shape of `x`.

    Raises:
        ArgumentError: if `x` is not a writable float array, `h` is not positive or too small to change its elements, or
            `f` does not return a number.

    >>> eval_numerical_gradient(lambda x: float((x**2).sum()), np.array([1.0, 2.0]), verbose=False).round(6)
    array([2., 4.])
    """
    gradient = np.zeros_like(x)
    for index, above, below in _differenced(f, x, h):
        if above.size != 1 or above.dtype.kind not in "biufc":
            came = f"an array of shape {above.shape}" if above.size != 1 else repr(above.item())
            raise ArgumentError(f"f must return a number, got {came}. For arrays, use eval_numerical_gradient_array.")
        gradient[index] = (above - below).item() / (2 * h)
        if verbose:
            print(index, gradient[index])
    return gradient


@known_arguments
def eval_numerical_gradient_array(
    f: Callable[[FloatArray], FloatArray], x: FloatArray, df: FloatArray, h: float = STEP
) -> FloatArray:
    r"""The gradient of Σ f(x) · df for a function that returns an array, by central differences.

    Args:
        f: takes the array `x`, which is changed in place for each call and restored afterwards.
        x: floats of any shape.
        df: the gradient with respect to the output of `f`, of its shape.
        h: the step.

    Returns:
        An array of the shape of `x`.

    Raises:
        ArgumentError: if `x` is not a writable float array, `h` is not positive or too small to change its elements, or
            `df` does not have the shape of the output.

    >>> eval_numerical_gradient_array(lambda x: 3 * x, np.array([1.0]), np.array([2.0])).round(6)
    array([6.])
    """
    gradient = np.zeros_like(x)
    for index, above, below in _differenced(f, x, h):
        _check_same_shape("df", df, above.shape, "the output of f")
        gradient[index] = np.sum((above - below) * df) / (2 * h)
    return gradient


def grad_check_sparse(
    f: Callable[[FloatArray], float], x: FloatArray, analytic_grad: FloatArray, num_checks: int = 10, h: float = STEP
) -> None:
    """Print numerical and analytic gradients at `num_checks` elements drawn from Python's global generator.

    Args:
        f: a scalar function of `x`, which is changed in place for each call and restored afterwards.
        x: floats of any shape.
        analytic_grad: the gradient to check, of the shape of `x`.
        num_checks: how many elements to look at; one may be drawn twice.
        h: the step.

    Raises:
        ArgumentError: if `x` is not a float array, `analytic_grad` has a different shape, or a number is too small.

    >>> grad_check_sparse(lambda x: float(3 * x[0]), np.array([1.0]), np.array([3.0]), num_checks=1)
    numerical: 3.000000 analytic: 3.000000, relative error: ...
    """
    import random  # slow to import, and only needed here

    _check_floats("x", x)
    _check_same_shape("analytic_grad", analytic_grad, x.shape, "x")
    check_number("num_checks", num_checks)
    _check_step(x, h)
    for _ in range(num_checks):
        index = tuple(random.randrange(size) for size in x.shape)
        above, below = around(f, x, index, h)
        numerical, analytic = (above - below) / (2 * h), analytic_grad[index]
        total = abs(numerical) + abs(analytic)
        error = abs(numerical - analytic) / total if total else 0.0
        print(f"numerical: {numerical:f} analytic: {analytic:f}, relative error: {error:e}")


def _differenced(f: Callable[[FloatArray], Any], x: FloatArray, h: float) -> Iterator[tuple[Index, Any, Any]]:
    """Each index of x, with the values of f above and below."""
    _check_floats("x", x)
    _check_step(x, h)
    for index in np.ndindex(x.shape):
        yield index, *around(f, x, index, h)


def _check_losses(loss: float, again: float) -> None:
    """Reject losses whose differences mean nothing: one that is not finite, and one that changes between calls."""
    if not math.isfinite(loss):
        raise GradientError(f"the loss must be finite, got {loss}. Look at X, y, params and the forward pass.")
    if not abs(again - loss) <= REPEATED * abs(loss):
        raise GradientError(
            f"the model must give the same loss when called again, got {loss:.9g}, then {again:.9g}. Draw the same "
            f"dropout mask in each call, and do not change the model."
        )


def _check_precision(params: Mapping[str, Any], tolerance: float, h: float) -> None:
    for name, w in params.items():
        _check_floats(f"params[{name!r}]", w)
        if w.dtype.itemsize < 8 and not np.finfo(w.dtype).eps / h <= tolerance:
            raise ArgumentError(
                f"model must hold its params in float64 for h={h:g} and tolerance={tolerance:g}, got {w.dtype} in "
                f"{name}. Build it with dtype=np.float64; in {w.dtype}, rounding hides the differences."
            )


def _check_floats(name: str, x: FloatArray) -> None:
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f":
        came = f"dtype {x.dtype}" if isinstance(x, np.ndarray) else kind_of(x)
        fix = f"Convert it with np.asarray({name}, dtype=np.float64)."
        raise ArgumentError(f"{name} must be a NumPy array of floats, got {came}. {fix}")
    if not x.flags.writeable:
        raise ArgumentError(f"{name} must be a writable array, got a read-only one. Pass a copy, {name}.copy().")


def _check_step(x: FloatArray, h: float) -> None:
    """Reject a step that rounding swallows, so that the difference of an element would be zero."""
    check_number("h", h)
    lost = np.argwhere((x + h == x) | (x - h == x))
    if len(lost):
        index = tuple(map(int, lost[0]))
        raise ArgumentError(
            f"h must be large enough to change each element of x, got {h:g}, which {x.dtype} rounds away at "
            f"x[{', '.join(map(str, index))}] = {x[index]:g}. Use float64, smaller numbers or a larger h."
        )


def _check_same_shape(name: str, array: Any, shape: tuple[int, ...], like: str) -> None:
    if np.shape(array) != shape:
        raise ArgumentError(
            f"{name} must have shape {shape}, as {like} has, got {np.shape(array)}. Pass the gradient with respect to "
            f"{like}."
        )
