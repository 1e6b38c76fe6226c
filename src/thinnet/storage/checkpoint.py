"""Checkpoints: everything needed to resume a run bit for bit, in checksummed files."""

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from thinnet.checks import check_number, shortened
from thinnet.data.files import looked_for
from thinnet.errors import ArgumentError, CheckpointError, MissingCheckpointError
from thinnet.history import History
from thinnet.nets import FullyConnectedNet
from thinnet.nets.saving import fill, named, net_arrays, net_from, net_state, readable_contents
from thinnet.optim import FlatOptimizer
from thinnet.parameters import Parameters
from thinnet.schedules import SCHEDULES, Schedule
from thinnet.spec import Spec
from thinnet.storage.checksummed import Contents, read_checksummed, write_checksummed
from thinnet.storage.locks import locked, unwritable
from thinnet.training.state import TrainingState
from thinnet.typing import AnyArray

KIND = "run"
KEEP = 2  # how many checkpoints are kept
NAME, SAVED = re.compile(r"step-([0-9]+)\.safetensors"), "step-*.safetensors"
OPTIONS = {  # the solver's options that a checkpoint saves
    "optimizer", "learning_rate", "optimizer_options", "epochs", "batch_size", "patience", "eval_train_rows",
    "eval_val_rows", "print_every", "verbose", "seed", "sampling", "batch_statistics",
    "precision", "ema_decay", "mixup", "checkpoint_every", "schedule", "weight_decay_schedule",
}  # fmt: skip
SCHEDULED = {"learning_rate": "schedule", "weight_decay": "weight_decay_schedule"}  # hyperparameters: their arguments


class Run(NamedTuple):
    """What a checkpoint saves and restores: a net, the state of its training, and the arguments of both.

    `options` are the solver's arguments in `OPTIONS`, except the schedules; `fingerprint` is the data's.
    """

    net: FullyConnectedNet
    optimizer: FlatOptimizer
    state: TrainingState
    options: dict[str, Any]
    schedules: dict[str, Schedule]
    fingerprint: dict[str, str]


class Checkpoints:
    """The checkpoints of one run, in their own folder, which is created if it is missing.

    CheckpointError if it cannot be written, or holds another run: checkpoints, when this run is not `resumed`.
    """

    def __init__(self, folder: Path, resumed: bool) -> None:
        self.folder = folder
        self.newest = -1  # the newest step that this run knows of
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise unwritable(folder, error) from error
        if not resumed and (steps := saved(folder)):
            raise self._of_another_run(f"step {max(steps)}")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lock the folder, and remove what a killed run left behind: half-written files or an extra checkpoint."""
        with locked(self.folder):
            if (last := max(saved(self.folder), default=-1)) > self.newest:
                raise self._of_another_run(f"step {last}, which another run has written in the meantime")
            for leftover in self.folder.glob(".step-*"):
                leftover.unlink(missing_ok=True)
            self._remove_old()
            yield

    def _of_another_run(self, came: str) -> CheckpointError:
        return CheckpointError(
            f"checkpoint_dir must not hold checkpoints of another run, got {self.folder} with {came}. "
            f"Continue that run with Solver.resume({str(self.folder)!r}, data), or choose another folder."
        )

    def save(self, run: Run) -> Path:
        """Save a run as it is now, then remove all but the newest checkpoints."""
        path = self.folder / f"step-{run.state.iteration:09d}.safetensors"
        try:
            write_checksummed(path, KIND, *_packed(run))
        except OSError as error:
            steps = saved(self.folder)
            good = f"The checkpoint of step {max(steps)} is whole" if steps else "There is no checkpoint yet"
            raise CheckpointError(f"{error} {good}; fix that and resume.") from error
        self.newest = run.state.iteration
        self._remove_old()
        return path

    def _remove_old(self) -> None:
        """Remove all but the newest checkpoints; a killed run may have left an extra one."""
        for old in list(saved(self.folder).values())[:-KEEP]:
            old.unlink(missing_ok=True)


def saved(folder: Path) -> dict[int, Path]:
    """The checkpoints in a folder by step, the newest last."""
    matches = ((path, NAME.fullmatch(path.name)) for path in folder.iterdir())
    return dict(sorted((int(match[1]), path) for path, match in matches if match))


def newest(folder: Path) -> Contents:
    """The newest checkpoint of a folder; CheckpointError if there is none, or it is damaged."""
    try:
        paths = list(saved(folder).values()) if folder.is_dir() else []
        if paths:
            return read_checksummed(paths[-1], KIND)
    except OSError as error:
        raise CheckpointError(
            f"{folder} must be a folder whose newest checkpoint can be read, got {error}. Check its permissions, and "
            f"that no other run is writing there."
        ) from error
    except CheckpointError as error:
        whole = next((path for path in reversed(paths[:-1]) if _is_whole(path)), None)
        if whole is None:
            raise CheckpointError(f"{error} No other checkpoint in {folder} is whole.") from error
        newer = " and ".join(path.name for path in paths[paths.index(whole) + 1 :])
        raise CheckpointError(f"{error} Remove {newer} to go on from {whole.name} instead.") from error
    raise no_run(folder, "a folder with a checkpoint", "one without", "Name the run's checkpoint_dir.", SAVED)


def no_run(folder: Path, expected: str, came: str, fix: str, pattern: str) -> CheckpointError:
    """The error for a run's folder that does not exist, is a file, or contains no file that matches `pattern`."""
    if not folder.exists():
        return MissingCheckpointError(f"{folder} must be {expected}, got no such folder. {fix} {looked_for(folder)}")
    if runs := sorted({str(path.parent) for path in folder.glob(f"*/{pattern}")}):
        fix = f"Name one of those in it: {shortened(runs)}."
    elif any(folder.parent.glob(pattern)):
        fix = f"Name its folder: {folder.parent}."
    if not folder.is_dir():
        came = "a file"
    elif not any(folder.iterdir()):
        came = "an empty folder"
    return CheckpointError(f"{folder} must be {expected}, got {came}. {fix}")


def _is_whole(path: Path) -> bool:
    try:
        read_checksummed(path, KIND)
    except (CheckpointError, OSError):
        return False
    return True


def net_of(contents: Contents) -> FullyConnectedNet:
    """The net of a run, as it was when the checkpoint was written."""
    with readable_contents("the checkpoint"):
        return net_from(FullyConnectedNet, contents.state["net"], contents.arrays)


def options_of(contents: Contents) -> dict[str, Any]:
    """The arguments of the run's solver."""
    with readable_contents("the checkpoint"):
        options = dict(contents.state["solver"])
        if set(options) != OPTIONS:
            raise ValueError(f"the solver's options are {', '.join(options) or 'none'}")
        schedules = {argument: _schedule(options.pop(argument)) for argument in SCHEDULED.values()}
        return {**options, **schedules}


def _schedule(packed: dict[str, Any] | None) -> Schedule | None:
    if packed is None:
        return None
    arguments = dict(packed)
    schedule: Schedule = SCHEDULES[arguments.pop("name")](**arguments)
    return schedule


def check_data(contents: Contents, fingerprint: Mapping[str, str]) -> None:
    """Raise CheckpointError, with what differs, if a run was trained on different data."""
    with readable_contents("the checkpoint"):
        before = dict(contents.state["data"])
    differing = [name for name in sorted({*before, *fingerprint}) if before.get(name) != fingerprint.get(name)]
    if differing:
        raise CheckpointError(
            f"data must be what the run was trained on, got a different {', '.join(differing)}. "
            f"Load it as before, with the same seed, splits, standardization and augmentation."
        )


def check_net(contents: Contents, net: FullyConnectedNet) -> None:
    """Raise CheckpointError, with what differs, if a run trained a different net."""
    with readable_contents("the checkpoint"):
        before, now = Spec.from_config(contents.state["net"]["config"]).config(), net.config()
    differing = [f"{name} {now[name]!r} for {before.get(name)!r}" for name in now if now[name] != before.get(name)]
    if differing:
        raise CheckpointError(
            f"model must be the net that the run trained, got {', '.join(differing)}. Leave model out to have the "
            f"run's own net built."
        )


def history_of(contents: Contents) -> History:
    """The history of a run up to the checkpoint."""
    with readable_contents("the checkpoint"):
        steps, lists, losses = contents.state["iteration"], contents.state["history"], contents.arrays["history/loss"]
        if set(lists) != set(vars(History())) - {"loss"} or losses.dtype != np.float64 or losses.shape != (steps,):
            raise ValueError(f"the history has {', '.join(lists)} and losses of shape {losses.shape} for {steps} steps")
        return checked_history({**lists, "loss": losses.tolist()})


def checked_history(lists: Mapping[str, Any]) -> History:
    """The history that was saved as these lists; KeyError, TypeError or ValueError if they are not one."""
    names = [field.name for field in fields(History)]
    history = History(**{name: [number(name, value) for value in lists[name]] for name in names})
    if not len(history.epoch) == len(history.train_accuracy) == len(history.seconds):
        raise ValueError("the lists of the history differ in length")
    return history


def number(name: str, value: Any) -> Any:
    """The value; ValueError if it is not a number. Infinities and NaN are allowed: they are plain to see."""
    if type(value) not in (int, float):
        raise ValueError(f"{name} {value!r} is not a number")
    return value


def restore(contents: Contents, run: Run) -> None:
    """Restore the state of training into a run that was rebuilt for its net and data."""
    saved_state, state, net = contents.state, run.state, run.net
    with readable_contents("the checkpoint"):
        state.iteration = check_number("step", saved_state["iteration"])
        state.stop_reason = saved_state["stop_reason"]
        if not isinstance(state.stop_reason, str | None):
            raise ValueError(f"stop_reason is {state.stop_reason!r}")
        vars(state.history).update(vars(history_of(contents)))
        if "t" in run.optimizer.state:
            run.optimizer.state["t"] = check_number("step", saved_state["t"])
        if state.average is not None:
            state.average.count = check_number("step", saved_state["averaged"])
        if saved_state["has_best"]:
            state.weights.best = {"params": net.params.zeros_like(), "running": net.running.zeros_like()}
            state.weights.best_score = number("best_score", saved_state["best_score"])
        for beginning, parameters in _kept(run).items():
            fill(parameters, contents.arrays, beginning)


def _packed(run: Run) -> tuple[dict[str, Any], dict[str, AnyArray]]:
    net, optimizer, history, weights = run.net, run.optimizer, run.state.history, run.state.weights
    state: dict[str, Any] = {
        "net": net_state(net),
        "solver": {
            **run.options,
            "epochs": run.state.epochs,  # may have been increased since
            **{argument: _packed_schedule(run.schedules.get(name)) for name, argument in SCHEDULED.items()},
        },
        "iteration": run.state.iteration,
        "best_score": weights.best_score,
        "stop_reason": run.state.stop_reason,
        "history": {name: values for name, values in vars(history).items() if name != "loss"},
        "t": optimizer.state.get("t", 0),
        "has_best": weights.best is not None,
        "averaged": 0 if run.state.average is None else run.state.average.count,
        "data": run.fingerprint,
    }
    arrays = {**net_arrays(net), "history/loss": np.array(history.loss, np.float64)}
    for beginning, parameters in _kept(run).items():
        arrays |= named(beginning, parameters)
    return state, arrays


def _kept(run: Run) -> dict[str, Parameters]:
    """What a run saves besides its net, by the prefix of the arrays' names."""
    params, average = run.net.params, run.state.average
    groups = {
        "optimizer": {
            key: Parameters(params.shapes, params.dtype, params.order, flat)
            for key, flat in run.optimizer.state.items()
            if key != "t"
        },
        "average": {} if average is None else {"params": average.params, "running": average.running},
        "best": run.state.weights.best or {},
    }
    return {f"{group}/{name}/": parameters for group, kept in groups.items() for name, parameters in kept.items()}


def check_schedules(schedules: Mapping[str, Schedule]) -> None:
    """Raise ArgumentError if a schedule is not one that checkpoints can hold."""
    for name, schedule in schedules.items():
        if type(schedule) not in SCHEDULES.values():
            raise ArgumentError(
                f"{SCHEDULED[name]} must be one of thinnet.schedules where checkpoints are written, got {schedule!r}. "
                f"Use {', '.join(kind.__name__ for kind in SCHEDULES.values())}, or give no checkpoint_dir."
            )


def _packed_schedule(schedule: Any) -> dict[str, Any] | None:
    if schedule is None:
        return None
    return {"name": next(name for name, kind in SCHEDULES.items() if type(schedule) is kind), **asdict(schedule)}
