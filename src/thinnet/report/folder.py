"""What the folder of a run says: its config, its surroundings, its history and its result."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from thinnet import runs
from thinnet.config import Config
from thinnet.errors import CheckpointError
from thinnet.history import History
from thinnet.storage import checkpoint


@dataclass(frozen=True)
class Run:
    """One run, finished or not; what it has not yet reached is None or empty."""

    folder: Path
    config: Config
    environment: dict[str, Any] = field(default_factory=dict)
    history: History = field(default_factory=History)
    val_accuracy: float | None = None
    test_accuracy: float | None = None
    stop_reason: str | None = None
    finished: bool = False


def find_runs(folders: Iterable[Path]) -> list[Run]:
    """The runs in folders, each the folder of a run, or one that has such folders in it.

    Raises:
        CheckpointError: if a folder has no run in it, or a file of a run is damaged.
    """
    found = [read_run(path) for folder in folders for path in _run_folders(folder)]
    return list({run.folder.resolve(): run for run in found}.values())


def _run_folders(folder: Path) -> list[Path]:
    if (folder / runs.CONFIG).is_file():
        return [folder]
    inside = sorted(path.parent for path in folder.glob(f"*/{runs.CONFIG}"))
    if not inside:
        raise CheckpointError(
            f"{folder} must be the folder of a run, or of several, got one without {runs.CONFIG}. "
            f"Name the --output of thinnet train."
        )
    return inside


def read_run(folder: Path) -> Run:
    """Read one run.

    Raises:
        CheckpointError: if one of its files is damaged.
    """
    config = Config.from_toml(folder / runs.CONFIG)
    environment = _environment(folder / runs.ENVIRONMENT) if (folder / runs.ENVIRONMENT).is_file() else {}
    if (folder / runs.RESULT).is_file():
        path = folder / runs.RESULT
        try:
            return Run(folder, config, environment, finished=True, **_result(_read_json(path)))
        except (KeyError, TypeError, ValueError) as error:
            came = str(error) if isinstance(error, ValueError) else f"{type(error).__name__} {error}"
            raise _damaged(path, came, f"write it anew by: thinnet resume {folder}") from None
    return Run(folder, config, environment, _history_so_far(folder))


def _environment(path: Path) -> dict[str, Any]:
    try:
        content = _read_json(path)
        for name in ("versions", "machine", "data"):
            if not isinstance(content.get(name, {}), dict):
                raise ValueError(f"{name} is no mapping")
    except ValueError as error:
        raise _damaged(path, str(error), "do without what it says of versions and machine") from None
    return content


def _read_json(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_bytes())
    if not isinstance(content, dict):
        raise ValueError(f"a {type(content).__name__}")
    return content


def _damaged(path: Path, came: str, instead: str) -> CheckpointError:
    return CheckpointError(f"{path} must be what a run wrote, got {came}. Remove it, and {instead}")


def _result(content: dict[str, Any]) -> dict[str, Any]:
    lists = {one.name: list(content["history"][one.name]) for one in fields(History)}
    accuracies = {name: content[name] for name in ("val_accuracy", "test_accuracy")}
    numbers = [value for values in lists.values() for value in values]
    for value in (*numbers, *(value for value in accuracies.values() if value is not None)):
        if type(value) not in (int, float):
            raise ValueError(f"{value!r} is no number")
    if not len(lists["epoch"]) == len(lists["train_accuracy"]) == len(lists["seconds"]):
        raise ValueError("the lists of the history differ in length")
    return {"history": History(**lists), **accuracies, "stop_reason": content["stop_reason"]}


def _history_so_far(folder: Path) -> History:
    """What the newest checkpoint of an unfinished run has recorded."""
    if not any(folder.glob("step-*.safetensors")):
        return History()
    return checkpoint.history_of(checkpoint.newest(folder))
