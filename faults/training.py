"""The short training run that is killed and disturbed: a small net on digits, with a checkpoint at every step."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from thinnet import Dataset, FullyConnectedNet, Solver, load_digits

NUM_STEPS = 60


@cache
def data() -> Dataset:
    return load_digits(num_train=300, num_val=100, num_test=0).standardized("global")


def net(mask: Any) -> FullyConnectedNet:
    layers = {"dropout": 0.5, "normalization": "batchnorm", "dropout_mask": mask}
    return FullyConnectedNet.for_data(data(), [32, 16], **layers, seed=0)


def solver(mask: str, folder: Path | None = None) -> Solver:
    """The run from the start; with checkpoints if there is a folder for them."""
    every = None if folder is None else 1
    options: dict[str, Any] = {"batch_size": 20, "epochs": 4, "verbose": False}
    return Solver(net(mask), data(), checkpoint_dir=folder, checkpoint_every=every, progress=False, **options)


def go_on(mask: str, folder: Path) -> Solver:
    """The run from where it was interrupted, or from the start."""
    if any(folder.glob("step-*")):
        return Solver.resume(folder, data(), progress=False)
    return solver(mask, folder)


def outcome(solver: Solver) -> tuple[Any, ...]:
    """The result of a run, bit for bit: weights, running statistics, moments, losses and accuracies."""
    net, history = solver.model, solver.history
    moments = [value if key == "t" else value.tobytes() for key, value in solver.optimizer.state.items()]
    recorded = history.loss, history.epoch, history.train_accuracy, history.val_accuracy, solver.best_val_accuracy
    return net.params.flat.tobytes(), net.running.flat.tobytes(), moments, recorded


@cache
def uninterrupted(mask: str) -> tuple[Any, ...]:
    whole = solver(mask)
    whole.train()
    assert whole.iteration == NUM_STEPS
    return outcome(whole)


def in_child(work: Callable[[], int]) -> int:
    """Start `work` in a child process and return its PID. What `work` returns is the exit status."""
    child = os.fork()
    if child == 0:
        status = 99
        try:
            status = work()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return child
