"""A run's checkpoint folder: its content at each time, and that two runs never share it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from interrupted_runs import STEPS, files, interrupted, make_data, make_net, make_solver
from thinnet import Callback, Solver
from thinnet.errors import CheckpointError
from thinnet.storage.checkpoint import saved
from thinnet.training.state import TrainingState


def test_the_newest_checkpoints_stay_and_old_ones_go(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    class Watching(Callback):
        def on_step(self, state: TrainingState) -> None:
            seen.append(files(tmp_path))

    make_solver(make_net(), make_data(), checkpoint_dir=tmp_path, checkpoint_every=1, callbacks=[Watching()]).train()
    assert [len(names) for names in seen] == [0, 1, 2] + [2] * 9
    assert files(tmp_path) == ["step-000000011.safetensors", "step-000000012.safetensors"]


@pytest.mark.parametrize(("every", "steps"), [(None, [8, 12]), (5, [10, 12]), (100, [12])])
def test_checkpoints_are_written_when_they_are_due_and_at_the_end(
    every: int | None, steps: list[int], tmp_path: Path
) -> None:
    solver = make_solver(make_net(), make_data(), checkpoint_dir=tmp_path, checkpoint_every=every)
    solver.train()
    assert list(saved(tmp_path)) == steps


def test_other_files_are_left_alone_and_leftovers_of_a_killed_run_are_not(tmp_path: Path) -> None:
    leftover = tmp_path / ".step-000000004.safetensors.x1y2"
    for path in (leftover, tmp_path / "notes.txt", tmp_path / "step-1.txt", tmp_path / ".hidden"):
        path.write_bytes(b"half of a che")
    interrupted(tmp_path)
    assert files(tmp_path) == [
        ".hidden",
        "notes.txt",
        "step-000000005.safetensors",
        "step-000000006.safetensors",
        "step-1.txt",
    ]


@pytest.mark.skipif(os.name != "posix", reason="permissions and umask are POSIX's")
def test_permissions_are_those_of_the_umask(tmp_path: Path) -> None:
    umask = 0o027
    before = os.umask(umask)
    try:
        interrupted(tmp_path / "new" / "run")
    finally:
        os.umask(before)
    for path in [tmp_path / "new" / "run", *(tmp_path / "new" / "run").iterdir()]:
        every = 0o777 if path.is_dir() else 0o666
        assert stat.S_IMODE(path.stat().st_mode) == every & ~umask, path


def test_a_disk_that_is_full_from_the_first_is_said_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    solver = make_solver(make_net(), make_data(), checkpoint_dir=tmp_path, checkpoint_every=1)
    monkeypatch.setattr("thinnet.storage.files.os.fsync", full)
    with pytest.raises(CheckpointError, match=r"\(No space left on device\)\. .* There is no checkpoint yet; fix that"):
        solver.train()
    assert files(tmp_path) == []


def test_a_folder_with_another_run_is_refused(tmp_path: Path) -> None:
    interrupted(tmp_path)
    text = r"must not hold checkpoints of another run, got .* with step 6\. Continue that run with Solver\.resume\('"
    with pytest.raises(CheckpointError, match=text):
        make_solver(make_net(), make_data(), checkpoint_dir=tmp_path)


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/below"])
def test_a_folder_that_cannot_be_is_found_before_training(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match=r"checkpoint_dir must be a folder that can be written, got .* Choose"):
        make_solver(make_net(), make_data(), checkpoint_dir=tmp_path / place)


@pytest.mark.parametrize("place", ["", "nowhere", "file"])
def test_a_folder_without_a_checkpoint_is_refused(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        CheckpointError,
        match=r"must be a folder with a checkpoint, got (one without|no such folder|a file)\. Name the run's checkp",
    ):
        Solver.resume(tmp_path / place, make_data())


def test_two_solvers_at_once_in_a_folder_are_refused(tmp_path: Path) -> None:
    second = make_solver(make_net(), make_data(), checkpoint_dir=tmp_path)
    refused: list[str] = []

    class Rival(Callback):
        def on_step(self, state: TrainingState) -> None:
            with pytest.raises(
                CheckpointError, match="must be used by one run at a time, but another one is training"
            ) as e:
                second.train()
            refused.append(str(e.value))

    make_solver(make_net(), make_data(), checkpoint_dir=tmp_path, callbacks=[Rival()]).train()
    assert len(refused) == STEPS
    assert second.iteration == 0


def test_two_solvers_in_turn_do_not_mix_their_checkpoints(tmp_path: Path) -> None:
    first, second = (make_solver(make_net(), make_data(), checkpoint_dir=tmp_path) for _ in range(2))
    first.train()
    before = files(tmp_path)
    with pytest.raises(
        CheckpointError, match=r"of another run, got .* with step 12, which another run has written in "
    ):
        second.train()
    assert files(tmp_path) == before
    first.train(epochs=1)  # its own checkpoints do not stop it
    assert max(saved(tmp_path)) == 16


def test_two_resumed_runs_in_turn_do_not_either(tmp_path: Path) -> None:
    interrupted(tmp_path)
    first, second = (Solver.resume(tmp_path, make_data()) for _ in range(2))
    first.train()
    with pytest.raises(CheckpointError, match="which another run has written in the meantime"):
        second.train()
