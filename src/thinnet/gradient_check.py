r"""Checking gradients: what backward passes compute, against differences of the forward pass.

A numerical gradient shows that backward belongs to forward.  It cannot show that forward is right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from thinnet.checks import check_number
from thinnet.errors import ArgumentError, ThinnetError
from thinnet.nets import FullyConnectedNet
from thinnet.training.model_update import checked_model
from thinnet.typing import AnyArray, FloatArray

STEP = 1e-5  # near the cube root of float64's precision, where rounding and curvature cost about the same
FINER = 1e-2  # the share of the step that is taken on a second look
MOST_SUSPECTS = 200  # elements looked at twice; where there are more, it is no matter of kinks
NEGLIGIBLE = 1e-3  # gradients below this share of the net's largest are measured against that share


class GradientError(ThinnetError, AssertionError):
    """A backward pass does not give the gradient of its forward pass."""


@dataclass(frozen=True)
class GradientReport:
    """How far analytic gradients lie from numerical ones.

    Attributes:
        errors: for each parameter, the largest difference of an element, relative to the largest element of the
            parameter's gradient (or to a thousandth of the largest in the net, if that is more).
        worst: the parameter with the largest error.
        index: the element of it where the error is largest.
        analytic, numerical: the two values there.
    """

    errors: dict[str, float]
    worst: str
    index: tuple[int, ...]
    analytic: float
    numerical: float

    def __str__(self) -> str:
        place = f"{self.worst}[{', '.join(map(str, self.index))}]"
        return (
            f"largest error {self.errors[self.worst]:.2e} at {place}: "
            f"analytic {self.analytic:.8g}, numerical {self.numerical:.8g}"
        )


def check_gradients(
    model: Any, X: AnyArray, y: AnyArray, *, tolerance: float = 1e-5, h: float = STEP, raise_exception: bool = True
) -> GradientReport:
    """Compare every element of every gradient of a net with a numerical one, and name the worst.

    A `FullyConnectedNet` is checked in a copy of dtype float64, with one and the same dropout mask in all calls, and
    is left as it was.  Another model is checked as it is; it must give the same loss when called again.  Keep the net
    small: the loss is computed twice for each parameter.

    Args:
        model: an object with a mapping ``params`` and ``loss(X, y) -> (loss, gradients)``.
        X, y: a minibatch.
        tolerance: the largest relative error that passes.
        h: the step of the central difference.
        raise_exception: whether too large an error raises, as in ``torch.autograd.gradcheck``.

    Returns:
        A `GradientReport`.

    Raises:
        GradientError: if an error is above `tolerance`, or a gradient is missing or of another shape.
        ArgumentError: if the model is none, or X or y does not fit it.

    >>> net = FullyConnectedNet([5], input_dim=4, num_classes=3, dropout=0.5, normalization="batchnorm", seed=0)
    >>> X = np.random.default_rng(0).standard_normal((6, 4))
    >>> max(check_gradients(net, X, np.array([0, 1, 2, 0, 1, 2])).errors.values()) < 1e-5
    True
    """
    check_number("tolerance", tolerance)
    check_number("h", h)
    net, options = checked_model(model), {}
    if isinstance(model, FullyConnectedNet):
        net, options = model.copy(np.float64), {"step": model.step, "training": True}

    def loss_again(_: FloatArray) -> float:
        return float(net.loss(X, y, **options)[0])

    gradients = net.loss(X, y, **options)[1]
    numerical = {name: eval_numerical_gradient(loss_again, w, False, h) for name, w in net.params.items()}
    largest = max(float(np.abs(g).max(initial=0)) for g in numerical.values())
    errors: dict[str, float] = {}
    places: dict[str, tuple[int, ...]] = {}
    for name, expected in numerical.items():
        _check_gradient_shape(name, gradients, expected.shape)
        scale = max(float(np.abs(expected).max(initial=0)), NEGLIGIBLE * largest, np.finfo(float).tiny)
        _inplace_second_look(loss_again, net.params[name], gradients[name], expected, tolerance * scale, h)
        difference = np.abs(gradients[name] - expected)
        places[name] = tuple(int(i) for i in np.unravel_index(difference.argmax(), difference.shape))
        errors[name] = float(difference[places[name]]) / scale
    worst = max(errors, key=lambda name: (np.isnan(errors[name]), errors[name]))
    place = places[worst]
    report = GradientReport(errors, worst, place, float(gradients[worst][place]), float(numerical[worst][place]))
    if raise_exception and not errors[worst] <= tolerance:
        raise GradientError(
            f"gradients must match numerical ones to {tolerance:g}, got the {report}. "
            f"Mend the backward pass of the layer that {worst} belongs to, or of one after it."
        )
    return report


def eval_numerical_gradient(
    f: Callable[[FloatArray], float], x: FloatArray, verbose: bool = True, h: float = STEP
) -> FloatArray:
    r"""The gradient of a scalar function by central differences: (f(x + h) − f(x − h)) / 2h for each element.

    Args:
        f: takes the array `x`, which is changed in place for each call and put back afterwards.
        x: floats of any shape.
        verbose: whether to print each element.
        h: the step.

    Returns:
        An array of the shape of `x`.

    Raises:
        ArgumentError: if `x` does not hold floats, or `h` is not positive.

    >>> eval_numerical_gradient(lambda x: float((x**2).sum()), np.array([1.0, 2.0]), verbose=False).round(6)
    array([2., 4.])
    """
    _check_floats(x)
    check_number("h", h)
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        above, below = _around(f, x, index, h)
        gradient[index] = (above - below) / (2 * h)
        if verbose:
            print(index, gradient[index])
    return gradient


def eval_numerical_gradient_array(
    f: Callable[[FloatArray], FloatArray], x: FloatArray, df: FloatArray, h: float = STEP
) -> FloatArray:
    r"""The gradient of Σ f(x) · df for a function that gives an array, by central differences.

    Args:
        f: takes the array `x`, which is changed in place for each call and put back afterwards.
        x: floats of any shape.
        df: the gradient with respect to the output of `f`, of its shape.
        h: the step.

    Returns:
        An array of the shape of `x`.

    Raises:
        ArgumentError: if `x` does not hold floats, `h` is not positive, or `df` has another shape than the output.

    >>> eval_numerical_gradient_array(lambda x: 3 * x, np.array([1.0]), np.array([2.0])).round(6)
    array([6.])
    """
    _check_floats(x)
    check_number("h", h)
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        above, below = _around(f, x, index, h)
        _check_same_shape("df", df, above.shape, "the output of f")
        gradient[index] = np.sum((above - below) * df) / (2 * h)
    return gradient


def grad_check_sparse(
    f: Callable[[FloatArray], float],
    x: FloatArray,
    analytic_grad: FloatArray,
    num_checks: int = 10,
    h: float = STEP,
) -> None:
    """Print numerical and analytic gradients at `num_checks` elements drawn from Python's global generator.

    Args:
        f: a scalar function of `x`, which is changed in place for each call and put back afterwards.
        x: floats of any shape.
        analytic_grad: the gradient to be checked, of the shape of `x`.
        num_checks: how many elements to look at; one may be drawn twice.
        h: the step.

    Raises:
        ArgumentError: if `x` does not hold floats, `analytic_grad` has another shape, or a number is too small.

    >>> grad_check_sparse(lambda x: float(3 * x[0]), np.array([1.0]), np.array([3.0]), num_checks=1)
    numerical: 3.000000 analytic: 3.000000, relative error: ...
    """
    import random  # slow to import, and for this function only

    _check_floats(x)
    _check_same_shape("analytic_grad", analytic_grad, x.shape, "x")
    check_number("num_checks", num_checks)
    check_number("h", h)
    for _ in range(num_checks):
        index = tuple(random.randrange(size) for size in x.shape)
        above, below = _around(f, x, index, h)
        numerical, analytic = (above - below) / (2 * h), analytic_grad[index]
        total = abs(numerical) + abs(analytic)
        error = abs(numerical - analytic) / total if total else 0.0
        print(f"numerical: {numerical:f} analytic: {analytic:f}, relative error: {error:e}")


def _check_gradient_shape(name: str, gradients: Mapping[str, Any], shape: tuple[int, ...]) -> None:
    came = np.shape(gradients[name]) if name in gradients else "no such key"
    if came != shape:
        raise GradientError(f"gradients[{name!r}] must have shape {shape}, as params[{name!r}] has, got {came}.")


def _inplace_second_look(
    loss: Callable[[FloatArray], float],
    w: FloatArray,
    analytic: FloatArray,
    numerical: FloatArray,
    bound: float,
    h: float,
) -> None:
    """Difference anew, by a much smaller step, where the two disagree, and keep what is nearer.

    A step across the kink of a ReLU gives a wrong numerical gradient; a smaller one most often stays on its side. A
    wrong analytic gradient is as wrong by either step.
    """
    suspects = np.argwhere(~(np.abs(analytic - numerical) <= bound))
    for index in map(tuple, suspects[:MOST_SUSPECTS]):
        above, below = _around(loss, w, index, h * FINER)
        finer = (above - below) / (2 * h * FINER)
        if abs(finer - analytic[index]) < abs(numerical[index] - analytic[index]):
            numerical[index] = finer


def _check_floats(x: FloatArray) -> None:
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f":
        came = f"dtype {x.dtype}" if isinstance(x, np.ndarray) else type(x).__name__
        raise ArgumentError(f"x must be a NumPy array of floats, got {came}. Convert it with x.astype(np.float64).")


def _check_same_shape(name: str, array: Any, shape: tuple[int, ...], like: str) -> None:
    if np.shape(array) != shape:
        raise ArgumentError(
            f"{name} must have shape {shape}, as {like} has, got {np.shape(array)}. Pass the gradient with respect to "
            f"{like}."
        )


def _around(f: Callable[[FloatArray], Any], x: FloatArray, index: tuple[int, ...], h: float) -> tuple[Any, Any]:
    """f with one element raised by h and lowered by h; the element is put back even where f fails."""
    old = x[index]
    try:
        x[index] = old + h
        above = np.copy(f(x))
        x[index] = old - h
        return above, np.copy(f(x))
    finally:
        x[index] = old
