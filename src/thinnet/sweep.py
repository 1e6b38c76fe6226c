"""Sweeps: many runs, each in its own folder, in parallel if wanted; a restarted sweep does only the missing runs."""

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from thinnet import defaults, runs
from thinnet.bars import above, bars
from thinnet.checks import check_choice, check_number, check_path, kind_of
from thinnet.config import Config, check_config, check_used
from thinnet.data.cifar10 import find_cifar10
from thinnet.data.files import unreadable
from thinnet.data.npz import EXPECTED
from thinnet.errors import ArgumentError, CheckpointError, NumericalError, require
from thinnet.products.choose import products
from thinnet.report.folder import Run, read_run
from thinnet.report.groups import differing, shown
from thinnet.statistics import rounded
from thinnet.storage.files import make_folder
from thinnet.typing import AnyPath

BACKENDS = ("loky", "dask")
CHECKPOINT_EVERY = 1000  # steps: the most that an interrupted run loses; short runs start over
LONGEST_NAME = 100  # characters of a folder name; file systems reject more than 255 bytes
PURPOSE = "running side by side"


@dataclass(frozen=True)
class Workers:
    """Where the runs of a sweep are executed.

    Args:
        jobs: how many runs at a time; 1 uses only this process.  A cluster at an address runs one on each thread.
        backend: ``"loky"`` for processes of this machine, or ``"dask"`` for a cluster, whose machines must all see
            the sweep's folder and the data under the same paths.
        address: of the cluster's scheduler, such as ``"tcp://10.0.0.1:8786"``; without it, a local one is started.

    Raises:
        ArgumentError: if a value is invalid.
    """

    jobs: int = 1
    backend: str = "loky"
    address: str = ""

    def __post_init__(self) -> None:
        check_number("jobs", self.jobs)
        check_choice("backend", self.backend, BACKENDS)
        if self.address and self.backend != "dask":
            raise ArgumentError(
                f"address must be empty with backend={self.backend!r}, got {self.address!r}. Use backend='dask'."
            )

    @property
    def alone(self) -> bool:
        """Whether everything runs in this process."""
        return self.jobs == 1 and self.backend == "loky"


def run(
    configs: Sequence[Config],
    folder: AnyPath,
    workers: Workers = Workers(),
    log: Callable[[str], Any] = lambda text: None,
    progress: bool | None = None,
) -> list[Run]:
    """Train every config whose results are not yet in the folder.

    Args:
        configs: what to train; each needs a seed.
        folder: receives a folder for each run, named after what distinguishes it.
        workers: where the runs are executed.
        log: called with a line of text as each result arrives.
        progress: whether to show progress bars; by default in terminals only.

    Returns:
        All runs, in the order of the configs.

    Raises:
        ArgumentError: if the configs have an option that all of them ignore.
        NumericalError: if runs failed; all other runs finish and are kept.
        DataError: if the data cannot be found or read.
        CheckpointError: if the folder is itself a run, or a run's folder has another run or a damaged checkpoint.
        MissingExtraError: if joblib, or distributed for Dask, is not installed.
        OSError: if the folder cannot be written.
    """
    if isinstance(configs, Config | Mapping | str):
        raise ArgumentError(f"configs must be a list of Configs, got {kind_of(configs)}. Write [Config(epochs=5)].")
    if not isinstance(workers, Workers):
        raise ArgumentError(f"workers must be Workers, got {workers!r}. Write Workers(2), for example.")
    check_used([check_config(config) for config in configs])
    folder, configs = check_path("folder", folder), [config.resolved() for config in configs]
    run_folders = [folder / name for name in names(configs)]
    if (folder / runs.CONFIG).exists():
        raise CheckpointError(f"{folder} must be a folder for several runs, got the folder of one. Choose another.")
    make_folder(folder)
    pairs = zip(configs, run_folders, strict=True)
    missing = [(config, run_folder) for config, run_folder in pairs if not (run_folder / runs.RESULT).is_file()]
    if len(missing) < len(run_folders):
        log(f"{len(run_folders) - len(missing)} of {len(run_folders)} runs are in {folder} already")
    failures = []
    shows = defaults.progress() if progress is None else progress
    with bars()(total=len(missing), unit="run", file=sys.stderr, disable=not shows or len(missing) < 2) as bar:
        for done, (run_folder, failure) in enumerate(_results(missing, workers, shows), start=1):
            failures += [failure] if failure else []
            with above():
                log(f"[{done}/{len(missing)}] {run_folder.name}: {failure or _summary(read_run(run_folder))}")
            bar.update()
    if failures:
        raise NumericalError(
            f"{len(failures)} of {len(configs)} runs failed; the others are kept. {failures[0]} "
            f"To see the others: thinnet report {folder}"
        )
    return [read_run(run_folder) for run_folder in run_folders]


def names(configs: Sequence[Config]) -> list[str]:
    """A folder name for each config: the fields that differ, the seed, and a hash of all that determines the run.

    A data file counts by its contents, so a changed file means new runs.

    Raises:
        DataError: if a data file cannot be read.

    >>> [name[:-9] for name in names([Config(dropout=0.0, seed=1), Config(dropout=0.5, seed=1)])]
    ['dropout-0-seed-1', 'dropout-0.5-seed-1']
    """
    fields = differing(configs)
    files = {config.data for config in configs if config.is_file}
    contents = {data: _digest(Path(data)) for data in files}
    found = []
    for config in configs:
        said = "-".join([*(f"{name}-{shown(getattr(config, name))}" for name in fields), f"seed-{config.seed}"])
        decisive = replace(config, root="", data=contents.get(config.data, config.data)).to_toml()
        digest = hashlib.sha256(decisive.encode()).hexdigest()[:8]
        found.append(f"{said[:LONGEST_NAME].replace('/', '_').replace(' ', '_')}-{digest}")
    return found


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise unreadable(path, EXPECTED, error) from error


def _summary(run: Run) -> str:
    parts = [("best validation", run.val_accuracy), ("test", run.test_accuracy)]
    return ", ".join(f"{name} {rounded(value)}" for name, value in parts if value is not None) or "done"


def _results(missing: Sequence[tuple[Config, Path]], workers: Workers, progress: bool) -> Iterable[tuple[Path, str]]:
    """Each run's folder and its error, empty if it succeeded, as runs finish."""
    if workers.alone or not missing:
        return (_one(config, run_folder, progress) for config, run_folder in missing)
    located = []
    for config, run_folder in missing:
        if config.data == "cifar10" and not config.root:  # workers elsewhere may not find it, or each download it
            config = replace(config, root=str(find_cifar10().absolute()))
        located.append((config, run_folder.absolute()))
    return _side_by_side(located, workers)


def _side_by_side(missing: Sequence[tuple[Config, Path]], workers: Workers) -> Iterator[tuple[Path, str]]:
    joblib = require("joblib", extra="sweep", purpose=PURPOSE)
    require("threadpoolctl", extra="sweep", purpose=PURPOSE)
    with _backend(joblib, workers):
        parallel = joblib.Parallel(n_jobs=workers.jobs, return_as="generator_unordered", batch_size=1)
        yield from parallel(joblib.delayed(_limited)(*pair, sys.argv[1:]) for pair in missing)


@contextmanager
def _backend(joblib: Any, workers: Workers) -> Iterator[None]:
    if workers.backend == "loky":
        with joblib.parallel_config("loky", inner_max_num_threads=1):
            yield
        return
    distributed = require("distributed", extra="dask", purpose="the backend dask")
    local = {} if workers.address else {"n_workers": workers.jobs, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.Client(workers.address or None, **local), joblib.parallel_config("dask"):
        yield


def _limited(config: Config, run_folder: Path, command: Sequence[str]) -> tuple[Path, str]:
    """One run with single-threaded BLAS, since the workers run at the same time."""
    limits = require("threadpoolctl", extra="sweep", purpose=PURPOSE).threadpool_limits
    products()  # load the library now, or the limit would not apply to it
    with limits(limits=1):
        return _one(config, run_folder, progress=False, command=command)


def _one(config: Config, run_folder: Path, progress: bool, command: Sequence[str] | None = None) -> tuple[Path, str]:
    """Start a run, or resume it if it was interrupted."""
    options: dict[str, Any] = {"verbose": False, "progress": progress, "checkpoint_every": CHECKPOINT_EVERY}
    try:
        runs.start_or_resume(config, run_folder, lambda text: None, command=command, compared=True, **options)
    except NumericalError as error:
        return run_folder, str(error)
    return run_folder, ""
