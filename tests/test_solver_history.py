"""What a solver records and prints: histories, lines as in the courses, a progress bar in terminals."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from small_training import make_data, make_net, make_solver
from thinnet import Dataset, FullyConnectedNet, Solver
from thinnet.history import History


def test_histories_have_an_entry_for_each_step_and_each_evaluation() -> None:
    solver = make_solver(epochs=4)
    history = solver.train()
    assert history is solver.history
    assert len(history.loss) == solver.num_iterations == solver.iteration == 12
    assert history.epoch == [0, 1, 2, 3, 4]
    assert len(history.train_accuracy) == len(history.val_accuracy) == len(history.seconds) == 5
    assert all(a <= b for a, b in itertools.pairwise([0, *history.seconds]))
    assert all(0 <= a <= 1 for a in history.train_accuracy + history.val_accuracy)
    assert solver.epoch == 4
    assert solver.stop_reason is None
    assert solver.history.loss is history.loss
    assert solver.history.train_accuracy is history.train_accuracy
    assert solver.history.val_accuracy is history.val_accuracy


def test_a_history_is_shown_in_one_line_by_a_prompt_or_a_notebook() -> None:
    assert repr(History()) == "<History, empty>"
    history = make_solver(epochs=4).train()
    accuracies = rf"train_accuracy {history.train_accuracy[-1]:.4g}, val_accuracy \S+"
    last = rf"loss \S+, epoch 4, {accuracies}, val_loss \S+, seconds \S+"
    assert re.fullmatch(f"<History of 12 steps; last: {last}>", repr(history))


def test_an_epoch_of_one_step_is_evaluated_once() -> None:
    history = make_solver(batch_size=1000, epochs=3).train()
    assert history.epoch == [1, 2, 3]
    assert len(history.loss) == 3


def test_without_validation_rows_there_is_no_validation_accuracy(capsys: pytest.CaptureFixture[str]) -> None:
    net = make_net()
    solver = make_solver(net, make_data(val=0), verbose=True)
    history = solver.train()
    assert history.val_accuracy == []
    assert len(history.train_accuracy) == 5
    assert solver.best_val_accuracy == 0
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


def test_what_is_told_of_values_is_called_r_squared(capsys: pytest.CaptureFixture[str]) -> None:
    X = np.eye(4, dtype=np.float32)
    data = Dataset(X, X[:, :1] / 3, X, X[:, :1] / 3)
    Solver(FullyConnectedNet.for_data(data, [], seed=0), data, epochs=1, progress=False).train()
    assert re.search(r"^\(Epoch 1 / 1\) train R²: -?\d\S+; val R²: -?\d\S+$", capsys.readouterr().out, re.MULTILINE)
