"""A disk that fills up during a save: the error says so, and the previous checkpoint stays intact."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import training
from figures import Figure
from thinnet import Callback
from thinnet.errors import CheckpointError
from thinnet.training.state import TrainingState

SAID = 7  # the exit status of a child that got the documented error


def run(share: float) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "run")
        _interrupted_run(folder)
        size = max(path.stat().st_size for path in folder.glob("step-*"))
        tries = max(3, round(100 * share))
        limits = sorted({0, 1, 7, 8, 9, size - 1, *(size * k // tries for k in range(tries))})
        for limit in limits:
            _check_limit(folder, limit)
        _check_end(folder)
    result = "each time the documented error, the checkpoint before it whole, nothing left behind, and the run resumed"
    yield Figure("a save cut off by a limit of the file size", f"{len(limits):,} limits", result)
    yield _on_a_full_file_system()


class _Stop(Callback):
    def on_step(self, state: TrainingState) -> None:
        if state.iteration == 9:
            raise InterruptedError


def _interrupted_run(folder: Path) -> None:
    solver = training.solver("element", folder)
    solver.callbacks.append(_Stop())
    try:
        solver.train()
    except InterruptedError:
        return


def _check_limit(folder: Path, limit: int) -> None:
    """Continue in a child process with a file size limit; the next save must fail with the documented error."""
    before = {path.name: path.read_bytes() for path in folder.glob("*step-*")}

    def work() -> int:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        return _status_of_training(folder)

    assert _status(work) == SAID
    assert {path.name: path.read_bytes() for path in folder.glob("*step-*")} == before


def _status_of_training(folder: Path) -> int:
    try:
        training.go_on("element", folder).train()
    except CheckpointError as error:
        if "must be" in str(error):
            return SAID
    return 0


def _status(work: object) -> int:
    assert callable(work)
    _, status = os.waitpid(training.in_child(work), 0)
    return os.waitstatus_to_exitcode(status)


def _check_end(folder: Path) -> None:
    finished = training.go_on("element", folder)
    finished.train()
    assert training.outcome(finished) == training.uninterrupted("element")


def _on_a_full_file_system() -> Figure:
    """Save on a tmpfs with room for a few checkpoints, if one can be mounted."""
    fault = "a save on a tmpfs that is full"
    with tempfile.TemporaryDirectory() as name:
        options = ["-t", "tmpfs", "-o", "size=400k", "none", name]
        mount = shutil.which("mount")
        if mount is None or subprocess.run([mount, *options], capture_output=True, check=False).returncode:
            return Figure(fault, "none", "no tmpfs could be mounted here; the limit of the file size stands for it")
        try:
            folder = Path(name, "run")
            _interrupted_run(folder)
            filler = Path(name, "filler")
            filler.write_bytes(bytes(shutil.disk_usage(name).free - 8192))
            before = {path.name: path.read_bytes() for path in folder.glob("*step-*")}
            assert _status(lambda: _status_of_training(folder)) == SAID
            assert {path.name: path.read_bytes() for path in folder.glob("*step-*")} == before
            filler.unlink()
            _check_end(folder)
        finally:
            subprocess.run(["umount", name], check=True)
    return Figure(fault, "1 time", "the documented error, the checkpoint before it whole, and the run resumed")
