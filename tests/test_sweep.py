"""Sweeps: finished runs are not repeated, however the sweep ended; workers do not change the table."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thinnet import cli, kernels, runs, sweep
from thinnet.config import Config
from thinnet.errors import ArgumentError, CheckpointError, DataError, NumericalError
from thinnet.experiments import dropout, tables
from thinnet.report.folder import find_runs
from thinnet.report.groups import group_runs

BASE = Config(num_train=60, hidden_dims=(10,), epochs=2, batch_size=20)
CONFIGS = dropout.configs(BASE, (0.0, 0.5), 2)
COMMAND = ["experiment", "dropout", "--seeds", "3", "--epochs", "3", "--hidden-dims", "20", "--quiet"]


def results(folder: Path) -> dict[str, Any]:
    """The results of each run, except times."""
    found = {path.parent.name: json.loads(path.read_text()) for path in sorted(folder.glob("*/result.json"))}
    for result in found.values():
        del result["history"]["seconds"]
    return found


def test_a_second_start_does_only_what_is_missing(tmp_path: Path) -> None:
    lines: list[str] = []
    first = sweep.run(CONFIGS, tmp_path, log=lines.append)
    assert [run.config for run in first] == CONFIGS
    assert [line[:5] for line in lines] == ["[1/4]", "[2/4]", "[3/4]", "[4/4]"]
    before = results(tmp_path)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/result.json")}
    (first[1].folder / "result.json").unlink()
    lines.clear()
    sweep.run(CONFIGS, tmp_path, log=lines.append)
    assert lines[0] == f"3 of 4 runs are in {tmp_path} already"
    assert len(lines) == 2
    assert results(tmp_path) == before
    changed = [path for path, when in written.items() if path.stat().st_mtime_ns != when]
    assert changed == [first[1].folder / "result.json"]


def test_other_configs_in_the_same_folder_are_other_runs(tmp_path: Path) -> None:
    sweep.run(CONFIGS[:1], tmp_path)
    longer = dropout.configs(Config(**{**vars(BASE), "epochs": 3}), (0.0,), 1)
    assert len(sweep.run(longer, tmp_path)[0].history.epoch) == 4
    assert len(results(tmp_path)) == 2


# A process that kills itself in the fifth step of its third run.
KILLED = """
import os, signal, sys
from thinnet import Solver, cli
step, started = Solver.step, []
def killed(self):
    started.extend([self] * (self.iteration == 0))
    if len(started) == 3 and self.iteration == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self)
Solver.step = killed
cli.main(sys.argv[1:])
"""


@pytest.mark.posix
@pytest.mark.usefixtures("without_kernels")  # kernels take longer to load than the runs
def test_a_sweep_killed_half_way_ends_with_the_same_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*COMMAND, "--output", str(tmp_path / "whole")]) == 0
    whole = capsys.readouterr().out.replace("whole", "cut")  # the page's folder
    cut = tmp_path / "cut"
    command, environment = [sys.executable, "-c", KILLED, *COMMAND], {**os.environ, kernels.SWITCH: "0"}
    done = subprocess.run([*command, "--output", str(cut)], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(cut.glob("*/result.json"))) == 2
    assert cli.main([*COMMAND, "--output", str(cut)]) == 0
    assert capsys.readouterr().out == whole
    assert results(cut) == results(tmp_path / "whole")


@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_two_workers_come_to_the_same_results(backend: str, tmp_path: Path) -> None:
    """In a separate process, which must end by itself and without warnings."""
    script = (
        "import sys\nfrom pathlib import Path\nfrom thinnet import sweep\nfrom test_sweep import CONFIGS\n"
        "if __name__ == '__main__':\n"
        "    sweep.run(CONFIGS, Path(sys.argv[2]), sweep.Workers(2, sys.argv[1]), print)\n"
    )
    (tmp_path / "script.py").write_text(script)
    paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, str(tmp_path / "script.py"), backend, str(tmp_path / "many")]
    environment = {**os.environ, "PYTHONPATH": paths}
    if backend == "dask":  # the other backend tests that workers load the kernels
        environment[kernels.SWITCH] = "0"
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("validation") == 4
    sweep.run(CONFIGS, tmp_path / "one")
    many, one = results(tmp_path / "many"), results(tmp_path / "one")
    assert many.keys() == one.keys()
    for name, result in one.items():  # the last bits of products depend on the number of threads
        assert many[name]["val_accuracy"] == pytest.approx(result["val_accuracy"], abs=0.02)
        assert many[name]["history"]["loss"] == pytest.approx(result["history"]["loss"], rel=1e-3)


def test_the_users_command_is_written_down_and_not_that_of_a_worker(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As on another machine, where a worker was started with its own command."""
    limited = sweep._limited

    def elsewhere(*arguments: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["dask", "worker", "tcp://here:8786"])
            return limited(*arguments)

    monkeypatch.setattr(sweep, "_limited", elsewhere)
    monkeypatch.setattr(sweep, "_backend", lambda joblib, _: joblib.parallel_config("sequential"))
    monkeypatch.setattr(sys, "argv", ["thinnet", "experiment", "dropout"])
    sweep.run(CONFIGS[:2], tmp_path, sweep.Workers(2))
    for path in tmp_path.glob("*/environment.json"):
        assert json.loads(path.read_text())["command"] == ["experiment", "dropout"]


def test_a_run_that_fails_leaves_the_others_be(tmp_path: Path) -> None:
    wild = Config(num_train=300, hidden_dims=(20,), batch_size=30, optimizer="sgd", learning_rate=1e9, seed=0)
    with pytest.raises(NumericalError, match=r"1 of 3 runs failed; the others are kept. In step \d+.*thinnet report"):
        sweep.run([CONFIGS[0], wild, CONFIGS[1]], tmp_path)
    assert len(results(tmp_path)) == 2


def test_other_contents_of_the_same_file_are_other_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the same contents under another path are the same runs."""
    monkeypatch.chdir(tmp_path)
    X = np.random.default_rng(0).standard_normal((60, 2)).astype(np.float32)
    base = {"hidden_dims": (4,), "epochs": 1, "batch_size": 20, "seed": 0}
    for shift in (0, 1):
        np.savez("data.npz", X_train=X + shift, y_train=(X[:, 0] > 0).astype(int))
        sweep.run([Config(data="data.npz", **base)], tmp_path / "sweep")  # type: ignore[arg-type]
    sweep.run([Config(data=str(tmp_path / "data.npz"), **base)], tmp_path / "sweep")  # type: ignore[arg-type]
    assert len(results(tmp_path / "sweep")) == 2


def test_a_file_that_is_not_there_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    config = Config(data=str(tmp_path / "none.npz"), seed=0)
    with pytest.raises(DataError, match=r"none\.npz must be a file of arrays .*, got no such file\. Check its path"):
        sweep.run([config], tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_workers_are_told_where_the_data_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Workers may start in another folder and without our environment."""
    monkeypatch.setattr(sweep, "find_cifar10", lambda: Path("found"))
    sent: list[Config] = []

    def send(missing: Any, _: Any) -> list[Any]:
        sent.extend(config for config, _ in missing)
        return []

    monkeypatch.setattr(sweep, "_side_by_side", send)
    with contextlib.suppress(ArgumentError):  # there are no results to read
        sweep.run([Config(data="cifar10", seed=0), CONFIGS[0]], tmp_path, sweep.Workers(2))
    assert [config.root for config in sent] == [str(Path("found").absolute()), ""]


def test_long_names_are_cut(tmp_path: Path) -> None:
    deep = [replace(CONFIGS[0], hidden_dims=(k,) * 200) for k in (1, 2)]
    assert len(set(sweep.names(deep))) == 2
    assert max(map(len, sweep.names(deep))) < 120


def test_a_folder_with_another_run_is_refused(tmp_path: Path) -> None:
    runs.start(CONFIGS[0], tmp_path / "run", lambda text: None, verbose=False, progress=False)
    with pytest.raises(CheckpointError, match="must be a new folder, or have a run of the same config"):
        runs.start_or_resume(CONFIGS[1], tmp_path / "run")
    with pytest.raises(CheckpointError, match=r"run must be a folder for several runs, got the folder of one"):
        sweep.run(CONFIGS, tmp_path / "run")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), r"jobs must be an integer >= 1, got 0"),
        ((1, "lok"), r"backend must be one of 'loky', 'dask', got 'lok'. Did you mean 'loky'\?"),
        (
            (1, "loky", "tcp://here:1"),
            r"address must be empty with backend='loky', got 'tcp://here:1'. Use backend='dask'.",
        ),
    ],
)
def test_workers_that_cannot_be_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        sweep.Workers(*arguments)


def test_the_grid_of_a_rate_sweep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["experiment", "rate-sweep", "--rates", "0", "0.3", "0.6", "--sizes", "60", "90", "--seeds", "1"]
    assert cli.main([*command, "--epochs", "5", "--hidden-dims", "20", "--output", str(tmp_path), "--quiet"]) == 0
    head, *rows, legend, page = capsys.readouterr().out.splitlines()
    assert page == f"Page:   {tmp_path / 'report.html'}"
    assert legend == "Validation accuracy after the last epoch; * marks the best of each line."
    assert head.split() == ["num", "train", "\\", "dropout", "0", "0.3", "0.6"]
    assert [row.split()[0] for row in rows] == ["60", "90"]
    for row in rows:
        numbers = [float(cell.rstrip("*")) for cell in row.split()[1:]]
        starred = [float(cell[:-1]) for cell in row.split()[1:] if cell.endswith("*")]
        assert set(starred) == {max(numbers)}
    assert "Validation accuracy against dropout" in (tmp_path / "report.html").read_text()


def test_without_validation_rows_the_grid_has_what_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    X = np.random.default_rng(0).standard_normal((60, 2)).astype(np.float32)
    np.savez(tmp_path / "data.npz", X_train=X, y_train=(X[:, 0] > 0).astype(int))
    command = ["experiment", "rate-sweep", "--data", str(tmp_path / "data.npz"), "--rates", "0", "--sizes", "60"]
    command += ["--seeds", "1", "--epochs", "1", "--hidden-dims", "4", "--output", str(tmp_path / "runs"), "--quiet"]
    assert cli.main(command) == 0
    _, row, legend, _ = capsys.readouterr().out.splitlines()
    assert row.endswith("*")
    assert legend.startswith("Training accuracy after the last epoch")


def test_both_kinds_of_masks_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["experiment", "masks", "--seeds", "2", "--epochs", "1", "--hidden-dims", "20", "--output", str(tmp_path)]
    assert cli.main([*command, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [group["label"] for group in printed["groups"]] == ["dropout mask batch", "dropout mask element"]
    assert all(len(group["test_accuracy"]) == 2 for group in printed["groups"])
    assert Path(printed["page"]).is_file()


def test_a_table_of_unfinished_runs_has_gaps(tmp_path: Path) -> None:
    for config in CONFIGS[:2]:
        place = tmp_path / f"{config.dropout}"
        place.mkdir()
        (place / "config.toml").write_text(config.to_toml())
    lines = tables.by_group(group_runs(find_runs([tmp_path])), "dropout").splitlines()
    assert lines[1].split() == ["0", "-", "-", "-"]
