"""What a solver measures during training: accuracies and R², on which rows, and the best weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from small_training import Foreign, make_data, make_net, make_solver, model_state
from thinnet import Dataset, FullyConnectedNet, Solver
from thinnet.spec import NORMALIZATIONS
from thinnet.training.evaluation import Evaluation


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


def test_a_regression_is_learned_and_measured_by_r_squared() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 5))
    y = X @ rng.standard_normal((5, 2)) + 3
    net = FullyConnectedNet([], 5, 2, loss="mse", dtype=np.float64, seed=0)
    data = Dataset(X[:150], y[:150], X[150:], y[150:])
    solver = make_solver(net, data, epochs=60, batch_size=50, learning_rate=0.1)
    history = solver.train()
    residual = ((y[150:] - net.scores(X[150:])) ** 2).sum()
    expected = 1 - residual / ((y[150:] - y[150:].mean(axis=0)) ** 2).sum()
    assert solver.accuracy("val") == pytest.approx(expected, rel=1e-12)
    assert history.val_accuracy[0] < 0.5
    assert solver.best_val_accuracy > 0.999


def test_r_squared_of_constant_targets_is_zero() -> None:
    net = FullyConnectedNet([], 5, 1, loss="mse", seed=0)
    solver = make_solver(net, Dataset(np.ones((4, 5)), np.ones((4, 1))))
    assert solver.accuracy("train") == 0.0


def test_samples_for_evaluation_are_drawn_once_and_without_repetition() -> None:
    solver = make_solver(data=make_data(val=60), eval_train_rows=20, eval_val_rows=10)
    train, val = solver._rows_to_evaluate("train"), solver._rows_to_evaluate("val")
    assert len(set(train.tolist())) == 20
    assert len(set(val.tolist())) == 10
    solver.step()
    np.testing.assert_array_equal(solver._rows_to_evaluate("train"), train)
    assert not set(val.tolist()) <= set(train.tolist()), "train and val are drawn apart"
    np.testing.assert_array_equal(make_solver(eval_train_rows=1000)._rows_to_evaluate("train"), np.arange(60))
    np.testing.assert_array_equal(make_solver(eval_train_rows=None)._rows_to_evaluate("train"), np.arange(60))


# The best weights


class Scripted(Solver):
    """A solver with validation accuracies 0.1, 0.5, 0.9, 0.9, 0.3, 0.2 that records the model's states."""

    def evaluate(self, split: str) -> Evaluation:
        if split == "train":
            return Evaluation(0.0, None)
        self.states = [*getattr(self, "states", []), model_state(self.model)]
        return Evaluation((0.1, 0.5, 0.9, 0.9, 0.3, 0.2)[len(self.states) - 1], None)


@pytest.mark.parametrize("patience", [None, 3])
@pytest.mark.parametrize("normalization", [*NORMALIZATIONS, "foreign"])
def test_the_model_ends_with_the_weights_and_statistics_that_did_best(normalization: Any, patience: int | None) -> None:
    """They are from the third evaluation, the first with the best accuracy."""
    model = Foreign() if normalization == "foreign" else make_net(normalization=normalization, dropout=0.2)
    solver = Scripted(model, make_data(), epochs=5, batch_size=20, verbose=False, patience=patience)
    solver.train()
    assert solver.best_val_accuracy == 0.9
    assert len(solver.states) == 6
    assert len({*map(tuple, solver.states)}) == 6, "the model changed all the time"
    assert model_state(model) == solver.states[2]
    assert (solver.stop_reason is None) == (patience is None)


def test_the_best_accuracy_is_that_of_the_model_that_is_left() -> None:
    for rate in (0.01, 0.3, 3.0):  # at the highest rate, accuracy fluctuates
        solver = make_solver(learning_rate=rate, epochs=15)
        history = solver.train()
        assert solver.accuracy("val") == solver.best_val_accuracy == max(history.val_accuracy)


def test_early_stopping_ends_after_so_many_epochs_without_a_rise() -> None:
    solver = make_solver(epochs=200, patience=4)
    history = solver.train()
    assert solver.stop_reason == "validation accuracy has not risen for 4 epochs"
    best = history.val_accuracy.index(max(history.val_accuracy))
    assert len(history.val_accuracy) == best + 1 + 4
    assert solver.epoch == history.epoch[-1] < 200
    assert solver.accuracy("val") == solver.best_val_accuracy
