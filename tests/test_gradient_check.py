"""Tests of the gradient checker: correct gradients pass, and planted wrong ones are found and named."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from thinnet import ArgumentError, FullyConnectedNet, GradientError, check_gradients
from thinnet.gradient_check import eval_numerical_gradient, eval_numerical_gradient_array, grad_check_sparse
from thinnet.layers import ACTIVATIONS
from thinnet.spec import NORMALIZATIONS
from thinnet.typing import AnyArray, FloatArray

X = np.random.default_rng(0).standard_normal((6, 4))
Y = np.array([0, 1, 2, 0, 1, 2])


def make_net(**options: Any) -> FullyConnectedNet:
    net = FullyConnectedNet([5], input_dim=4, num_classes=3, **{"seed": 0, "weight_scale": "he", **options})
    net.params.flat[:] += 0.1 * np.random.default_rng(1).standard_normal(net.params.flat.size)
    return net


def test_a_net_of_many_parameters_is_warned_of() -> None:
    net = FullyConnectedNet([4000], input_dim=4, num_classes=3, seed=0)
    with pytest.raises(UserWarning, match="the net has 32,003 parameters, and the loss is computed twice for each"):
        check_gradients(net, X, Y)  # a warning would be an error


class Quadratic:
    """loss = ½ Σ a·w² + Σ b, with a fault planted in its gradients."""

    def __init__(self, fault: Callable[[dict[str, FloatArray]], Any] = lambda grads: None) -> None:
        rng = np.random.default_rng(2)
        self.params: dict[str, FloatArray] = {"W": rng.uniform(1, 2, (3, 4)), "b": rng.uniform(1, 2, 4)}
        self.curvature = rng.uniform(1, 2, (3, 4))
        self.fault = fault

    def loss(self, X: AnyArray, y: AnyArray) -> tuple[float, dict[str, FloatArray]]:
        W, b = self.params["W"], self.params["b"]
        grads = {"W": self.curvature * W, "b": np.ones_like(b)}
        self.fault(grads)
        return float(0.5 * (self.curvature * W**2).sum() + b.sum()), grads


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_right_gradients_pass(normalization: Any, dtype: Any) -> None:
    net = make_net(normalization=normalization, dropout=0.4, reg=0.1, dtype=dtype)
    report = check_gradients(net, X, Y, tolerance=1e-6)
    assert set(report.errors) == set(net.params)
    assert report.errors[report.worst] == max(report.errors.values())
    assert check_gradients(Quadratic(), X, Y, tolerance=1e-8).analytic > 0


def set_element(name: str, index: tuple[int, ...], value: float) -> Callable[[dict[str, FloatArray]], None]:
    def fault(grads: dict[str, FloatArray]) -> None:
        grads[name][index] = value

    return fault


def scale(name: str, factor: float) -> Callable[[dict[str, FloatArray]], None]:
    def fault(grads: dict[str, FloatArray]) -> None:
        grads[name] *= factor

    return fault


FAULTS: dict[str, tuple[Callable[[dict[str, FloatArray]], Any], str]] = {
    "one element too large": (set_element("W", (1, 2), 100.0), r"W\[1, 2\]: analytic 100, numerical "),
    "one element zero": (set_element("W", (0, 3), 0.0), r"W\[0, 3\]: analytic 0, numerical "),
    "one element NaN": (set_element("W", (2, 1), np.nan), r"W\[2, 1\]: analytic nan, numerical "),
    "one bias of the wrong sign": (set_element("b", (2,), -1.0), r"b\[2\]: analytic -1, numerical 1"),
    "averaged twice": (scale("b", 1 / 6), r"b\[\d\]: analytic 0\.16666667, numerical 1"),
    "a NaN after a larger error": (
        lambda grads: (set_element("W", (0, 0), 1e9)(grads), set_element("b", (3,), np.nan)(grads)),
        r"b\[3\]: analytic nan, numerical 1",
    ),
    "a thousandth too large": (scale("W", 1.001), r"W\[\d, \d\]: analytic "),
    "left out": (scale("W", 0.0), r"W\[\d, \d\]: analytic 0, numerical "),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found_and_its_place_named(name: str) -> None:
    fault, place = FAULTS[name]
    with pytest.raises(
        GradientError, match=r"gradients must match numerical ones to 1e-05, got the largest.* at " + place
    ):
        check_gradients(Quadratic(fault), X, Y)
    report = check_gradients(Quadratic(fault), X, Y, raise_exception=False)
    assert not report.errors[report.worst] < 1e-4
    assert re.search(place, str(report))
    if "after" not in name:
        assert all(error < 1e-6 for other, error in report.errors.items() if other != report.worst)


def test_an_error_just_above_the_tolerance_is_refused_and_just_below_passes() -> None:
    check_gradients(Quadratic(scale("b", 1 + 1e-4)), X, Y, tolerance=1.01e-4)
    with pytest.raises(
        GradientError, match=r"Fix the backward pass of the layer that b belongs to, or of one after it"
    ):
        check_gradients(Quadratic(scale("b", 1 + 1e-4)), X, Y, tolerance=0.99e-4)


def test_the_report_measures_errors_relative_to_the_largest_element() -> None:
    model = Quadratic(set_element("b", (1,), 1.25))
    report = check_gradients(model, X, Y, raise_exception=False)
    assert report.errors["b"] == pytest.approx(0.25, rel=1e-6)
    assert (report.worst, report.index, report.analytic) == ("b", (1,), 1.25)
    assert report.numerical == pytest.approx(1, rel=1e-6)
    assert str(report) == "largest error 2.50e-01 at b[1]: analytic 1.25, numerical 1"


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (lambda grads: grads.update(b=grads["b"][None]), r"gradients\['b'\] must have shape \(4,\), .*, got \(1, 4\)"),
        (lambda grads: grads.update(b=grads["b"].sum()), r"gradients\['b'\] must have shape \(4,\), .*, got \(\)"),
        (lambda grads: grads.pop("b"), r"gradients\['b'\] must have shape \(4,\), .*, got no such key"),
    ],
)
def test_a_gradient_of_another_shape_is_refused_even_where_it_would_broadcast(fault: Any, text: str) -> None:
    with pytest.raises(GradientError, match=text):
        check_gradients(Quadratic(fault), X, Y)


def wrong_relu(dout: FloatArray, cache: Any) -> FloatArray:
    return dout


def wrong_dropout(dout: FloatArray, cache: Any) -> FloatArray:
    return dout  # without the mask


def wrong_batchnorm(dout: FloatArray, cache: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Batch normalization's backward pass as if mean and variance were constants."""
    dx = dout * cache.gamma * cache.inverse_std
    return dx, (dout * cache.x_hat).sum(axis=0), dout.sum(axis=0)


def wrong_affine(dout: FloatArray, cache: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
    return dout @ cache.w.T, cache.x.T @ dout, dout.mean(axis=0)


@pytest.mark.parametrize(
    ("function", "wrong", "named"),
    [
        ("relu_backward", wrong_relu, {"W1", "b1", "gamma1", "beta1"}),
        ("dropout_backward", wrong_dropout, {"W1", "b1", "gamma1", "beta1"}),
        ("batchnorm_backward", wrong_batchnorm, {"W1", "b1"}),
        ("affine_backward", wrong_affine, {"b1", "b2"}),
    ],
)
@pytest.mark.usefixtures("without_kernels")
def test_a_wrong_layer_in_a_net_is_found(
    function: str, wrong: Any, named: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    net = make_net(dropout=0.5, normalization="batchnorm")
    if function == "relu_backward":
        monkeypatch.setitem(ACTIVATIONS, "relu", replace(ACTIVATIONS["relu"], backward=wrong))
    else:
        monkeypatch.setattr(f"thinnet.steps.readable.{function}", wrong)
    report = check_gradients(net, X, Y, raise_exception=False)
    assert {name for name, error in report.errors.items() if error > 1e-5} <= named
    assert report.worst in named


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_the_net_is_left_as_it_was(normalization: Any) -> None:
    net = make_net(normalization=normalization, dropout=0.5)
    net.loss(X, Y, training=True)
    before = net.params.flat.tobytes(), net.running.flat.tobytes(), net.step, net.dtype
    x_before, y_before = X.tobytes(), Y.tobytes()
    check_gradients(net, X, Y)
    with pytest.raises(GradientError):
        check_gradients(net, X, Y, tolerance=0)
    assert (net.params.flat.tobytes(), net.running.flat.tobytes(), net.step, net.dtype) == before
    assert (X.tobytes(), Y.tobytes()) == (x_before, y_before)


def test_another_model_is_left_as_it_was() -> None:
    model = Quadratic()
    before = {name: array.tobytes() for name, array in model.params.items()}
    check_gradients(model, X, Y)
    assert {name: array.tobytes() for name, array in model.params.items()} == before


# Numerical gradients


@pytest.mark.parametrize("shape", [(), (1,), (5,), (2, 3), (2, 1, 3)])
def test_the_numerical_gradient_of_a_known_function(shape: tuple[int, ...]) -> None:
    x = np.asarray(np.random.default_rng(0).standard_normal(shape))
    before = x.copy()
    gradient = eval_numerical_gradient(lambda v: float(np.sin(v).sum() + (v**3).sum()), x, verbose=False)
    np.testing.assert_allclose(gradient, np.cos(x) + 3 * x**2, rtol=1e-8, atol=1e-8)
    np.testing.assert_array_equal(x, before)


def test_the_numerical_gradient_of_a_function_that_gives_an_array() -> None:
    rng = np.random.default_rng(0)
    x, A, df = rng.standard_normal((2, 3)), rng.standard_normal((3, 4)), rng.standard_normal((2, 4))
    before = x.copy()
    gradient = eval_numerical_gradient_array(lambda v: np.tanh(v @ A), x, df)
    np.testing.assert_allclose(gradient, (df * (1 - np.tanh(x @ A) ** 2)) @ A.T, rtol=1e-8, atol=1e-8)
    np.testing.assert_array_equal(x, before)


def test_a_function_may_give_the_same_array_each_time() -> None:
    """Like a net that reuses its buffers: the two values must be copied before they are subtracted."""
    x, buffer = np.array([3.0]), np.zeros(1)

    def f(v: FloatArray) -> FloatArray:
        buffer[:] = v**2
        return buffer

    assert eval_numerical_gradient_array(f, x, np.ones(1))[0] == pytest.approx(6, rel=1e-8)


@pytest.mark.parametrize("h", [1e-2, 1e-4])
def test_the_step_is_h_to_either_side(h: float) -> None:
    seen: list[float] = []

    def f(v: FloatArray) -> float:
        seen.append(v.item())
        return 0.0

    eval_numerical_gradient(f, np.array([1.0]), verbose=False, h=h)
    assert seen == [1 + h, 1 - h]
    assert eval_numerical_gradient(lambda v: float(v[0] ** 3), np.zeros(1), False, h)[0] == pytest.approx(h**2)


def test_each_element_is_printed_where_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    eval_numerical_gradient(lambda v: float(2 * v.sum()), np.zeros((1, 2)))
    lines = capsys.readouterr().out.splitlines()
    assert [line[:6] for line in lines] == ["(0, 0)", "(0, 1)"]
    assert [float(line[6:]) for line in lines] == pytest.approx([2, 2])
    eval_numerical_gradient(lambda v: float(2 * v.sum()), np.zeros((1, 2)), verbose=False)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("call", [1, 2, 5])
def test_x_is_put_back_where_the_function_fails(call: int) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3))
    before = x.copy()
    calls: list[int] = []

    def f(v: FloatArray) -> float:
        calls.append(1)
        if len(calls) == call:
            raise RuntimeError("on purpose")
        return float(v.sum())

    with pytest.raises(RuntimeError, match="on purpose"):
        eval_numerical_gradient(f, x, verbose=False)
    np.testing.assert_array_equal(x, before)
    calls.clear()
    with pytest.raises(RuntimeError, match="on purpose"):
        eval_numerical_gradient_array(lambda v: np.array(f(v)), x, np.ones(()))
    np.testing.assert_array_equal(x, before)


LINE = re.compile(r"numerical: (\S+) analytic: (\S+), relative error: (\S+)")


def test_the_sparse_check_prints_a_line_for_each_element_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(0).standard_normal((4, 5))
    before = x.copy()
    random.seed(7)
    grad_check_sparse(lambda v: float((v**2).sum()), x, 2 * x, num_checks=6)
    random.seed(7)
    places = [(random.randrange(4), random.randrange(5)) for _ in range(6)]
    lines = [LINE.fullmatch(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 6
    for line, place in zip(lines, places, strict=True):
        assert line
        assert float(line[1]) == pytest.approx(2 * x[place], abs=1e-6)
        assert float(line[2]) == pytest.approx(2 * x[place], abs=1e-6)
        assert float(line[3]) < 1e-6
    np.testing.assert_array_equal(x, before)


def test_the_sparse_check_shows_a_wrong_gradient(capsys: pytest.CaptureFixture[str]) -> None:
    grad_check_sparse(lambda v: float(3 * v[0]), np.ones(1), np.ones(1), num_checks=1)
    assert capsys.readouterr().out == "numerical: 3.000000 analytic: 1.000000, relative error: 5.000000e-01\n"
    grad_check_sparse(lambda v: 0.0, np.ones(1), np.zeros(1), num_checks=1)
    assert capsys.readouterr().out == "numerical: 0.000000 analytic: 0.000000, relative error: 0.000000e+00\n"


def test_integers_are_refused_since_a_step_of_1e_5_would_vanish_in_them() -> None:
    with pytest.raises(ArgumentError, match=r"x must be a NumPy array of floats, got dtype int64"):
        eval_numerical_gradient(lambda x: float(x.sum()), np.arange(3), verbose=False)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"x must be a NumPy array of floats, got a list"):
        eval_numerical_gradient_array(lambda x: x, [1.0], np.ones(1))  # type: ignore[arg-type]


def test_a_gradient_of_another_shape_than_the_output_is_refused_rather_than_broadcast() -> None:
    """Broadcasting would silently give a different numerical gradient."""
    with pytest.raises(ArgumentError, match=r"df must have shape \(2, 3\), as the output of f has, got \(3,\)\. Pass"):
        eval_numerical_gradient_array(lambda v: 2 * v, np.ones((2, 3)), np.ones(3))


@pytest.mark.parametrize(
    ("x", "analytic", "num_checks", "message"),
    [
        (np.arange(3), np.ones(3), 1, r"x must be a NumPy array of floats, got dtype int64\."),
        (np.ones((2, 3)), np.ones(3), 1, r"analytic_grad must have shape \(2, 3\), as x has, got \(3,\)\."),
        (np.ones(3), np.ones(3), 0, r"num_checks must be an integer >= 1, got 0\."),
    ],
)
def test_a_sparse_check_refuses_what_it_cannot_look_at(x: Any, analytic: Any, num_checks: int, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        grad_check_sparse(lambda v: float(v.sum()), x, analytic, num_checks)


class Given:
    """A model whose loss(X, y) returns a given value."""

    def __init__(self, returned: Callable[[], Any]) -> None:
        self.params, self.returned = {"W": np.ones((2, 3))}, returned

    def loss(self, X: AnyArray, y: AnyArray) -> Any:
        return self.returned()


def test_a_loss_that_is_drawn_anew_tells_nothing_and_is_refused() -> None:
    draws = np.random.default_rng(0)
    noisy = Given(lambda: (1 + 1e-6 * draws.standard_normal(), {"W": np.zeros((2, 3))}))
    with pytest.raises(GradientError, match=r"the same loss when called again, got .*, then .* same dropout mask"):
        check_gradients(noisy, X, Y)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_is_no_mistake_of_backward(value: float) -> None:
    with pytest.raises(GradientError, match=f"the loss must be finite, got {value}. Look at X"):
        check_gradients(Given(lambda: (value, {"W": np.zeros((2, 3))})), X, Y)


@pytest.mark.parametrize("returned", [1.0, None, (1.0, [np.zeros((2, 3))]), (np.ones(6), {"W": np.zeros((2, 3))})])
def test_a_loss_that_returns_something_else_is_told(returned: Any) -> None:
    with pytest.raises(ArgumentError, match="must return a pair of a number and a mapping of gradients"):
        check_gradients(Given(lambda: returned), X, Y)


def test_parameters_that_cannot_be_moved_are_named() -> None:
    model = Quadratic()
    model.params["b"].setflags(write=False)
    with pytest.raises(ArgumentError, match=r"params\['b'\] must be a writable array, got a read-only"):
        check_gradients(model, X, Y)
    with pytest.raises(ArgumentError, match=r"x must be a writable array, got a read-only"):
        eval_numerical_gradient(lambda x: float(x.sum()), model.params["b"], verbose=False)


@pytest.mark.parametrize("x", [np.ones(2, np.float16), np.array([1.0, 1e3], np.float32), np.array([0.0, -1e12])])
def test_a_step_that_rounding_swallows_is_refused(x: AnyArray) -> None:
    with pytest.raises(
        ArgumentError, match=rf"h must be large enough .* got 1e-05, which {x.dtype} rounds away at x\["
    ):
        eval_numerical_gradient_array(lambda x: 2 * x, x, np.ones_like(x))
    with pytest.raises(ArgumentError, match="h must be large enough"):
        check_gradients(Quadratic(), X, Y, h=1e-20)


@pytest.mark.parametrize("given", [lambda x: 2 * x, lambda x: None])
def test_what_is_no_number_has_no_numerical_gradient(given: Any) -> None:
    with pytest.raises(ArgumentError, match=r"f must return a number, got .* For arrays, use eval"):
        eval_numerical_gradient(given, np.ones(3), verbose=False)
    summed: Any = lambda x: np.array([x.sum()])  # noqa: E731 - NumPy once took it for a number
    of_one = eval_numerical_gradient(summed, np.ones(3), verbose=False)
    np.testing.assert_allclose(of_one, 1)
