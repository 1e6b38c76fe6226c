"""What a solver requires of the caller's functions and models: the arguments they take and the values they return."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from thinnet import ArgumentError, Callback, Dataset, FullyConnectedNet, NumericalError, Solver
from thinnet.optim import OPTIMIZERS
from thinnet.typing import AnyArray

X = np.random.default_rng(0).standard_normal((20, 4))
Y = (X[:, 0] > 0).astype(int)


def solver(model: Any = None, **options: Any) -> Solver:
    usual = {"epochs": 1, "batch_size": 10, "verbose": False, "progress": False}
    return Solver(model or FullyConnectedNet([5], 4, 2, seed=0), Dataset(X, Y, X, Y), **{**usual, **options})


class Linear:
    """A model that is not ours."""

    def __init__(self, w: Any = None) -> None:
        self.params = {"w": np.zeros((4, 2)) if w is None else w}

    def loss(self, X: AnyArray, y: AnyArray | None = None) -> Any:
        scores = X @ self.params["w"]
        return scores if y is None else (float(np.square(scores).mean()), {"w": 2 * X.T @ scores / scores.size})


@pytest.mark.parametrize(
    ("schedule", "signature"),
    [(lambda step: 1.0, "(step)"), (lambda: 1.0, "()"), (lambda epoch, lr, **rest: lr, "(epoch, lr, **rest)")],
)
def test_a_schedule_that_takes_something_else_is_refused(schedule: Any, signature: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        solver(schedule=schedule)
    expected = "schedule must be callable as schedule(step, *, steps_per_epoch, total_steps), got a signature "
    assert str(caught.value).startswith(f"{expected}{signature}. Change it: ")


@pytest.mark.parametrize("factor", [None, np.nan, np.inf, -0.5, "0.5", [0.5], np.ones(2)])
def test_a_factor_that_is_no_number_to_multiply_by_is_refused(factor: Any) -> None:
    training = solver(schedule=lambda step, **lengths: factor)
    before = training.model.params.flat.copy()
    text = "the schedule of learning_rate must return a finite number >= 0, by which learning_rate is multiplied, got "
    with pytest.raises(ArgumentError, match=text):
        training.step()
    np.testing.assert_array_equal(training.model.params.flat, before)


@pytest.mark.parametrize("factor", [1, np.float32(0.5), np.array(0.5), 0])
def test_a_factor_may_be_any_kind_of_number(factor: Any) -> None:
    given = solver(schedule=lambda step, **lengths: factor).train()
    assert given.loss == solver(schedule=lambda step, **lengths: float(factor)).train().loss


def callback(moment: str, function: Callable[..., None]) -> Callback:
    return type("Own", (Callback,), {moment: function})()  # type: ignore[no-any-return]


@pytest.mark.parametrize("moment", ["on_train_begin", "on_step", "on_epoch", "on_train_end"])
def test_a_callback_that_takes_something_else_is_refused(moment: str) -> None:
    text = rf"^Own\.{moment} must be callable as {moment}\(state\), got a signature "
    with pytest.raises(ArgumentError, match=text + r"\(\)\. Change it: too many positional arguments\.$"):
        solver(callbacks=[callback(moment, lambda self: None)])
    with pytest.raises(ArgumentError, match=text + r"\(epoch, logs\)\. Change it: missing a required argument: 'logs'"):
        solver(callbacks=[callback(moment, lambda self, epoch, logs: None)])
    solver(callbacks=[callback(moment, lambda self, state, more=None: None)]).train()


def test_an_optimizer_that_takes_something_else_is_refused() -> None:
    text = r"optimizer must be callable as optimizer\(w, dw, config\), got a signature \(w, dw\)"
    with pytest.raises(ArgumentError, match=text):
        solver(optimizer=lambda w, dw: w - dw)


@pytest.mark.parametrize(
    ("w", "came"),
    [([[0.0]], "a list"), (None, "None"), (np.zeros((4, 2), int), "dtype int64"), (np.array([None]), "dtype object")],
)
@pytest.mark.parametrize(("rule", "floats"), [("adam", "float32 or float64"), (OPTIMIZERS["sgd"].rule, "floats")])
def test_parameters_of_a_model_that_are_no_floats_are_refused(w: Any, came: str, rule: Any, floats: str) -> None:
    model = Linear()
    model.params["w"] = w
    text = rf"params\['w'\] must be a NumPy array of {floats}, got {came}\. Convert it with np\.asarray\(params\['w'\]"
    with pytest.raises(ArgumentError, match=text):
        solver(model, optimizer=rule)


def test_a_rule_by_name_refuses_half_precision_and_a_function_may_take_it() -> None:
    half = np.zeros((4, 2), np.float16)
    with pytest.raises(ArgumentError, match="must be a NumPy array of float32 or float64, got dtype float16"):
        solver(Linear(half))
    solver(Linear(half), optimizer=lambda w, dw, config: (w, config)).train()


@pytest.mark.parametrize(
    ("scores", "came"),
    [
        ((0.0, np.zeros((20, 2))), "a tuple"),
        (None, "None"),
        (np.zeros(20), r"an array of shape \(20,\)"),
        (np.zeros((3, 2)), r"an array of shape \(3, 2\)"),
    ],
)
def test_scores_that_are_none_are_refused(scores: Any, came: str) -> None:
    class Odd(Linear):
        def loss(self, X: AnyArray, y: AnyArray | None = None) -> Any:
            return scores if y is None else super().loss(X, y)

    text = rf"loss\(X\) must return the scores of all rows, an array of shape \(20, C\), got {came}\. If y is None"
    with pytest.raises(ArgumentError, match=text):
        solver(Odd()).evaluate("val")


def test_a_loss_that_needs_labels_is_refused_where_scores_are_needed() -> None:
    class Demanding(Linear):
        def loss(self, X: AnyArray, y: AnyArray) -> Any:  # type: ignore[override]
            return super().loss(X, y)

    with pytest.raises(ArgumentError, match=r"the model's loss must be callable as loss\(X\), which gives scores, got"):
        solver(Demanding()).evaluate("val")


def test_what_is_no_model_is_named_without_its_numbers() -> None:
    with pytest.raises(ArgumentError, match=r"a method loss, got an ndarray\. Pass a FullyConnectedNet, for example"):
        Solver(X, Dataset(X, Y))


def test_weights_that_begin_too_large_are_the_cause_in_the_first_step() -> None:
    net = FullyConnectedNet([5], 4, 2, weight_scale=1e30, seed=0)
    with pytest.raises(NumericalError, match=r"initial weights of up to .*e\+30; give the net a smaller"):
        solver(net).train()


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("learning_rate", "Write solver.optimizer.options['learning_rate'] = 0.01, for example."),
        ("epochs", "Write solver.train(epochs=10) for ten more."),
        ("batch_size", "Make another solver of the same net."),
        ("schedule", "Make another solver of the same net."),
        ("patience", "Make another solver of the same net."),
        *(
            (name, "Make another solver of the same net.")
            for name in ("model", "data", "state", "seed", "order", "mixup")
        ),
    ],
)
def test_an_assignment_to_a_solver_that_would_change_nothing_is_refused(name: str, fix: str) -> None:
    training = solver(patience=3)
    with pytest.raises(ArgumentError) as caught:
        setattr(training, name, 5)
    assert str(caught.value) == f"{name} must stay as the solver was given it, got an assignment. {fix}"
    training.optimizer.options["learning_rate"] = 0.1
    training.verbose, training.print_every = False, 3  # these are read only when needed
    assert training.train().loss == solver(patience=3, learning_rate=0.1).train().loss


def test_an_assignment_to_a_solver_is_checked() -> None:
    training = solver()
    with pytest.raises(ArgumentError, match="verbose must be one of True, False, got 'no'"):
        training.verbose = "no"  # type: ignore[assignment]
    with pytest.raises(ArgumentError, match="print_every must be an integer >= 1, got 0"):
        training.print_every = 0
