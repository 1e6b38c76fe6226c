"""Event files for TensorBoard: each step and each evaluation once, no matter how often the run was killed."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from thinnet import cli, kernels

QUICK = ["--num-train", "200", "--hidden-dims", "20", "--batch-size", "20", "--seed", "0"]
SCRIPT = """
import os, signal, sys
from thinnet import Solver, cli
step = Solver.step
def killed(self):
    if self.iteration == int(sys.argv[1]): os.kill(os.getpid(), signal.SIGKILL)
    return step(self)
Solver.step = killed
cli.main(sys.argv[2:])
"""


def test_event_files_hold_each_step_and_epoch(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert cli.main(["train", *QUICK, "--epochs", "2", "--output", str(run), "--tensorboard", "--quiet"]) == 0
    history = json.loads((run / "result.json").read_text())["history"]
    scalars = events(run / "tensorboard")
    assert [step for step, _ in scalars["loss"]] == list(range(1, 21))
    assert [value for _, value in scalars["loss"]] == pytest.approx(history["loss"], rel=1e-6)
    assert [value for _, value in scalars["val_accuracy"]] == pytest.approx(history["val_accuracy"], rel=1e-6)


def events(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The scalars in event files, whose records are length, checksum, event, checksum."""
    from tensorboardX.proto.event_pb2 import Event

    scalars: dict[str, list[tuple[int, float]]] = {}
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        while content:
            (length,) = struct.unpack_from("<Q", content)
            event = Event.FromString(content[12 : 12 + length])
            content = content[12 + length + 4 :]
            for value in event.summary.value:
                scalars.setdefault(value.tag, []).append((event.step, value.simple_value))
    return scalars


@pytest.mark.posix
@pytest.mark.usefixtures("without_kernels")  # kernels take longer to load than the run
@pytest.mark.parametrize("at", [5, 13, 27], ids=["before its first checkpoint", "in its second epoch", "in its third"])
def test_a_run_that_was_killed_goes_on_without_a_gap_or_a_repetition(at: int, tmp_path: Path) -> None:
    run = str(tmp_path / "run")
    command = ["train", *QUICK, "--epochs", "4", "--output", run, "--tensorboard", "--quiet"]
    environment = {**os.environ, kernels.SWITCH: "0"}
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(at), *command], env=environment)
    assert done.returncode == -signal.SIGKILL
    (tmp_path / "run" / "tensorboard" / "events.out.tfevents.1.other").write_bytes(b"")  # not ours, so it is left alone
    assert cli.main(["resume", run, "--tensorboard", "--quiet"]) == 0
    history = json.loads((tmp_path / "run" / "result.json").read_text())["history"]
    scalars = events(tmp_path / "run" / "tensorboard")
    assert [step for step, _ in scalars["loss"]] == list(range(1, 41))
    assert [value for _, value in scalars["loss"]] == pytest.approx(history["loss"], rel=1e-6)
    for name in ("train_accuracy", "val_accuracy"):
        assert [step for step, _ in scalars[name]] == [1, 10, 20, 30, 40]
        assert [value for _, value in scalars[name]] == pytest.approx(history[name], rel=1e-6)
    assert len(list((tmp_path / "run" / "tensorboard").iterdir())) == 2
    before = scalars
    assert cli.main(["resume", run, "--tensorboard", "--quiet"]) == 0  # nothing left to train
    assert events(tmp_path / "run" / "tensorboard") == before
