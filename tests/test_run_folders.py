"""Run folders in unusual states: foreign files, only just begun, already finished, seen from another directory."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thinnet import FullyConnectedNet, Solver, cli, load_digits, runs, sweep
from thinnet.config import Config
from thinnet.errors import ArgumentError, CheckpointError
from thinnet.report import write_report
from thinnet.report.folder import find_runs, read_run
from thinnet.storage.files import write_atomically

QUICK = ["--num-train", "60", "--hidden-dims", "5", "--epochs", "1", "--batch-size", "20"]


def train(folder: Path, *options: str) -> int:
    return cli.main(["train", "--output", str(folder), *QUICK, *options])


def test_a_folder_with_foreign_files_is_refused_and_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("chapter 1")
    assert train(tmp_path) == 2
    assert f"{tmp_path} must be a new or an empty folder, got one with thesis.txt." in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_what_a_killed_start_leaves_is_no_foreign_file(tmp_path: Path) -> None:
    """Before config.toml is written, a run's other first files may exist, complete or not."""
    for name in (".lock", ".config.toml.x1y2", ".environment.json.z3", "environment.json"):
        (tmp_path / name).write_text("")
    assert train(tmp_path, "--quiet") == 0


def test_folders_and_files_may_be_named_by_strings(tmp_path: Path) -> None:
    config = Config(num_train=60, hidden_dims=(5,), epochs=1, batch_size=20, seed=0)
    run = str(tmp_path / "run")
    quiet: Any = {"verbose": False, "progress": False}
    runs.start(config, run, log=lambda text: None, **quiet)
    runs.resume(run, **quiet)
    runs.start_or_resume(config, run, **quiet)
    assert runs.read_config(run) == Config.from_toml(f"{run}/config.toml")
    assert find_runs([run])[0].folder == read_run(run).folder == Path(run)
    page = write_report([run], str(tmp_path / "page.html"), str(tmp_path / "figures"))
    assert page == tmp_path / "page.html"
    assert any((tmp_path / "figures").iterdir())
    assert len(sweep.run([config], str(tmp_path / "sweep"), progress=False)) == 1
    with pytest.raises(ArgumentError, match=r"folder must be a path, got 3\. Give a file or a folder as a string"):
        runs.resume(3)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"folders must be a path, got None"):
        find_runs([None])  # type: ignore[list-item]


def test_a_run_with_a_config_has_its_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The config is written last, since a folder with a config is resumed without writing the other first files."""
    written: list[str] = []

    def write(path: Path, content: bytes) -> None:
        written.append(path.name)
        write_atomically(path, content)

    monkeypatch.setattr(runs, "write_atomically", write)
    assert train(tmp_path / "run", "--quiet") == 0
    assert written.index("environment.json") < written.index("config.toml")


def test_resuming_a_finished_run_says_that_it_was_finished(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(tmp_path / "run", "--quiet") == 0
    result = capsys.readouterr().out
    assert cli.main(["resume", str(tmp_path / "run")]) == 0
    assert capsys.readouterr().out == f"This run had already finished; there was nothing left to train.\n{result}"

    newest = max((tmp_path / "run").glob("step-*.safetensors"))
    newest.write_bytes(newest.read_bytes()[:-1])
    assert cli.main(["resume", str(tmp_path / "run")]) == 2
    assert not capsys.readouterr().out


def test_a_folder_with_several_runs_is_told_by_its_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("first", "second"):
        assert train(tmp_path / name, "--quiet") == 0
    capsys.readouterr()
    assert cli.main(["resume", str(tmp_path)]) == 2
    named = f"Name one of those in it: '{tmp_path}/first', '{tmp_path}/second'."
    assert named in capsys.readouterr().err
    data = load_digits()
    with pytest.raises(CheckpointError, match=re.escape(named)):
        Solver.resume(tmp_path, data)


def test_a_folder_in_the_place_of_a_net_is_refused_with_the_file_to_name(tmp_path: Path) -> None:
    assert train(tmp_path / "run", "--quiet") == 0
    message = rf"run must be the file of a net, got a folder. Name {tmp_path}/run/net.safetensors."
    with pytest.raises(CheckpointError, match=message):
        FullyConnectedNet.load(tmp_path / "run")


def test_a_run_on_a_file_is_resumed_from_any_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.random.default_rng(0).standard_normal((60, 1)).astype(np.float32)
    np.savez(tmp_path / "data.npz", X_train=X, y_train=(X[:, 0] > 0).astype(int))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", "--data", "data.npz", "--output", "run", "--hidden-dims", "5", "--epochs", "1"]) == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert cli.main(["resume", "../run"]) == 0
    assert Config.from_toml(tmp_path / "run" / "config.toml").data == str(tmp_path / "data.npz")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"dropout": 0.5}, "dropout"),
        ({"normalization": "batchnorm", "hidden_dims": (6,)}, "hidden_dims, normalization"),
        ({"seed": 1}, "seed"),
        ({"optimizer": "sgd"}, "optimizer, .*"),
        ({"batch_size": 10}, "batch_size"),
        ({"schedule": "cosine"}, "schedule"),
        ({"learning_rate": 0.01}, "learning_rate"),
        ({"weight_decay": 0.5}, "optimizer_options"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_checkpoints_of_another_run_are_refused(tmp_path: Path, options: dict[str, Any], named: str) -> None:
    quiet: Any = {"verbose": False, "progress": False}
    config = Config(num_train=60, hidden_dims=(5,), epochs=1, batch_size=20, seed=0, optimizer="adamw")
    for name, own in (("run", config), ("other", replace(config, **options))):
        runs.start(own, tmp_path / name, log=lambda text: None, **quiet)
    for newer in (tmp_path / "other").glob("step-*"):
        shutil.copy(newer, tmp_path / "run")
    text = rf"run must have checkpoints of its own run, got those of a run with a different {named}\. Remove the step-"
    with pytest.raises(CheckpointError, match=text):
        runs.resume(tmp_path / "run", **quiet)


def test_checkpoints_of_a_net_in_another_precision_are_refused(tmp_path: Path) -> None:
    """The solver's argument of the same name does not matter here."""
    quiet: Any = {"verbose": False, "progress": False}
    config = Config(num_train=60, hidden_dims=(5,), epochs=1, batch_size=20, seed=0)
    runs.start(config, tmp_path, log=lambda text: None, **quiet)
    data = runs.load(config)
    net = runs.net_of(config, data).replace(precision="bfloat16")
    net.fused = False  # so that it trains on any processor
    (newest,) = tmp_path.glob("step-*")
    newest.unlink()
    Solver(net, data, epochs=1, batch_size=20, seed=0, checkpoint_dir=tmp_path / "other", **quiet).train()
    shutil.copy(tmp_path / "other" / newest.name, newest)
    with pytest.raises(CheckpointError, match="got those of a run with a different precision"):
        runs.resume(tmp_path, **quiet)


def test_a_run_that_was_given_more_epochs_is_resumed(tmp_path: Path) -> None:
    quiet: Any = {"verbose": False, "progress": False}
    config = Config(num_train=60, hidden_dims=(5,), epochs=1, batch_size=20, seed=0, schedule="one_cycle", patience=9)
    runs.start(config, tmp_path, log=lambda text: None, **quiet)
    assert len(runs.resume(tmp_path, epochs=2, **quiet).history.loss) == 6
    assert len(runs.resume(tmp_path, **quiet).history.loss) == 6
