"""A small run for tests to interrupt and resume, and the state that must then be bit-identical."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from thinnet import Callback, Dataset, FullyConnectedNet, Solver
from thinnet.training.state import TrainingState

STEPS = 12  # three epochs of four minibatches, of 12, 12, 11 and 11 rows


def make_data(val: int = 20, seed: int = 0, regression: bool = False) -> Dataset:
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 256, (46 + val, 5), dtype=np.uint8)
    y: Any = X[:, :3] / 256 if regression else X[:, :3].argmax(axis=1)
    held_out = (X[46:], y[46:]) if val else (None, None)
    return Dataset(X[:46], y[:46], *held_out).standardized("feature")


def make_net(**options: Any) -> FullyConnectedNet:
    usual = {"dropout": 0.4, "normalization": "batchnorm", "weight_scale": "he", "seed": 5}
    return FullyConnectedNet([12, 6], 5, 3, **{**usual, **options})


def make_solver(net: FullyConnectedNet, data: Dataset, **options: Any) -> Solver:
    usual = {"optimizer": "adam", "learning_rate": 0.02, "batch_size": 12, "epochs": 3}
    return Solver(net, data, verbose=False, progress=False, **{**usual, **options})


def state(solver: Solver) -> dict[str, Any]:
    """Everything that a run produces, bit for bit, except wall-clock times."""
    net, history = solver.model, vars(solver.history)
    kept = {key: value if key == "t" else value.tobytes() for key, value in solver.optimizer.state.items()}
    best = {name: parameters.flat.tobytes() for name, parameters in (solver.best or {}).items()}
    return {
        "params": net.params.flat.tobytes(),
        "running": net.running.flat.tobytes(),
        "step": net.step,
        "history": {name: values for name, values in history.items() if name != "seconds"},
        "evaluations": len(history["seconds"]),
        "optimizer": kept,
        "best": (best, solver.best_val_accuracy),
        "ended": (solver.iteration, solver.stop_reason),
    }


class Raise(Callback):
    """Raises an unrelated error in the step after this one, before anything from it is saved."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, state: TrainingState) -> None:
        if state.iteration > self.step:
            raise RuntimeError("on purpose")


def interrupt(solver: Solver, step: int) -> None:
    """Train until an error in the step after this one; without pytest, so that child processes need not import it."""
    solver.callbacks.append(Raise(step))
    try:
        solver.train()
    except RuntimeError as error:
        if str(error) != "on purpose":
            raise
    else:
        raise AssertionError("nothing interrupted it")


def interrupted(folder: Path, step: int = 6, **net_options: Any) -> Solver:
    """An interrupted run whose folder has the checkpoints up to this step."""
    solver = make_solver(make_net(**net_options), make_data(), checkpoint_dir=folder, checkpoint_every=1)
    interrupt(solver, step)
    return solver


def finish(folder: Path, model: FullyConnectedNet | None = None, **net_options: Any) -> None:
    """Resume the run in the folder; it must end like a run that was never interrupted."""
    never = make_solver(make_net(**net_options), make_data())
    never.train()
    resumed = Solver.resume(folder, make_data(), model=model)
    resumed.train()
    assert state(resumed) == state(never)


def files(folder: Path) -> list[str]:
    """The file names in a run's folder, without its lock."""
    return sorted(name for name in os.listdir(folder) if name != ".lock")
