"""Runs: training from a config, in a folder with everything needed to repeat it, resume it and report on it."""

import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from thinnet.checks import check_choice, check_path
from thinnet.config import AUTO, NONE, Config, check_config, check_used
from thinnet.data import Dataset, catalog
from thinnet.data.npz import load_npz
from thinnet.distributed.preparation import share_of
from thinnet.distributed.processes import ProcessGroup
from thinnet.errors import ArgumentError, CheckpointError, DataError, NumericalError
from thinnet.history import History
from thinnet.nets import FullyConnectedNet
from thinnet.optim import OPTIMIZERS
from thinnet.schedules import EpochDecay, Schedule
from thinnet.solver import Solver
from thinnet.spec import FIELDS
from thinnet.statistics import rounded
from thinnet.storage.checkpoint import SAVED, SCHEDULED, no_run
from thinnet.storage.files import write_atomically
from thinnet.training.resuming import CHANGEABLE
from thinnet.typing import AnyPath

CONFIG, ENVIRONMENT, RESULT, NET = "config.toml", "environment.json", "result.json", "net.safetensors"
WHERE = "Name the folder that thinnet train wrote: its --output, or one in runs/."
FAILURE = "failure.txt"  # of a run that a numerical error ended
Log = Callable[[str], Any]
Command = Sequence[str] | None
SOLVED = ("optimizer", "learning_rate", "epochs", "batch_size", "batch_statistics", "mixup")  # shared with a solver
AUGMENTATION = ("flip", "translate", "padding_mode", "cutout")  # with a data set
PACKAGES = ("thinnet", "numpy", "numba", "safetensors")


@dataclass(frozen=True)
class Result:
    """The result of a run."""

    history: History
    val_accuracy: float | None
    test_accuracy: float | None
    stop_reason: str | None
    measure: str = "accuracy"  # or R², if the targets are not labels

    def table(self) -> str:
        """One line for each available number."""
        accuracies = {"validation": self.val_accuracy, "test": self.test_accuracy}
        known = {split: value for split, value in accuracies.items() if value is not None}
        if not known and self.history.train_accuracy:
            known = {"training": self.history.train_accuracy[-1]}
        lines = [f"steps                {len(self.history.loss)}"]
        lines += [f"{f'{split} {self.measure}':<20} {rounded(value)}" for split, value in known.items()]
        if self.stop_reason:
            lines.append(f"stopped early        {self.stop_reason}")
        return "\n".join(lines)


def start(
    config: Config,
    folder: AnyPath,
    log: Log = print,
    *,
    communicator: Any = None,
    command: Command = None,
    compared: bool = False,
    **options: Any,
) -> Result:
    """Train from a config, in a new folder.

    Args:
        config: what to train; if it has no seed, one is drawn and recorded.
        folder: receives config.toml, environment.json, checkpoints, and at the end result.json and net.safetensors, a
            net that takes raw rows; after a numerical error, failure.txt instead.
        log: called with each line of output.
        communicator: an mpi4py communicator, whose processes train together; only rank 0 writes to its folder.
        command: the command line to record, word by word; by default that of this process.
        compared: whether this is one of several runs, of which others may use what this one ignores.
        options: verbose and progress, as for `thinnet.Solver`.

    Raises:
        ArgumentError: if the config has an option that is ignored.
        CheckpointError: if the folder already has a run or other files, or cannot be written.
        DataError: if the data cannot be found or read.
        NumericalError: if a loss becomes NaN or infinite.
    """
    folder, processes = check_path("folder", folder), ProcessGroup(communicator)
    if processes.rank == 0:
        _check_new(folder)
    if not compared:
        check_used([check_config(config)])
    config = processes.from_first(check_config(config).resolved())
    data = load(config, processes)
    # This creates the folder, and fails if it cannot be written.
    solver = _solver(config, data, folder, communicator=communicator, **options)
    if processes.rank == 0:
        surroundings = environment(solver) | {"config": _plain(config)}
        surroundings |= {} if command is None else {"command": list(command)}
        write_atomically(folder / ENVIRONMENT, json.dumps(surroundings, indent=2).encode())
        explained = config.to_toml(explained=True)
        write_atomically(folder / CONFIG, explained.encode())  # last: a folder with it can be resumed
        log(explained)
    return _finish(solver, data, folder, config)


def _check_new(folder: Path) -> None:
    if (folder / CONFIG).exists():
        raise CheckpointError(
            f"{folder} must be a new folder, got one with a run. Continue it with: thinnet resume "
            f"{folder}. Or choose another folder."
        )
    if not folder.exists():
        return
    if not folder.is_dir():
        raise CheckpointError(f"{folder} must be a new folder, got a file. Choose another name.")
    for name in sorted(path.name for path in folder.iterdir()):
        if name != ENVIRONMENT and not name.startswith("."):  # left by a run that was killed before its first step
            raise CheckpointError(
                f"{folder} must be a new or an empty folder, got one with {name}. Choose another one."
            )


def resume(folder: AnyPath, *, communicator: Any = None, **options: Any) -> Result:
    """Resume a run from its newest checkpoint, or from the start if it has none yet.

    Args:
        folder: the folder of the run.
        communicator: as for `start`; the number of processes may differ from before.
        options: settings that may change, such as verbose and progress; see `thinnet.Solver.resume`.

    Raises:
        CheckpointError: if the folder has no run, its config was changed, or its checkpoint is damaged or belongs to
            different data.
        DataError: if the data cannot be found or read.
    """
    folder = check_path("folder", folder)
    if not (folder / CONFIG).is_file():
        raise no_run(folder, "the folder of a run", f"a folder without {CONFIG}", WHERE, CONFIG)
    processes = ProcessGroup(communicator)
    config, begun = processes.from_first((read_config(folder), any(folder.glob(SAVED))))
    data = load(config, processes)
    if begun:
        solver = Solver.resume(folder, data, communicator=communicator, **options)
        _check_own(folder, solver, _solver(config, data, None, communicator=communicator))
    else:
        solver = _solver(config, data, folder, communicator=communicator, **options)
    return _finish(solver, data, folder, config)


def _check_own(folder: Path, resumed: Solver, begun: Solver) -> None:
    """Raise CheckpointError if the resumed solver differs from a new solver built from the config."""
    pairs = zip(_settings(begun), _settings(resumed), strict=True)
    differing = [name for one, other in pairs for name in {**one, **other} if one.get(name) != other.get(name)]
    if differing:
        raise CheckpointError(
            f"{folder} must have checkpoints of its own run, got those of a run with a different "
            f"{', '.join(dict.fromkeys(differing))}. Remove the {SAVED} files to start over, or put the original ones "
            f"back."
        )


def _settings(solver: Solver) -> tuple[dict[str, Any], ...]:
    """The settings of the net and those of training, separately, since they share some names."""
    options = {name: value for name, value in solver.options.items() if name not in CHANGEABLE}
    return solver.model.config(), options, {SCHEDULED[name]: each for name, each in solver.schedules.items()}


def start_or_resume(
    config: Config,
    folder: AnyPath,
    log: Log = print,
    command: Command = None,
    *,
    compared: bool = False,
    **options: Any,
) -> Result:
    """`start` in a new folder, or `resume` if it has a run of the same config.

    Args:
        config, folder, log, command, compared: as for `start`.
        options: verbose and progress, as for `thinnet.Solver`.

    Raises:
        ArgumentError: as for `start`.
        CheckpointError: if the folder has a different run.
    """
    folder = check_path("folder", folder)
    if not (folder / CONFIG).exists():
        return start(config, folder, log, command=command, compared=compared, **options)
    if replace(read_config(folder), root="") != replace(config.resolved(), root=""):
        raise CheckpointError(
            f"{folder} must be a new folder, or have a run of the same config, got one of a different config. Choose "
            f"another folder."
        )
    return resume(folder, **options)


def read_config(folder: AnyPath) -> Config:
    """The config of a run, which must be the one it began with; only the location of the data may have changed.

    Raises:
        CheckpointError: if it was changed; it says what differs.
    """
    folder = check_path("folder", folder)
    config = Config.from_toml(folder / CONFIG)
    now, begun = _plain(config), _begun_with(folder)
    movable = {"root", "data"} if config.is_file else {"root"}
    changed = [name for name in now if name not in movable and begun.get(name, now[name]) != now[name]]
    if changed:
        before = ", ".join(f"{name} = {begun[name]!r}" for name in changed)
        raise CheckpointError(
            f"{folder / CONFIG} must be as it was when the run began, got a different {', '.join(changed)}. Put back "
            f"{before}; or start a new run: thinnet train --config {folder / CONFIG} --output FOLDER"
        )
    return config


def _begun_with(folder: Path) -> dict[str, Any]:
    """The config saved with the run's environment; empty if that file is missing."""
    try:
        return dict(json.loads((folder / ENVIRONMENT).read_bytes())["config"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _plain(config: Config) -> dict[str, Any]:
    """The fields after a round trip through JSON."""
    return dict(json.loads(json.dumps(asdict(config))))


def load(config: Config, processes: ProcessGroup | None = None) -> Dataset:
    """The data of a config, standardized and augmented; with several processes, this one's share.

    If training uses all rows of a file, each process reads only its share into memory.

    Raises:
        DataError: if the data cannot be found or read, or do not fit together.
        ArgumentError: if the name is unknown, or there are fewer training rows than requested.
        OSError: if a file cannot be opened.
    """
    processes = processes or ProcessGroup()
    share = (processes.rank, processes.size) if processes.size > 1 and not config.num_train else None
    if config.is_file:
        if config.root:
            raise ArgumentError(
                f"root must be left out if data is a file, since it is where named data sets are, got "
                f"root={config.root!r}. Give the file's whole path as data."
            )
        data = load_npz(check_path("data", config.data), share)
    else:
        data = catalog.load(_known(config.data), config.root or None, share)
    if config.num_train:
        drawn = config.data_seed >= 0
        data = data.drawn(config.num_train, config.data_seed) if drawn else data.first(config.num_train)
    data = share_of(data, processes).standardized(config.standardization, gather=processes.gather)
    options = {name: getattr(config, name) for name in AUGMENTATION}
    return data.augmented(**options, image_shape=config.image_shape or None)


def _known(name: str) -> str:
    try:
        return check_choice("data", name, tuple(catalog.CATALOG))
    except ArgumentError as error:
        table = "; for a table, give a data frame to the estimators of thinnet.sklearn" if Path(name).suffix else ""
        raise ArgumentError(f"{error} Or name a file of arrays, NAME.npz{table}.") from None


def environment(solver: Solver) -> dict[str, Any]:
    """What a run depends on besides its config: versions, machine, the data's hashes and kind, the command."""
    return {
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "machine": {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()}
        | {"products": solver.model.products},
        "data": solver.fingerprint,
        "measure": solver.state.measure,
        "command": sys.argv[1:],
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def net_of(config: Config, data: Dataset) -> FullyConnectedNet:
    """The net that a config describes, for these data."""
    given = {name: getattr(config, name) for name in FIELDS if hasattr(config, name)}
    if config.loss == AUTO:
        del given["loss"]
    none = {name: None for name in ("normalization", "precision") if getattr(config, name) == NONE}
    return FullyConnectedNet.for_data(data, **{**given, **none})


def _solver(config: Config, data: Dataset, folder: Path | None, **options: Any) -> Solver:
    try:
        return Solver(
            net_of(config, data),
            data,
            **{name: getattr(config, name) for name in SOLVED},
            optimizer_options={"weight_decay": config.weight_decay} if config.decays else None,
            schedule=_schedule(config.schedule, config),
            weight_decay_schedule=_schedule(config.weight_decay_schedule, config),
            patience=config.patience or None,
            ema_decay=config.ema_decay or None,
            checkpoint_dir=folder,
            **options,
        )
    except (ArgumentError, DataError) as error:
        if config.is_file and str(error).startswith(("X_", "y_")):
            error.args = (f"In {config.data}, {error}",)
        raise


def _schedule(name: str, config: Config) -> str | Schedule | None:
    """A schedule as the solver takes it; None for a constant one, so that optimizers without weight decay accept it."""
    if name == "constant":
        return None
    return EpochDecay(config.decay) if name == "epoch_decay" else name


def _finish(solver: Solver, data: Dataset, folder: Path, config: Config) -> Result:
    try:
        history = solver.train()
    except NumericalError as error:
        if solver.processes.rank == 0:
            write_atomically(folder / FAILURE, str(error).encode())
        again = (
            "Training is deterministic: resumed or repeated, it fails in the same step. Change a setting, for example:"
        )
        lower = min(config.learning_rate / 10, OPTIMIZERS[config.optimizer].defaults["learning_rate"])
        error.args = (f"{error} {again} thinnet train --config {folder / CONFIG} --learning-rate {lower:g}",)
        raise
    result = Result(
        history,
        solver.best_val_accuracy if data.total_rows("val") else None,
        solver.accuracy("test") if data.total_rows("test") else None,
        solver.stop_reason,
        solver.state.measure,
    )
    if solver.processes.rank == 0:
        solver.model.save(folder / NET, data.standardization)
        write_atomically(folder / RESULT, json.dumps({**vars(result), "history": vars(history)}).encode())
        (folder / FAILURE).unlink(missing_ok=True)  # of an earlier attempt, on another machine
    return result
