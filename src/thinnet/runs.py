"""Runs: training by a config in a folder of its own, which has everything to repeat it, resume it and report on it."""

from __future__ import annotations

import json
import os
import platform
import sys
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from thinnet.checks import check_choice
from thinnet.config import NONE, Config
from thinnet.data import Dataset, load_cifar10, load_digits, load_fashion_mnist
from thinnet.errors import ArgumentError, CheckpointError, DataError
from thinnet.files import write_atomically
from thinnet.history import History
from thinnet.nets import FullyConnectedNet
from thinnet.schedules import SCHEDULES, EpochDecay, Schedule
from thinnet.solver import Solver

CONFIG, ENVIRONMENT, RESULT, NET = "config.toml", "environment.json", "result.json", "net.safetensors"
PACKAGES = ("thinnet", "numpy", "numba", "safetensors")


@dataclass(frozen=True)
class Result:
    """What came of a run."""

    history: History
    val_accuracy: float | None
    test_accuracy: float | None
    stop_reason: str | None

    def table(self) -> str:
        """One line for each figure there is."""
        lines = [f"steps                {len(self.history.loss)}"]
        for name, value in (("validation accuracy", self.val_accuracy), ("test accuracy", self.test_accuracy)):
            if value is not None:
                lines.append(f"{name:<20} {value:.3f}")
        if self.stop_reason:
            lines.append(f"stopped early        {self.stop_reason}")
        return "\n".join(lines)


def start(config: Config, folder: Path, tell: Callable[[str], Any] = print, **options: Any) -> Result:
    """Train by a config, in a new folder.

    Args:
        config: what to train; a seed that it lacks is drawn and written down.
        folder: gets config.toml, environment.json, checkpoints, and at the end net.safetensors and result.json.
        tell: called with lines of text.
        options: verbose and progress, as for `thinnet.Solver`.

    Raises:
        CheckpointError: if the folder has a run already, or cannot be written.
        DataError: if the data cannot be found or read.
        NumericalError: if a loss becomes NaN or infinite.
    """
    if (folder / CONFIG).exists():
        raise CheckpointError(
            f"{folder} must be a new folder, got one with a run. Go on with it by: thinnet resume {folder}"
        )
    if folder.exists() and not folder.is_dir():
        raise CheckpointError(f"{folder} must be a new folder, got a file. Choose another name.")
    config = config.resolved()
    data = load(config)
    solver = _solver(config, data, folder, **options)  # which makes the folder, and finds out if it cannot be written
    write_atomically(folder / CONFIG, config.to_toml().encode())
    write_atomically(folder / ENVIRONMENT, json.dumps(environment(solver.fingerprint), indent=2).encode())
    tell(config.to_toml())
    return _finish(solver, data, folder)


def resume(folder: Path, **options: Any) -> Result:
    """Go on with a run where its newest checkpoint was written, or from its beginning if it has none yet.

    Args:
        folder: of the run.
        options: what may change, as for `thinnet.Solver.resume`: verbose and progress among others.

    Raises:
        CheckpointError: if the folder has no run, or its checkpoint is damaged or belongs to other data.
        DataError: if the data cannot be found or read.
    """
    if not (folder / CONFIG).is_file():
        raise CheckpointError(f"{folder} must be the folder of a run, got one without {CONFIG}. Name its --output.")
    config = Config.from_toml(folder / CONFIG)
    data = load(config)
    if any(folder.glob("step-*.safetensors")):
        solver = Solver.resume(folder, data, **options)
    else:
        solver = _solver(config, data, folder, **options)
    return _finish(solver, data, folder)


def start_or_resume(config: Config, folder: Path, tell: Callable[[str], Any] = print, **options: Any) -> Result:
    """`start` in a new folder; `resume` in one that has a run of the same config.

    Raises:
        CheckpointError: if the folder has another run.
    """
    if not (folder / CONFIG).exists():
        return start(config, folder, tell, **options)
    if replace(Config.from_toml(folder / CONFIG), root="") != replace(config, root=""):
        raise CheckpointError(
            f"{folder} must be a new folder, or have a run of the same config, got one of another. Choose another one."
        )
    return resume(folder, **options)


def load(config: Config) -> Dataset:
    """The data of a config, standardized.

    Raises:
        DataError: if they cannot be found or read, or do not fit together.
        ArgumentError: if the name is unknown, or fewer training rows are there than asked for.
        OSError: if a file cannot be opened.
    """
    file = config.data.endswith(".npz")
    data = _from_npz(Path(config.data)) if file else _named(config.data, config.root or None)
    if config.num_train:
        drawn = config.data_seed >= 0
        data = data.drawn(config.num_train, config.data_seed) if drawn else data.first(config.num_train)
    return data.standardized(config.standardization)


def _named(name: str, root: str | None) -> Dataset:
    check_choice("data", name, ("digits", "cifar10", "fashion-mnist"))
    if name == "digits":
        return load_digits()
    if name == "cifar10":
        return load_cifar10(root, num_test=None)
    if root is None:
        raise ArgumentError("root must be the folder with Fashion-MNIST's four files, got none. Name it.")
    return load_fashion_mnist(root)


def environment(fingerprint: dict[str, str]) -> dict[str, Any]:
    """What a run depends on beside its config: versions, machine, the data's hashes, the command."""
    versions = {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES}
    machine = {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()}
    return {"versions": versions, "machine": machine, "data": fingerprint, "command": sys.argv[1:]}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _from_npz(path: Path) -> Dataset:
    try:
        with path.open("rb") as file:  # which np.load would leave open where the archive is broken
            loaded = np.load(file, allow_pickle=False)
            arrays = dict(loaded) if isinstance(loaded, np.lib.npyio.NpzFile) else None
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(_no_archive(path, str(error))) from error
    if arrays is None:
        raise DataError(_no_archive(path, "a single array"))
    return Dataset.from_dict(arrays, name=path.stem)


def _no_archive(path: Path, came: str) -> str:
    return f"{path} must be a file of arrays as numpy.savez writes it, got {came}. Write it again, with X_train=..."


def _solver(config: Config, data: Dataset, folder: Path, **options: Any) -> Solver:
    net = FullyConnectedNet(
        config.hidden_dims,
        data.num_features,
        data.num_classes,
        dropout=config.dropout,
        normalization=None if config.normalization == NONE else config.normalization,  # type: ignore[arg-type]
        reg=config.reg,
        weight_scale=config.weight_scale,  # type: ignore[arg-type]
        dtype=config.dtype,
        seed=config.seed,
        loss="mse" if data.y_train.ndim == 2 else "softmax",
        scaling=config.scaling,  # type: ignore[arg-type]
        dropout_mask=config.dropout_mask,  # type: ignore[arg-type]
    )
    return Solver(
        net,
        data,
        update_rule=config.optimizer,
        optim_config={"learning_rate": config.learning_rate},
        schedule=_schedule(config),
        batch_size=config.batch_size,
        num_epochs=config.epochs,
        patience=config.patience or None,
        checkpoint_dir=folder,
        **options,
    )


def _schedule(config: Config) -> Schedule:
    if config.schedule == "epoch_decay":
        return EpochDecay(config.decay)
    made: Schedule = SCHEDULES[config.schedule]()
    return made


def _finish(solver: Solver, data: Dataset, folder: Path) -> Result:
    history = solver.train()
    result = Result(
        history,
        solver.best_val_acc if data.num_rows("val") else None,
        solver.accuracy("test") if data.num_rows("test") else None,
        solver.stop_reason,
    )
    solver.model.save(folder / NET)
    write_atomically(folder / RESULT, json.dumps({**vars(result), "history": vars(history)}).encode())
    return result
