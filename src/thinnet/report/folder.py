"""What the folder of a run says: its config, its surroundings, its history and its result."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from thinnet import checkpoint, runs
from thinnet.config import Config
from thinnet.errors import CheckpointError
from thinnet.history import History


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
    environment = _read_json(folder / runs.ENVIRONMENT) if (folder / runs.ENVIRONMENT).is_file() else {}
    if (folder / runs.RESULT).is_file():
        path = folder / runs.RESULT
        try:
            return Run(folder, config, environment, finished=True, **_result(_read_json(path)))
        except (KeyError, TypeError) as error:
            raise _damaged(path, f"{type(error).__name__} {error}") from None
    return Run(folder, config, environment, _history_so_far(folder))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise _damaged(path, str(error)) from None
    if not isinstance(content, dict):
        raise _damaged(path, f"a {type(content).__name__}")
    return content


def _damaged(path: Path, came: str) -> CheckpointError:
    return CheckpointError(
        f"{path} must be what a run wrote, got {came}. Remove it, and write it anew by: thinnet resume {path.parent}"
    )


def _result(content: dict[str, Any]) -> dict[str, Any]:
    names = ("val_accuracy", "test_accuracy", "stop_reason")
    lists = {one.name: list(content["history"][one.name]) for one in fields(History)}
    return {"history": History(**lists), **{name: content[name] for name in names}}


def _history_so_far(folder: Path) -> History:
    """What the newest checkpoint of an unfinished run has recorded."""
    if not any(folder.glob("step-*.safetensors")):
        return History()
    return checkpoint.history_of(checkpoint.newest(folder))
