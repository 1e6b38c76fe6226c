"""Solver: what it learns, what it records and prints, what it repeats, and what it refuses."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from thinnet import ArgumentError, DataError, Dataset, FullyConnectedNet, Solver, optim
from thinnet.nets.fully_connected import NORMALIZATIONS
from thinnet.optim import OPTIMIZERS
from thinnet.schedules import Cosine, EpochDecay, OneCycle
from thinnet.training.updates import model_batch
from thinnet.typing import AnyArray, FloatArray


def blobs(rows: int = 60, seed: int = 0, spread: float = 1.0) -> tuple[FloatArray, AnyArray]:
    """Three overlapping heaps of points in five dimensions."""
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=rows)
    centers = np.random.default_rng(99).standard_normal((3, 5))
    return (centers[y] + spread * rng.standard_normal((rows, 5))).astype(np.float32), y


def make_data(rows: int = 60, val: int = 30) -> Dataset:
    return Dataset(*blobs(rows), *(blobs(val, seed=1) if val else (None, None)))


def make_net(**options: Any) -> FullyConnectedNet:
    return FullyConnectedNet([12], input_dim=5, num_classes=3, **{"weight_scale": "he", "seed": 0, **options})


def make_solver(net: Any = None, data: Any = None, **options: Any) -> Solver:
    defaults = {"update_rule": "adam", "batch_size": 20, "num_epochs": 4, "verbose": False}
    return Solver(net or make_net(), data or make_data(), **{**defaults, **options})


def by_hand(solver: Solver, net: Any, rule: Any, options: dict[str, Any], steps: int) -> list[float]:
    """The losses of so many steps, by nothing but `loss`, the rule and the order of the batches."""
    configs = {name: dict(options) for name in net.params}
    losses = []
    for step in range(steps):
        X, y = solver.data.batch("train", solver.order.rows(step), dtype=net.dtype)
        loss, grads = net.loss(X, y)
        losses.append(loss)
        for name in net.params:
            net.params[name], configs[name] = rule(net.params[name], grads[name], configs[name])
    return losses


# What it does


@pytest.mark.parametrize("rule", OPTIMIZERS)
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.usefixtures("without_kernels")
def test_training_is_the_loop_one_would_write(rule: str, normalization: Any) -> None:
    """Bit for bit, though the gradients are written in place and the parameters updated in one pass."""
    nets = [make_net(dropout=0.3, reg=0.01, normalization=normalization) for _ in range(2)]
    solver = make_solver(nets[0], update_rule=rule, optim_config={"learning_rate": 0.01})
    losses = [solver.step() for _ in range(7)]
    assert losses == by_hand(solver, nets[1], OPTIMIZERS[rule].rule, {"learning_rate": 0.01}, 7)
    assert nets[0].params.flat.tobytes() == nets[1].params.flat.tobytes()
    assert nets[0].running.flat.tobytes() == nets[1].running.flat.tobytes()


@pytest.mark.parametrize("rule", OPTIMIZERS)
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_training_is_that_loop_to_rounding_however_it_is_computed(rule: str, normalization: Any) -> None:
    nets = [make_net(dropout=0.3, reg=0.01, normalization=normalization, dtype=np.float64) for _ in range(2)]
    solver = make_solver(nets[0], update_rule=rule, optim_config={"learning_rate": 0.01})
    losses = [solver.step() for _ in range(7)]
    expected = by_hand(solver, nets[1], OPTIMIZERS[rule].rule, {"learning_rate": 0.01}, 7)
    assert losses == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(nets[0].params.flat, nets[1].params.flat, rtol=0, atol=1e-9)
    np.testing.assert_allclose(nets[0].running.flat, nets[1].running.flat, rtol=0, atol=1e-9)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("loss", ["softmax", "svm"])
def test_a_small_data_set_is_learned_by_heart(normalization: Any, loss: str) -> None:
    X, y = np.random.default_rng(0).standard_normal((30, 5)), np.arange(30) % 3  # labels that nothing explains
    net = FullyConnectedNet([60], 5, 3, normalization=normalization, loss=loss, weight_scale="he", seed=0)
    solver = make_solver(net, Dataset(X, y), num_epochs=150, batch_size=15, optim_config={"learning_rate": 0.02})
    history = solver.train()
    assert history.train_accuracy[-1] == 1
    assert np.mean(history.loss[-10:]) < 0.1 * history.loss[0]


def test_a_regression_is_learned_and_measured_by_r_squared() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 5))
    y = X @ rng.standard_normal((5, 2)) + 3
    net = FullyConnectedNet([], 5, 2, loss="mse", dtype=np.float64, seed=0)
    data = Dataset(X[:150], y[:150], X[150:], y[150:])
    solver = make_solver(net, data, num_epochs=60, batch_size=50, optim_config={"learning_rate": 0.1})
    history = solver.train()
    residual = ((y[150:] - net.scores(X[150:])) ** 2).sum()
    expected = 1 - residual / ((y[150:] - y[150:].mean(axis=0)) ** 2).sum()
    assert solver.accuracy("val") == pytest.approx(expected, rel=1e-12)
    assert history.val_accuracy[0] < 0.5
    assert solver.best_val_acc > 0.999


def test_r_squared_of_constant_targets_is_zero() -> None:
    net = FullyConnectedNet([], 5, 1, loss="mse", seed=0)
    solver = make_solver(net, Dataset(np.ones((4, 5)), np.ones((4, 1))))
    assert solver.accuracy("train") == 0.0


def test_accuracy_is_the_fraction_classified_rightly() -> None:
    net, data = make_net(), make_data()
    solver = make_solver(net, data)
    for split in ("train", "val"):
        X, y = data.batch(split)
        assert solver.accuracy(split) == pytest.approx(float((net.predict(X) == y).mean()), rel=1e-12)


def test_accuracy_goes_through_many_rows_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    solver = make_solver()
    whole = solver.accuracy("train")
    monkeypatch.setattr("thinnet.training.evaluation.ROWS_AT_ONCE", 7)
    assert solver.accuracy("train") == whole


# Repeating


def outcome(net_seed: int, **options: Any) -> tuple[bytes, tuple[Any, ...]]:
    net = make_net(dropout=0.5, normalization="batchnorm", seed=net_seed)
    history = make_solver(net, **options).train()
    recorded = history.loss, history.epoch, history.train_accuracy, history.val_accuracy
    return net.params.flat.tobytes() + net.running.flat.tobytes(), recorded


@pytest.mark.parametrize("options", [{}, {"sampling": "replacement"}, {"num_train_samples": 20, "num_val_samples": 10}])
def test_the_same_seed_gives_the_same_bits(options: dict[str, Any]) -> None:
    assert outcome(3, **options) == outcome(3, **options)


def test_another_seed_gives_other_weights() -> None:
    assert outcome(3)[0] != outcome(4)[0]
    assert outcome(3)[0] != outcome(3, seed=4)[0], "the order of the batches alone"


def outcome_of_order(seed: int) -> bytes:
    net = make_net()
    make_solver(net, seed=seed).train()
    return net.params.flat.tobytes()


def test_the_seed_of_the_solver_is_that_of_the_net_unless_given() -> None:
    assert make_solver(make_net(seed=11)).seed == 11
    assert make_solver(make_net(seed=11), seed=12).seed == 12
    assert outcome_of_order(12) == outcome_of_order(12) != outcome_of_order(13)
    seeds = [make_solver(Foreign()).seed for _ in range(2)]
    assert seeds[0] != seeds[1]


def test_evaluation_does_not_change_the_course_of_training() -> None:
    nets = [make_net(normalization="batchnorm", dropout=0.5) for _ in range(2)]
    stepped, trained = make_solver(nets[0], make_data(val=0)), make_solver(nets[1], make_data(val=0))
    for _ in range(stepped.num_iterations):
        stepped.step()
    trained.train()
    assert stepped.history.loss == trained.history.loss
    assert nets[0].params.flat.tobytes() == nets[1].params.flat.tobytes()


# What it records and prints


def test_histories_have_an_entry_for_each_step_and_each_evaluation() -> None:
    solver = make_solver(num_epochs=4)
    history = solver.train()
    assert history is solver.history
    assert len(history.loss) == solver.num_iterations == solver.iteration == 12
    assert history.epoch == [0, 1, 2, 3, 4]
    assert len(history.train_accuracy) == len(history.val_accuracy) == len(history.seconds) == 5
    assert all(a <= b for a, b in itertools.pairwise([0, *history.seconds]))
    assert all(0 <= a <= 1 for a in history.train_accuracy + history.val_accuracy)
    assert solver.epoch == 4
    assert solver.stop_reason is None
    assert solver.loss_history is history.loss
    assert solver.train_acc_history is history.train_accuracy
    assert solver.val_acc_history is history.val_accuracy


def test_an_epoch_of_one_step_is_evaluated_once() -> None:
    history = make_solver(batch_size=1000, num_epochs=3).train()
    assert history.epoch == [1, 2, 3]
    assert len(history.loss) == 3


def test_without_validation_rows_there_is_no_validation_accuracy(capsys: pytest.CaptureFixture[str]) -> None:
    net = make_net()
    solver = make_solver(net, make_data(val=0), verbose=True)
    history = solver.train()
    assert history.val_accuracy == []
    assert len(history.train_accuracy) == 5
    assert solver.best_val_acc == 0
    assert re.search(r"^\(Epoch 4 / 4\) train acc: \d\.\d{6}$", capsys.readouterr().out, re.MULTILINE)


def test_it_prints_the_lines_of_the_courses(capsys: pytest.CaptureFixture[str]) -> None:
    solver = make_solver(verbose=True, print_every=5)
    h = solver.train()
    evaluations = [
        f"(Epoch {e} / 4) train acc: {t:.6f}; val_acc: {v:.6f}"
        for e, t, v in zip(h.epoch, h.train_accuracy, h.val_accuracy, strict=True)
    ]
    expected = [
        f"(Iteration 1 / 12) loss: {h.loss[0]:.6f}",
        evaluations[0],
        evaluations[1],
        f"(Iteration 6 / 12) loss: {h.loss[5]:.6f}",
        evaluations[2],
        evaluations[3],
        f"(Iteration 11 / 12) loss: {h.loss[10]:.6f}",
        evaluations[4],
    ]
    captured = capsys.readouterr()
    assert captured.out.splitlines() == expected
    assert captured.err == "", "no bar where standard error is no terminal"


def test_it_prints_nothing_where_not_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    make_solver(verbose=False).train()
    assert capsys.readouterr() == ("", "")


def test_a_bar_is_drawn_on_standard_error_where_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    make_solver(verbose=True, progress=True).train()
    captured = capsys.readouterr()
    assert "12/12" in captured.err
    assert "loss=" in captured.err
    lines = captured.out.splitlines()
    assert len(lines) == 2 + 5
    assert all(re.match(r"\((Iteration|Epoch) ", line) for line in lines)


@pytest.mark.parametrize(
    ("terminal", "progress", "bar"), [(True, None, True), (True, False, False), (False, None, False)]
)
def test_by_default_a_bar_is_drawn_in_terminals(
    terminal: bool,
    progress: bool | None,
    bar: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    make_solver(progress=progress).train()
    assert ("12/12" in capsys.readouterr().err) == bar


# The best weights


class Scripted(Solver):
    """A solver whose validation accuracies are 0.1, 0.5, 0.9, 0.9, 0.3, 0.2, and that keeps the model's states."""

    def accuracy(self, split: str) -> float:
        if split == "train":
            return 0.0
        self.states = [*getattr(self, "states", []), state(self.model)]
        return (0.1, 0.5, 0.9, 0.9, 0.3, 0.2)[len(self.states) - 1]


def state(model: Any) -> list[bytes]:
    more = model.running.values() if isinstance(model, FullyConnectedNet) else model.bn_params[0].values()
    return [array.tobytes() for array in (*model.params.values(), *more)]


@pytest.mark.parametrize("patience", [None, 3])
@pytest.mark.parametrize("normalization", [*NORMALIZATIONS, "foreign"])
def test_the_model_ends_with_the_weights_and_statistics_that_did_best(normalization: Any, patience: int | None) -> None:
    """They are those of the third evaluation, the first of the best."""
    model = Foreign() if normalization == "foreign" else make_net(normalization=normalization, dropout=0.2)
    solver = Scripted(model, make_data(), num_epochs=5, batch_size=20, verbose=False, patience=patience)
    solver.train()
    assert solver.best_val_acc == 0.9
    assert len(solver.states) == 6
    assert len({*map(tuple, solver.states)}) == 6, "the model changed all the time"
    assert state(model) == solver.states[2]
    assert (solver.stop_reason is None) == (patience is None)


def test_the_best_accuracy_is_that_of_the_model_that_is_left() -> None:
    for rate in (0.01, 0.3, 3.0):  # at the highest accuracy goes up and down
        solver = make_solver(optim_config={"learning_rate": rate}, num_epochs=15)
        history = solver.train()
        assert solver.accuracy("val") == solver.best_val_acc == max(history.val_accuracy)


def test_early_stopping_ends_after_so_many_epochs_without_a_rise() -> None:
    solver = make_solver(num_epochs=200, patience=4)
    history = solver.train()
    assert solver.stop_reason == "validation accuracy has not risen for 4 epochs"
    best = history.val_accuracy.index(max(history.val_accuracy))
    assert len(history.val_accuracy) == best + 1 + 4
    assert solver.epoch == history.epoch[-1] < 200
    assert solver.accuracy("val") == solver.best_val_acc


# Data and models


def test_a_dict_of_data_is_taken_like_a_dataset() -> None:
    data = make_data()
    as_dict = {"X_train": data.X_train, "y_train": data.y_train, "X_val": data.X_val, "y_val": data.y_val}
    losses = [make_solver(data=given).train().loss for given in (data, as_dict)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_small_integers_reach_the_net_standardized_and_as_its_floats(dtype: Any) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (60, 5), dtype=np.uint8), rng.integers(3, size=60)
    data = Dataset(X, y, X[:20], y[:20]).standardized("feature")
    floats = ((X.astype(dtype) - data.shift.astype(dtype)) * data.scale.astype(dtype)).astype(dtype)
    as_floats = Dataset(floats, y, floats[:20], y[:20])
    nets = [make_net(dtype=dtype) for _ in range(2)]
    losses = [make_solver(net, given).train().loss for net, given in zip(nets, (data, as_floats), strict=True)]
    assert losses[0] == losses[1]
    assert nets[0].params.flat.tobytes() == nets[1].params.flat.tobytes()
    rows = make_solver(nets[0], data).order.rows(0)
    batch, labels = model_batch(nets[0], data, "train", rows)
    assert batch.dtype == dtype
    np.testing.assert_array_equal(batch, floats[rows])
    np.testing.assert_array_equal(labels, y[rows])


class Foreign:
    """A linear classifier by somebody else: a mapping of parameters, and `loss`."""

    def __init__(self, shape: tuple[int, ...] = (5,)) -> None:
        self.params: dict[str, FloatArray] = {"W": np.zeros((5, 3)), "b": np.zeros(3)}
        self.bn_params = [{"running_mean": np.zeros(1)}]
        self.shape = shape

    def loss(self, X: AnyArray, y: AnyArray | None = None) -> Any:
        assert X.shape[1:] == self.shape
        rows = X.reshape(len(X), -1)
        scores = rows @ self.params["W"] + self.params["b"]
        if y is None:
            return scores
        self.bn_params[0]["running_mean"] += 1
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        p = powers / powers.sum(axis=1, keepdims=True)
        loss = -np.log(p[np.arange(len(y)), y]).mean()
        p[np.arange(len(y)), y] -= 1
        return loss, {"W": rows.T @ p / len(y), "b": p.sum(axis=0) / len(y)}


@pytest.mark.parametrize("rule", ["sgd", "adam", optim.sgd, optim.adam])
def test_another_model_is_trained_with_named_rules_and_with_functions(rule: Any) -> None:
    model, data = Foreign(), Dataset(*(blobs()[0].astype(np.float64), blobs()[1]), *blobs(30, seed=1))
    solver = make_solver(model, data, update_rule=rule, optim_config={"learning_rate": 0.05}, num_epochs=20, seed=0)
    history = solver.train()
    assert all(type(loss) is float for loss in history.loss)
    assert history.loss[0] == pytest.approx(math.log(3), rel=1e-12)
    assert np.mean(history.loss[-3:]) < 0.7 * history.loss[0]
    assert solver.accuracy("val") == solver.best_val_acc == max(history.val_accuracy)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.usefixtures("without_kernels")
def test_a_rule_by_name_and_as_a_function_are_the_same(name: str) -> None:
    results = []
    for rule in (name, OPTIMIZERS[name].rule):
        for model in (Foreign(), make_net(dtype=np.float64)):
            data = Dataset(blobs()[0].astype(np.float64), blobs()[1])
            solver = make_solver(model, data, update_rule=rule, optim_config={"learning_rate": 0.05}, seed=0)
            results.append(([solver.step() for _ in range(9)], [model.params[k].tobytes() for k in model.params]))
    assert results[0] == results[2]
    assert results[1] == results[3]


def test_another_model_gets_rows_in_the_shape_of_the_data_and_our_own_gets_them_flat() -> None:
    X, y = blobs()
    images = {"X_train": X.reshape(60, 5, 1, 1), "y_train": y, "X_val": X.reshape(60, 5, 1, 1), "y_val": y}
    make_solver(Foreign(shape=(5, 1, 1)), images).train()
    data = Dataset.from_dict(images)
    assert model_batch(make_net(), data, "train", np.arange(4))[0].shape == (4, 5)
    assert model_batch(Foreign(), data, "train", np.arange(4))[0].dtype == np.float32


def test_another_model_gets_its_own_dtype_or_that_of_the_data() -> None:
    seen: list[str] = []

    class Recording(Foreign):
        def loss(self, X: AnyArray, y: AnyArray | None = None) -> Any:
            seen.append(X.dtype.name)
            return super().loss(X, y)

    X, y = blobs()
    given: list[tuple[AnyArray, str | None, str]] = [
        (X, None, "float32"),
        (X.astype(np.float64), None, "float64"),
        (X.astype(np.float64), "float32", "float32"),
        (np.abs(X).astype(np.uint8), None, "float32"),
        (np.abs(X).astype(np.uint8), "float64", "float64"),
    ]
    for rows, dtype, expected in given:
        seen.clear()
        model = Recording()
        if dtype:
            model.dtype = dtype  # type: ignore[attr-defined]
        make_solver(model, Dataset(rows, y, rows, y)).train()
        assert set(seen) == {expected}


# The learning rate


def rates(**options: Any) -> list[float]:
    """The learning rates that a rule given as a function sees, one a step."""
    seen: list[float] = []

    def rule(w: FloatArray, dw: FloatArray, config: dict[str, Any] | None) -> tuple[FloatArray, dict[str, Any]]:
        config = config or {}
        config.setdefault("learning_rate", 0.5)
        seen.append(config["learning_rate"])
        return w, config

    make_solver(FullyConnectedNet([], 5, 3, seed=0), update_rule=rule, num_epochs=3, **options).train()
    assert seen[::2] == seen[1::2], "W and b have the same rate"
    return seen[::2]


def test_a_schedule_multiplies_the_learning_rate_of_each_step() -> None:
    schedule = OneCycle(floor=0.1)
    factors = [schedule(step, steps_per_epoch=3, total_steps=9) for step in range(9)]
    assert rates(schedule=schedule, optim_config={"learning_rate": 0.25}) == [0.25 * factor for factor in factors]


def test_lr_decay_multiplies_after_each_epoch_the_rules_own_default_too() -> None:
    expected = [0.5 * 0.8**epoch for epoch in (0, 0, 0, 1, 1, 1, 2, 2, 2)]
    assert rates(lr_decay=0.8, optim_config={"learning_rate": 0.5}) == expected
    assert rates(lr_decay=0.8) == expected
    assert rates() == [0.5] * 9


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.usefixtures("without_kernels")
def test_the_flat_pass_follows_the_schedule_as_the_rule_does(name: str) -> None:
    schedule = Cosine(warmup=0.3)
    results = []
    for rule in (name, OPTIMIZERS[name].rule):
        net = make_net()
        options = {"learning_rate": 0.1}
        make_solver(net, make_data(val=0), update_rule=rule, optim_config=options, schedule=schedule).train()
        assert options == {"learning_rate": 0.1}
        results.append(net.params.flat.tobytes())
    assert results[0] == results[1]


def test_lr_decay_is_epoch_decay() -> None:
    nets = [make_net() for _ in range(3)]
    given: list[dict[str, Any]] = [{"lr_decay": 0.7}, {"schedule": EpochDecay(0.7)}, {}]
    for net, options in zip(nets, given, strict=True):
        make_solver(net, make_data(val=0), **options).train()
    assert nets[0].params.flat.tobytes() == nets[1].params.flat.tobytes() != nets[2].params.flat.tobytes()


# Steps by hand, and sampling


def test_a_step_returns_and_records_its_loss_and_evaluates_nothing() -> None:
    solver = make_solver()
    losses = [solver.step() for _ in range(4)]
    assert all(type(loss) is float for loss in losses)
    assert solver.history.loss == losses
    assert (solver.iteration, solver.epoch) == (4, 1)
    assert solver.history.train_accuracy == []


def test_train_goes_on_where_steps_left_off() -> None:
    nets = [make_net(dropout=0.4) for _ in range(2)]
    solvers = [make_solver(net, make_data(val=0)) for net in nets]
    for _ in range(5):
        solvers[0].step()
    for solver in solvers:
        solver.train()
    assert solvers[0].history.loss == solvers[1].history.loss
    assert nets[0].params.flat.tobytes() == nets[1].params.flat.tobytes()
    before = nets[0].params.flat.tobytes()
    solvers[0].train()
    assert nets[0].params.flat.tobytes() == before, "there was nothing left to do"


def test_samples_for_evaluation_are_drawn_once_and_without_repetition() -> None:
    solver = make_solver(data=make_data(val=60), num_train_samples=20, num_val_samples=10)
    train, val = solver._rows_to_evaluate("train"), solver._rows_to_evaluate("val")
    assert len(set(train.tolist())) == 20
    assert len(set(val.tolist())) == 10
    solver.step()
    np.testing.assert_array_equal(solver._rows_to_evaluate("train"), train)
    assert not set(val.tolist()) <= set(train.tolist()), "train and val are drawn apart"
    np.testing.assert_array_equal(make_solver(num_train_samples=1000)._rows_to_evaluate("train"), np.arange(60))
    np.testing.assert_array_equal(make_solver(num_train_samples=None)._rows_to_evaluate("train"), np.arange(60))


# Refusals


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"schedule": Cosine(), "lr_decay": 0.9},
            "schedule must be None where lr_decay is given, got both. Give one of",
        ),
        ({"lr_decay": 0}, r"lr_decay must be a number > 0, got 0\. lr_decay multiplies the learning rate"),
        ({"batch_size": 0}, "batch_size must be an integer >= 1, got 0"),
        ({"num_epochs": 0}, "num_epochs must be an integer >= 1, got 0"),
        ({"num_epochs": 1.5}, r"num_epochs must be an integer >= 1, got 1\.5 \(float\)"),
        ({"num_train_samples": 0}, "num_train_samples must be an integer >= 1, got 0"),
        ({"num_val_samples": -5}, "num_val_samples must be an integer >= 1, got -5"),
        ({"print_every": 0}, "print_every must be an integer >= 1, got 0"),
        ({"patience": 0}, "patience must be an integer >= 1, got 0"),
        ({"seed": -1}, "seed must be an integer in .*, got -1"),
        ({"sampling": "random"}, "sampling must be one of 'epoch', 'replacement', got 'random'"),
        ({"update_rule": "adagrad"}, "update_rule must be one of 'sgd', .*, got 'adagrad'"),
        (
            {"optim_config": {"lr": 0.1}},
            "optim_config must be a mapping with only the keys 'learning_rate', .*, got 'lr'",
        ),
        ({"optim_config": {"beta1": 1}}, r"beta1 must be a number in \[0, 1\), got 1"),
    ],
)
@pytest.mark.parametrize("model", [make_net, Foreign])
def test_arguments_that_cannot_work_are_refused(model: Callable[[], Any], options: dict[str, Any], text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        make_solver(model(), **options)


def test_patience_without_validation_rows_is_refused() -> None:
    with pytest.raises(
        ArgumentError, match=r"patience must be None without validation rows, got a number\. Give X_val"
    ):
        make_solver(data=make_data(val=0), patience=3)


def test_data_without_training_rows_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"data must have at least one training row, got none\."):
        make_solver(data=Dataset(np.zeros((0, 5)), np.zeros(0, int)))
    with pytest.raises(
        DataError, match=r"data must be a Dataset or a dict with X_train and y_train, got the keys \['X'"
    ):
        make_solver(data={"X": np.zeros((2, 5)), "y": np.zeros(2, int)})


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ArgumentError, match="split must be one of 'train', 'val', 'test', got 'valid'"):
        make_solver().accuracy("valid")
    with pytest.raises(DataError, match="split must be one that data has, got 'test', which is empty"):
        make_solver().accuracy("test")


# Mistakes found before training


@pytest.mark.parametrize("gradient", [np.float64(3.0), np.ones(2), np.ones((3, 5)), None, [1.0], np.ones((5, 3), int)])
@pytest.mark.parametrize("rule", ["adam", OPTIMIZERS["adam"].rule], ids=["named", "callable"])
def test_a_models_gradient_of_another_shape_is_named(gradient: Any, rule: Any) -> None:
    class Wrong(Foreign):
        def loss(self, X: AnyArray, y: AnyArray | None = None) -> Any:
            result = super().loss(X, y)
            return result if y is None else (result[0], {**result[1], "W": gradient})

    model = Wrong()
    before = model.params["W"].copy()
    text = r"gradients\['W'\] must be an array of floats of shape \(5, 3\), as params\['W'\] is, got"
    with pytest.raises(ArgumentError, match=text):
        make_solver(model, update_rule=rule).step()
    np.testing.assert_array_equal(model.params["W"], before)


def test_a_net_that_does_not_fit_the_data_is_refused_at_once() -> None:
    X, y = np.ones((6, 5), np.float32), np.arange(6) % 3
    net = FullyConnectedNet([4], input_dim=5, num_classes=3, seed=0)
    with pytest.raises(ArgumentError, match=r"data must have 5 features, the net's input_dim, got 4"):
        Solver(net, Dataset(X[:, :4], y))
    with pytest.raises(ArgumentError, match=r"y_train must hold labels from 0 to 2, .* got 9"):
        Solver(net, Dataset(X, y + 7))
    with pytest.raises(ArgumentError, match=r"y_val must hold labels from 0 to 2, .* got 9"):
        Solver(net, Dataset(X, y, X, y + 7))


@pytest.mark.parametrize("schedule", ["cosine", Cosine])
def test_a_schedule_that_is_none_is_refused(schedule: Any) -> None:
    with pytest.raises(ArgumentError, match=r"schedule must be an object of thinnet.schedules, got .*Cosine\(\)"):
        make_solver(make_net(), schedule=schedule)


def test_an_unknown_key_of_the_data_is_refused_with_the_nearest_known_one() -> None:
    X, y = blobs()
    with pytest.raises(DataError, match=r"got 'X_valid'. Did you mean 'X_val'"):
        Solver(make_net(), {"X_train": X, "y_train": y, "X_valid": X})


def test_weights_of_rows_reach_the_loss() -> None:
    """Rows of weight zero might as well not be there, in a minibatch of all rows."""
    X, y = blobs(40)
    weights = np.where(np.arange(40) < 30, 2.0, 0.0)
    net = make_net()
    expected = net.copy().loss(X, y, weights=weights)[0]
    solver = make_solver(net, Dataset(X, y, weights=weights), batch_size=40)
    assert solver.step() == pytest.approx(expected, rel=1e-5)
    few = make_net().loss(X[:30], y[:30])[0]
    assert expected == pytest.approx(few * 2 * 30 / 40, rel=1e-5)


def test_a_model_that_is_not_ours_takes_no_weights() -> None:
    X, y = blobs(40)
    with pytest.raises(ArgumentError, match=r"data must have weights=None for a model that .* let it weigh its own"):
        make_solver(make_net(), Dataset(X, y, weights=np.ones(40)), update_rule=optim.sgd)
