"""Reading a run's folder: config, environment, history and result."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thinnet import runs
from thinnet.checks import check_path, kind_of
from thinnet.config import Config
from thinnet.errors import CheckpointError
from thinnet.history import History
from thinnet.storage import checkpoint
from thinnet.typing import AnyPath


@dataclass(frozen=True)
class Run:
    """One run, finished or not; results that it does not have yet are None or empty.

    If it has a `stop_reason` although it is not finished, a numerical error ended it.
    """

    folder: Path
    config: Config
    environment: dict[str, Any] = field(default_factory=dict)
    history: History = field(default_factory=History)
    val_accuracy: float | None = None
    test_accuracy: float | None = None
    stop_reason: str | None = None
    finished: bool = False

    @property
    def name(self) -> str:
        """The name of the run's folder."""
        return self.folder.resolve().name


def find_runs(folders: Iterable[AnyPath]) -> list[Run]:
    """The runs in these folders, each the folder of a run or one that contains such folders; each run once.

    Raises:
        CheckpointError: if a folder has no run, or a file of a run is damaged.
    """
    by_path = {path.resolve(): path for folder in folders for path in _run_folders(check_path("folders", folder))}
    return [read_run(path) for path in by_path.values()]


def _run_folders(folder: Path) -> list[Path]:
    """The folder itself if it has a run, or else all folders below it that have one, except hidden ones."""
    if (folder / runs.CONFIG).is_file():
        return [folder]
    configs = {*folder.glob(f"*/{runs.CONFIG}"), *folder.rglob(runs.CONFIG)}  # glob follows links, rglob does not
    shown = [path for path in configs if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    if shown:
        return sorted(path.parent for path in shown)
    below = sum(path.is_dir() for path in folder.rglob("*"))
    looked = f"a folder without {runs.CONFIG} in it" + (f" or in any of the {below} folders below it" if below else "")
    raise checkpoint.no_run(folder, "the folder of a run, or of several", looked, runs.WHERE, runs.CONFIG)


def read_run(folder: AnyPath) -> Run:
    """Read one run.

    Raises:
        CheckpointError: if one of its files is damaged, or its config was changed.
    """
    folder = check_path("folder", folder)
    config = runs.read_config(folder)
    surroundings, result = folder / runs.ENVIRONMENT, folder / runs.RESULT
    instead = "go without its record of versions and machine"
    environment = _read(surroundings, _environment, instead) if surroundings.is_file() else {}
    if result.is_file():
        found = _read(result, _result, f"write it again with: thinnet resume {folder}")
        return Run(folder, config, environment, finished=True, **found)
    begun, failure = any(folder.glob(checkpoint.SAVED)), folder / runs.FAILURE
    history = checkpoint.history_of(checkpoint.newest(folder)) if begun else History()
    reason = failure.read_text(encoding="utf-8", errors="replace") if failure.is_file() else None
    return Run(folder, config, environment, history, stop_reason=reason and _in_short(reason))


def _in_short(failure: str) -> str:
    """The first sentence of a numerical error: the step, and what was wrong in it."""
    sentence = failure.partition(". ")[0]
    return f"with a numerical error: {sentence[:1].lower()}{sentence[1:]}"


def _read(path: Path, checked: Callable[[dict[str, Any]], dict[str, Any]], instead: str) -> dict[str, Any]:
    """The contents of a JSON file, after checking that a run could have written them."""
    try:
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict):
            raise ValueError(kind_of(content))
        return checked(content)
    except (KeyError, TypeError, ValueError) as error:
        came = {json.JSONDecodeError: f"invalid JSON ({error})", KeyError: f"no entry {error}"}.get(type(error), error)
        raise CheckpointError(f"{path} must be what a run wrote, got {came}. Remove it, and {instead}") from None


def _environment(content: dict[str, Any]) -> dict[str, Any]:
    for name in ("versions", "machine", "data"):
        if not isinstance(content.get(name, {}), dict):
            raise ValueError(f"{name} is not a mapping")
    return content


def _result(content: dict[str, Any]) -> dict[str, Any]:
    history = checkpoint.checked_history({"val_loss": [], **content["history"]})  # the first version had none
    accuracies = {name: content[name] for name in ("val_accuracy", "test_accuracy")}
    for name, value in accuracies.items():
        if value is not None:
            checkpoint.number(name, value)
    return {"history": history, **accuracies, "stop_reason": content["stop_reason"]}
