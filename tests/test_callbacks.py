"""Callbacks: when each is called, what is recorded by then, and how one stops training."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from thinnet import ArgumentError, Callback, Dataset, EarlyStopping, FullyConnectedNet, Solver
from thinnet.training.state import TrainingState


class Recorder(Callback):
    """Records each event with what the solver had recorded by then."""

    def __init__(self, events: list[str], name: str = "") -> None:
        self.events, self.name = events, name

    def on_train_begin(self, state: TrainingState) -> None:
        self.events.append(f"{self.name}begin {state.iteration}")

    def on_step(self, state: TrainingState) -> None:
        assert len(state.history.loss) == state.iteration, "the loss of the step is recorded"
        self.events.append(f"{self.name}step {state.iteration}")

    def on_epoch(self, state: TrainingState) -> None:
        assert len(state.history.train_accuracy) == len(state.history.epoch) == len(state.history.seconds)
        self.events.append(f"{self.name}epoch {state.history.epoch[-1]}")

    def on_train_end(self, state: TrainingState) -> None:
        self.events.append(f"{self.name}end {state.iteration}")


def make_solver(*callbacks: Callback, epochs: int = 2, patience: int | None = None) -> Solver:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 3)).astype(np.float32), rng.integers(2, size=20)
    net = FullyConnectedNet([4], 3, 2, seed=0)
    return Solver(
        net,
        Dataset(X, y, X, y),
        batch_size=10,
        epochs=epochs,
        verbose=False,
        callbacks=callbacks,
        patience=patience,
    )


def test_events_come_in_order() -> None:
    events: list[str] = []
    make_solver(Recorder(events)).train()
    expected = "begin 0, step 1, epoch 0, step 2, epoch 1, step 3, step 4, epoch 2, end 4"
    assert events == expected.split(", ")


def test_callbacks_are_called_in_the_order_given() -> None:
    events: list[str] = []
    make_solver(Recorder(events, "first "), Recorder(events, "second ")).train()
    firsts, seconds = events[::2], events[1::2]
    assert [event.replace("first", "second") for event in firsts] == seconds


def test_stop_ends_training_after_the_step() -> None:
    class StopAt(Callback):
        def on_step(self, state: TrainingState) -> None:
            if state.iteration == 3:
                state.stop("that was enough")

    events: list[str] = []
    solver = make_solver(StopAt(), Recorder(events), epochs=10)
    solver.train()
    assert solver.stop_reason == "that was enough"
    assert solver.iteration == len(solver.history.loss) == 3
    assert events == ["begin 0", "step 1", "epoch 0", "step 2", "epoch 1", "step 3", "end 3"]


def test_the_end_is_told_where_a_callback_fails() -> None:
    class Fail(Callback):
        def on_step(self, state: TrainingState) -> None:
            raise RuntimeError("on purpose")

    events: list[str] = []
    with pytest.raises(RuntimeError, match="on purpose"):
        make_solver(Recorder(events), Fail()).train()
    assert events == ["begin 0", "step 1", "end 1"]


def test_the_base_class_does_nothing() -> None:
    with_it, without = make_solver(Callback()), make_solver()
    assert with_it.train().loss == without.train().loss


class Script(Callback):
    """Replaces the measured validation accuracies with a prepared sequence."""

    def __init__(self, *accuracies: float) -> None:
        self.accuracies = accuracies

    def on_epoch(self, state: TrainingState) -> None:
        count = len(state.history.val_accuracy)
        state.history.val_accuracy[:] = self.accuracies[:count]


@pytest.mark.parametrize(
    ("patience", "accuracies", "evaluations"),
    [
        (1, (0.5, 0.6, 0.6, 0.7, 0.8), 3),  # an equal value is not an improvement
        (2, (0.5, 0.6, 0.6, 0.6, 0.8), 4),
        (2, (0.5, 0.4, 0.6, 0.5, 0.5, 0.9), 5),  # counted from the best, not from the last
        (3, (0.9, 0.1, 0.2, 0.3, 0.4, 0.5), 4),  # a rise below the best is not an improvement
        (2, (0.1, 0.2, 0.3, 0.4, 0.5, 0.6), 6),
    ],
)
def test_early_stopping_counts_from_the_best_epoch(
    patience: int, accuracies: tuple[float, ...], evaluations: int
) -> None:
    solver = make_solver(Script(*accuracies), EarlyStopping(patience), epochs=len(accuracies) - 1)
    solver.train()
    assert len(solver.history.epoch) == evaluations
    stopped = evaluations < len(accuracies)
    assert solver.stop_reason == (f"validation accuracy has not risen for {patience} epochs" if stopped else None)


def test_early_stopping_refuses_a_patience_that_is_no_count() -> None:
    with pytest.raises(ArgumentError, match="patience must be an integer >= 1, got 0"):
        EarlyStopping(0)
    with pytest.raises(ArgumentError, match=r"patience must be an integer >= 1, got 2\.5 \(float\)"):
        EarlyStopping(2.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "meant"), [("on_epoch_end", "on_epoch"), ("on_batch_end", "on_step"), ("on_train_start", "on_train_begin")]
)
def test_a_method_that_would_never_be_called_is_refused(name: str, meant: str) -> None:
    with pytest.raises(
        ArgumentError, match=rf"Mine must define moments among .*, got '{name}'. Did you mean '{meant}'\?"
    ):
        type("Mine", (Callback,), {name: lambda self, state: None})


def test_a_bar_starts_no_process_and_leaves_the_start_of_processes_to_the_program() -> None:
    code = """
import multiprocessing.resource_tracker
import numpy as np
from thinnet import Dataset, FullyConnectedNet, Solver
from thinnet.cli.progress import say
data = Dataset(np.eye(4), [0, 1, 0, 1])
Solver(FullyConnectedNet.for_data(data, [3], seed=0), data, epochs=1, verbose=True, progress=True).train()
say("above")
assert multiprocessing.resource_tracker._resource_tracker._pid is None
multiprocessing.set_start_method("spawn")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "step" in done.stderr  # the progress bar
