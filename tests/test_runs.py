"""Runs from the command line: train, resume, repeat."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from thinnet import FullyConnectedNet, cli, kernels

QUICK = ["--num-train", "300", "--hidden-dims", "20", "--epochs", "4", "--batch-size", "30", "--quiet"]


def train(folder: Path, *options: str) -> int:
    return cli.main(["train", "--output", str(folder), *QUICK, *options])


def weights(folder: Path) -> bytes:
    return FullyConnectedNet.load(folder / "net.safetensors").params.flat.tobytes()


def test_a_run_leaves_all_that_it_takes_to_repeat_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(tmp_path / "one", "--dropout", "0.2", "--schedule", "one_cycle") == 0
    printed = capsys.readouterr().out
    assert "validation accuracy" in printed
    assert "test accuracy" in printed
    environment = json.loads((tmp_path / "one" / "environment.json").read_text())
    assert environment["versions"]["numpy"] == np.__version__
    assert len(environment["data"]["X_train"]) == 64
    again = ["train", "--config", str(tmp_path / "one" / "config.toml"), "--output", str(tmp_path / "two"), "--json"]
    assert cli.main(again) == 0
    printed = json.loads(capsys.readouterr().out)
    assert weights(tmp_path / "one") == weights(tmp_path / "two")
    assert printed["val_accuracy"] == json.loads((tmp_path / "one" / "result.json").read_text())["val_accuracy"]


def test_options_stand_above_the_config(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("dropout = 0.3\nseed = 5\n")
    assert train(tmp_path / "run", "--config", str(tmp_path / "config.toml"), "--seed", "6") == 0
    written = (tmp_path / "run" / "config.toml").read_text()
    assert "dropout = 0.3" in written
    assert "seed = 6" in written


def test_arrays_in_a_file_are_data(tmp_path: Path) -> None:
    X = np.random.default_rng(0).standard_normal((200, 3))
    y = (X[:, 0] > 0).astype(int)
    np.savez(tmp_path / "data.npz", X_train=X, y_train=y, X_val=X[:50], y_val=y[:50])
    command = ["train", "--data", str(tmp_path / "data.npz"), "--output", str(tmp_path / "run"), "--epochs", "20"]
    assert (
        cli.main(
            [*command, "--quiet", "--batch-size", "20", "--hidden-dims", "20", "--seed", "0", "--learning-rate", "0.01"]
        )
        == 0
    )
    assert json.loads((tmp_path / "run" / "result.json").read_text())["val_accuracy"] > 0.9


# In a step, the process sends itself the signal of a user's Ctrl-C or of a kill.
INTERRUPTED = """
import os, signal, sys
from thinnet import Solver, cli
signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored in the background of a shell
step = Solver.step
def interrupted(self):
    if self.iteration == 23:
        os.kill(os.getpid(), int(sys.argv[1]))
    return step(self)
Solver.step = interrupted
sys.exit(cli.main(["train", *sys.argv[2:]]))
"""


@pytest.mark.posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
@pytest.mark.usefixtures("without_kernels")  # kernels take longer to load than the runs
def test_a_run_that_was_interrupted_is_resumed_to_the_same_net(name: str, tmp_path: Path) -> None:
    what = signal.Signals[name]
    options = ["--seed", "1", "--epochs", "8"]
    assert train(tmp_path / "whole", *options) == 0
    command = [sys.executable, "-c", INTERRUPTED, str(int(what)), "--output", str(tmp_path / "cut"), *QUICK, *options]
    environment = {**os.environ, kernels.SWITCH: "0"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    if what in (signal.SIGINT, signal.SIGTERM):
        assert done.returncode == 128 + what, done.stderr
        assert "finishing this step and saving" in done.stderr
        told = f"step-000000024.safetensors after step 24 of 80. Continue with: thinnet resume {tmp_path / 'cut'}\n"
        assert told in done.stderr
        assert "Traceback" not in done.stderr
    else:
        assert done.returncode == -what, done.stderr
    assert not (tmp_path / "cut" / "result.json").exists()
    assert cli.main(["resume", str(tmp_path / "cut"), "--quiet"]) == 0
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")
    results = [json.loads((tmp_path / name / "result.json").read_text()) for name in ("cut", "whole")]
    for result in results:
        del result["history"]["seconds"]
    assert results[0] == results[1]


def test_a_run_killed_before_its_first_checkpoint_is_resumed_from_its_beginning(tmp_path: Path) -> None:
    assert train(tmp_path / "run", "--seed", "2") == 0
    before = weights(tmp_path / "run")
    for path in (tmp_path / "run").glob("*.safetensors"):
        path.unlink()
    assert cli.main(["resume", str(tmp_path / "run"), "--quiet"]) == 0
    assert weights(tmp_path / "run") == before


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    assert train(tmp_path / "run", "--patience", "1", "--epochs", "60", "--seed", "0") == 0
    before, steps = weights(tmp_path / "run"), sorted(path.name for path in (tmp_path / "run").iterdir())
    assert "not risen" in json.loads((tmp_path / "run" / "result.json").read_text())["stop_reason"]
    assert cli.main(["resume", str(tmp_path / "run"), "--quiet"]) == 0
    assert weights(tmp_path / "run") == before
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == steps


def test_a_training_that_diverged_ends_with_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command was valid, but training failed; resumed, it fails in the same step, and the message says so."""
    assert train(tmp_path / "run", "--learning-rate", "1e9", "--optimizer", "sgd", "--seed", "0") == 1
    said = capsys.readouterr().err
    assert re.search(r"In step \d+, the loss became nan", said)
    assert "Training is deterministic: resumed or repeated, it fails in the same step." in said
    assert f"example: thinnet train --config {tmp_path}/run/config.toml --learning-rate 0.01\n" in said
    assert cli.main(["resume", str(tmp_path / "run"), "--quiet"]) == 1
    assert capsys.readouterr().err == said


def test_a_folder_with_a_run_is_not_trained_in_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(tmp_path / "run") == 0
    assert train(tmp_path / "run") == 2
    assert "must be a new folder, got one with a run" in capsys.readouterr().err


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run").touch()
    assert train(tmp_path / "run") == 2
    assert "run must be a new folder, got a file. Choose another name." in capsys.readouterr().err


def test_where_checkpoints_are_damaged_only_a_whole_one_is_recommended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path / "run") == 0
    older, newer = sorted((tmp_path / "run").glob("step-*"))
    newer.write_bytes(newer.read_bytes()[:100])
    assert cli.main(["resume", str(tmp_path / "run")]) == 2
    assert f"Remove {newer.name} to go on from {older.name} instead." in capsys.readouterr().err
    older.write_bytes(older.read_bytes()[:100])
    assert cli.main(["resume", str(tmp_path / "run")]) == 2
    assert "No other checkpoint in" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off", "an array alone"])
def test_a_file_that_is_no_archive_of_arrays_is_refused(
    content: bytes | str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "data.npz"
    with path.open("wb") as file:
        if isinstance(content, bytes):
            file.write(content)
        else:
            np.save(file, np.zeros((2, 2)))
    assert cli.main(["train", "--data", str(path), "--output", str(tmp_path / "run"), "--quiet"]) == 2
    assert "data.npz must be a file of arrays as numpy.savez writes it, got" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_what_came_of_regression_is_called_r_squared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    X = np.random.default_rng(0).standard_normal((60, 3)).astype(np.float32)
    np.savez(tmp_path / "data.npz", X_train=X[:40], y_train=X[:40, :2], X_val=X[40:], y_val=X[40:, :2])
    train = ["train", "--data", str(tmp_path / "data.npz"), "--output", str(tmp_path / "run"), "--quiet"]
    assert cli.main([*train, "--epochs", "2", "--batch-size", "20"]) == 0
    said = capsys.readouterr().out
    assert "validation R²" in said
    assert "accuracy" not in said


def test_without_other_rows_the_training_accuracy_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    X = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
    np.savez(tmp_path / "data.npz", X_train=X, y_train=(X[:, 0] > 0).astype(int))
    train = ["train", "--data", str(tmp_path / "data.npz"), "--epochs", "2", "--batch-size", "20"]
    assert cli.main([*train, "--output", str(tmp_path / "run"), "--quiet"]) == 0
    assert re.search(r"^training accuracy    [01]\.\d{3}$", capsys.readouterr().out, re.MULTILINE)
    assert cli.main([*train, "--output", str(tmp_path / "other"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 4


def test_a_config_that_was_changed_is_refused_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Otherwise the net would continue unchanged, and the report would describe a run that never happened."""
    assert train(tmp_path / "run", "--dropout", "0.5") == 0
    path = tmp_path / "run" / "config.toml"
    written = path.read_text()
    path.write_text("# a remark\n" + written)
    assert cli.main(["resume", str(tmp_path / "run"), "--quiet"]) == 0
    path.write_text(written.replace("dropout = 0.5", "dropout = 0.4"))
    capsys.readouterr()
    for command in ("resume", "report"):
        assert cli.main([command, str(tmp_path / "run")]) == 2
        said = capsys.readouterr().err
        assert (
            "config.toml must be as it was when the run began, got a different dropout. Put back dropout = 0.5;" in said
        )


def test_data_that_moved_are_no_changed_config(tmp_path: Path) -> None:
    X = np.random.default_rng(0).standard_normal((60, 3)).astype(np.float32)
    np.savez(tmp_path / "old.npz", X_train=X, y_train=(X[:, 0] > 0).astype(int))
    command = ["train", "--data", str(tmp_path / "old.npz"), "--epochs", "2", "--batch-size", "20", "--quiet"]
    assert cli.main([*command, "--output", str(tmp_path / "run")]) == 0
    (tmp_path / "old.npz").rename(tmp_path / "new.npz")
    path = tmp_path / "run" / "config.toml"
    path.write_text(path.read_text().replace("old.npz", "new.npz"))
    assert cli.main(["resume", str(tmp_path / "run"), "--quiet"]) == 0
