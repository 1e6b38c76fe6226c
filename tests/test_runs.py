"""Runs by the command line: train, resume, repeat."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thinnet import FullyConnectedNet, cli
from thinnet.storage.sealed import read_sealed

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
    figures = json.loads(capsys.readouterr().out)
    assert weights(tmp_path / "one") == weights(tmp_path / "two")
    assert figures["val_accuracy"] == json.loads((tmp_path / "one" / "result.json").read_text())["val_accuracy"]


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
        cli.main([*command, "--quiet", "--batch-size", "20", "--hidden-dims", "20", "--seed", "0", "--dropout", "0"])
        == 0
    )
    assert json.loads((tmp_path / "run" / "result.json").read_text())["val_accuracy"] > 0.9


def test_a_run_that_was_interrupted_by_hand_is_resumed_to_the_same_net(tmp_path: Path) -> None:
    assert train(tmp_path / "whole", "--seed", "1", "--epochs", "40") == 0
    options = ["--output", str(tmp_path / "cut"), *QUICK, "--seed", "1", "--epochs", "40"]
    # The process interrupts itself in a step: what a person's Ctrl-C at that moment does.
    script = (
        "import os, signal, sys\nfrom thinnet import Solver, cli\nstep = Solver.step\n"
        "def interrupted(self):\n"
        "    if self.iteration == 123: os.kill(os.getpid(), signal.SIGINT)\n    return step(self)\n"
        "Solver.step = interrupted\nsys.exit(cli.main(['train', *sys.argv[1:]]))"
    )
    done = subprocess.run([sys.executable, "-c", script, *options], capture_output=True, text=True, timeout=120)
    assert done.returncode == 130, done.stderr
    assert "finishing this step and saving" in done.stderr
    assert "step-000000124.safetensors after step 124 of 400" in done.stderr
    assert "Traceback" not in done.stderr
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


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["resume", "{}"], r"must be the folder of a run, got one without config.toml"),
        (["train", "--data", "digit"], r"data must be one of 'digits', 'cifar10', 'fashion-mnist', got 'digit'"),
        (["train", "--data", "nosuch"], r"data must be one of .*got 'nosuch'. Or name a file of arrays, NAME.npz"),
        (["train", "--data", "fashion-mnist"], r"root must be the folder with Fashion-MNIST's four files"),
        (["train", "--data", "{}/none.npz"], r"none.npz must be a file of arrays .* got no such file"),
        (["train", "--config", "{}/none.toml"], r"No such file.*none.toml"),
        (["train", "--weight-scale", "she"], r"--weight-scale must be a number or 'he', got 'she'"),
        (["train", "--dropout", "1.5"], r"dropout must be a number in \[0, 1\), got 1.5"),
        (["train", "--batch-size", "0"], r"batch_size must be an integer >= 1, got 0"),
        (["train", "--num-train", "5000"], r"num_train must be at most 997"),
    ],
)
def test_a_wrong_command_ends_with_status_2_and_says_why(
    command: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word.format(tmp_path) for word in command]
    output = ["--output", str(tmp_path / "run")] if words[0] == "train" else []
    assert cli.main([*words, *output]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_a_training_that_diverged_ends_with_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command was right, and what it ran failed; resumed it fails in the same step, and says that it would."""
    assert train(tmp_path / "run", "--learning-rate", "1e9", "--optimizer", "sgd", "--seed", "0") == 1
    said = capsys.readouterr().err
    assert re.search(r"In step \d+, the loss became nan", said)
    assert "Training is deterministic: resumed or repeated, it fails in the same step." in said
    assert f"setting: thinnet train --config {tmp_path}/run/config.toml --learning-rate 1e+08, for example.\n" in said
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


def test_a_killed_run_is_resumed_to_the_same_net(tmp_path: Path) -> None:
    assert train(tmp_path / "whole", "--seed", "3", "--epochs", "60") == 0
    options = ["--output", str(tmp_path / "cut"), *QUICK, "--seed", "3", "--epochs", "60"]
    process: Any = subprocess.Popen([sys.executable, "-m", "thinnet", "train", *options], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "cut").glob("step-*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    checkpoint = sorted((tmp_path / "cut").glob("step-*"))[-1]
    assert read_sealed(checkpoint, "run").state["iteration"] <= 600
    assert cli.main(["resume", str(tmp_path / "cut"), "--quiet"]) == 0
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off", "an array alone", "objects"])
def test_a_file_that_is_no_archive_of_arrays_is_refused(
    content: bytes | str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "data.npz"
    with path.open("wb") as file:
        if isinstance(content, bytes):
            file.write(content)
        elif content == "objects":
            np.savez(file, X_train=np.array([{}, {}]), y_train=np.zeros(2, int))
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


def test_a_folder_that_is_not_there_is_said_to_be_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["resume", str(tmp_path / "nowhere")]) == 2
    assert "must be the folder of a run, got no such folder" in capsys.readouterr().err


def test_a_file_with_other_arrays_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, X, y = tmp_path / "data.npz", np.zeros((4, 2)), np.zeros(4, int)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"images": X, "labels": y}, "got the keys ['images', 'labels']"),
        ({"X_train": X, "y_train": y, "X_valid": X}, "Did you mean 'X_val'?"),
    ]
    for arrays, message in cases:
        np.savez(path, **arrays)
        assert cli.main(["train", "--data", str(path), "--output", str(tmp_path / "run"), "--quiet"]) == 2
        said = capsys.readouterr().err
        assert message in said
        assert str(path) in said
