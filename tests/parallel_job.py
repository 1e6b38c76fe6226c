"""The script that tests run in several processes: ``mpiexec -n SIZE python parallel_job.py FOLDER WHAT ...``."""

from __future__ import annotations

import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

from thinnet import Dataset, Solver, cli
from thinnet.callbacks import Callback
from thinnet.data.shares import alone
from thinnet.errors import NumericalError
from thinnet.nets import FullyConnectedNet
from thinnet.training.state import TrainingState

WORLD: Any = None
if os.name == "posix":  # on other systems the tests that need it are skipped
    from mpi4py import MPI

    WORLD = MPI.COMM_WORLD
SOLVER: dict[str, Any] = {"batch_size": 24, "epochs": 2, "verbose": False, "progress": False, "seed": 5}
NETS: dict[str, dict[str, Any]] = {
    "batchnorm": {"normalization": "batchnorm", "dropout": 0.4, "reg": 0.01},
    "layernorm": {"normalization": "layernorm", "dropout": 0.4},
    "plain": {"dropout": 0.2, "loss": "svm"},
    "thinned": {"normalization": "batchnorm", "dropout": 0.5, "dropout_mask": "batch", "reg": 0.01},
    "regression": {"normalization": "batchnorm", "dropout": 0.2, "loss": "mse"},
}
COMMAND = ["train", "--data", "digits", "--num-train", "200", "--epochs", "4", "--seed", "1"]
COMMAND += ["--batch-size", "50", "--hidden-dims", "20"]
TRAININGS: dict[str, dict[str, Any]] = {  # for the net with the same name, or else the first one
    **{name: {} for name in NETS},
    "small batches": {"batch_size": 3, "epochs": 1},  # so that a process often has no row of a minibatch
    "augmented": {},
    "averaged": {"ema_decay": 0.9},
    "local statistics": {"batch_size": 105, "batch_statistics": "local"},
}


def make_data(kind: str = "labels") -> Dataset:
    """210 training rows of 7 features in 3 classes, with different weights."""
    generator = np.random.default_rng(3)
    X = generator.standard_normal((290, 7)) * 3 + 1
    y: Any = np.abs(X[:, 0]).astype(int) % 3
    if kind == "regression":
        y = np.stack([X[:, 0] * X[:, 1], X[:, 2]], axis=1)
    weights = generator.random(210) + 0.5
    return Dataset(X[:210], y[:210], X[210:260], y[210:260], X[260:], y[260:], weights=weights)


def make_net(**options: Any) -> FullyConnectedNet:
    classes = 2 if options.get("loss") == "mse" else 3
    return FullyConnectedNet([12, 9], 7, classes, dtype=np.float64, weight_scale="he", seed=1, **options)


def make_training(name: str, communicator: Any = None, **options: Any) -> Solver:
    """One of the trainings, in a single process or, with a communicator, this process's part of it."""
    data = make_data(name if name == "regression" else "labels")
    if communicator is not None and name != "plain":  # for "plain", the solver shares the data
        data = data.shared(communicator.rank, communicator.size)
    gather = alone if communicator is None else communicator.allgather
    data = data.standardized("feature", gather=gather)
    if name == "augmented":  # rows are images with one line of pixels
        data = data.augmented(flip="alternating", cutout=1, image_shape=(1, 1, 7))
    options = {**SOLVER, **TRAININGS[name], **options, "communicator": communicator}
    return Solver(make_net(**NETS.get(name, NETS["batchnorm"])), data, optimizer="adam", **options)


def trainings(folder: Path) -> None:
    """Do all trainings, and save the nets of all processes."""
    results: dict[str, Any] = {}
    for name in TRAININGS:
        solver = make_training(name, WORLD)
        history = solver.train()
        results |= {f"{name}/params": WORLD.gather(solver.model.params.flat)}
        results |= {f"{name}/running": WORLD.gather(solver.model.running.flat)}
        results |= {f"{name}/loss": history.loss, f"{name}/val": history.val_accuracy}
        results |= {f"{name}/train": history.train_accuracy, f"{name}/test": solver.accuracy("test")}
        results[f"{name}/exchanged"] = solver.processes.exchanged
    if WORLD.rank == 0:
        np.savez(folder / f"trainings{WORLD.size}.npz", **results)


def train(folder: Path, misfortune: str = os.environ.get("MISFORTUNE", "")) -> None:
    """A run with checkpoints, resumed if there are any."""
    run = folder / "run"
    if WORLD.bcast(any(run.glob("step-*"))):
        solver = Solver.resume(run, make_data().standardized("feature"), communicator=WORLD)
    else:
        solver = make_training("batchnorm", WORLD, checkpoint_dir=run, checkpoint_every=5)
    solver.callbacks += [_Misfortune(misfortune)]
    came: dict[str, Any] = {"began": solver.iteration}
    solver.train()
    if WORLD.rank == 0:
        np.savez(folder / f"train{WORLD.size}.npz", params=solver.model.params.flat, loss=solver.history.loss, **came)


class _Misfortune(Callback):
    """Causes the given trouble at step 8 in the last rank."""

    def __init__(self, what: str) -> None:
        self.what = what

    def on_step(self, state: TrainingState) -> None:
        if state.iteration != 8 or WORLD.rank != WORLD.size - 1:
            return
        if self.what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.what == "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
        if self.what == "terminate":
            os.kill(os.getpid(), signal.SIGTERM)
        if self.what == "raise":
            raise RuntimeError("the disk is on fire")
        if self.what == "drift":
            state.model.params["W1"][0, 0] += 1e-9


def drift(folder: Path) -> None:
    """Change the parameters of one process, and save the error that each process reports."""
    try:
        train(folder / "drift", "drift")
    except NumericalError as error:
        said = WORLD.gather(str(error))
        if WORLD.rank == 0:
            (folder / "drift.txt").write_text("\n".join(said), encoding="utf-8")


def command(folder: Path) -> None:
    """A command line that trains."""
    print("status", cli.main([*COMMAND, "--output", str(folder / "command")]), flush=True)


def wrong_command(folder: Path) -> None:
    """A command line that is refused, which ends all processes."""
    (folder / "file").touch()
    sys.exit(cli.main(["train", "--output", str(folder / "file")]))


def script(folder: Path) -> None:
    """Run the script in the folder."""
    runpy.run_path(str(folder / "script.py"), run_name="__main__")


def bad_row(folder: Path) -> None:
    """Train with a weight that is not finite, which fails in the first step."""
    solver = make_training("batchnorm", WORLD)
    solver.model.params["W2"][3, 3] = np.inf
    solver.train()


def stops(folder: Path) -> None:
    """A callback, called only by rank 0, ends training in all processes."""

    class Stop(Callback):
        def on_step(self, state: TrainingState) -> None:
            print(f"rank {WORLD.rank} was called")
            if state.iteration == 4:
                state.stop("enough")

    solver = make_training("batchnorm", WORLD, callbacks=[Stop()])
    solver.train()
    print(f"rank {WORLD.rank} stopped after {solver.iteration}: {solver.stop_reason}")


if __name__ == "__main__":
    for name in sys.argv[2:]:
        globals()[name](Path(sys.argv[1]))
