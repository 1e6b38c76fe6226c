"""The command line: help, options, and a real run of each command that is not tested elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

import thinnet
from thinnet import kernels
from thinnet.cli import main
from thinnet.experiments import cifar10_fc

COMMANDS = [[], ["experiment"], ["experiment", "dropout"], ["experiment", "cifar10-fc"], ["course"]]
COMMANDS += [["experiment", "rate-sweep"], ["experiment", "masks"]]
COMMANDS += [["train"], ["resume"], ["report"], ["data"], ["check"]]
COMMANDS += [["course", "run"], ["course", "new"]]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([*command, "--help"])
    assert end.value.code == 0
    assert "usage: thinnet" in capsys.readouterr().out


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"thinnet {thinnet.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "COMMAND must be given, got nothing. It is one of train, "),
        (["experiment", "droput"], "NAME must be one of 'dropout', "),
        (["experiment", "dropout", "--rates", "1"], "must be the fraction dropped, at least 0 and below 1, got '1'"),
        (["experiment", "dropout", "--rates", "nan"], "must be the fraction dropped"),
        (["experiment", "dropout", "--seeds", "0"], "must be a whole number of at least 1, got '0'"),
        (["experiment", "dropout", "--seeds", "a"], "must be a whole number of at least 1, got 'a'"),
        (["experiment", "dropout", "--rates", "a"], "must be the fraction dropped, at least 0 and below 1, got 'a'"),
        (["course", "new", "folder"], "--dialect must be given, got nothing. It is one of cs231n-2017, "),
    ],
)
def test_a_wrong_command_line_is_refused_with_status_2(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert text in capsys.readouterr().err


def test_missing_data_is_an_error_and_not_a_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["experiment", "cifar10-fc", "--root", str(tmp_path)]) == 2
    assert "thinnet: error: --root must be cifar-10-batches-py or the folder that has it" in capsys.readouterr().err


def test_the_dropout_experiment_shows_that_dropout_helps(tmp_path: Path) -> None:
    """Run as by `make demo`, with warnings as errors: the gain is clearly above its standard error."""
    command = [sys.executable, "-W", "error", "-m", "thinnet", "experiment", "dropout", "--output", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert (tmp_path / "report.html").is_file()
    table = done.stdout[done.stdout.index("dropout   training, last") :].splitlines()
    without, dropped = (float(line.split()[4]) for line in table[1:3])
    assert table[3] == "Last: after the last epoch. Test: of the weights that did best on the validation rows."
    assert table[4].startswith("Dropout 0.5 against 0: validation accuracy after the last epoch +")
    gain, error = (float(word) for word in table[4].split()[10:13:2])
    assert dropped > without
    assert gain == pytest.approx(dropped - without, abs=2e-3)
    assert gain > 3 * error
    figure = (tmp_path / "dropout.svg").read_text()
    assert figure.index("Training accuracy") < figure.index("Validation accuracy")
    assert "100 training rows, mean ± standard deviation over 5 seeds" in figure


def test_the_cifar10_experiment_runs_on_real_images(
    cifar10_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One epoch of 6,000 images; the full run takes minutes, and the command in README measures it."""
    monkeypatch.setattr(cifar10_fc, "RECIPE", replace(cifar10_fc.RECIPE, num_train=6000))
    command = ["experiment", "cifar10-fc", "--root", str(cifar10_root), "--epochs", "1", "--quiet"]
    assert main([*command, "--output", str(tmp_path)]) == 0
    page = (tmp_path / "report.html").read_text()
    assert "airplane" in page
    assert page.count("data:image/png") == 48  # the weights of 36 units, and twelve mistakes
    first = capsys.readouterr().out.splitlines()[0].split()
    assert first[:2] == ["validation", "accuracy"]
    assert float(first[2]) > 0.30


def test_one_seed_has_no_spread(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["experiment", "dropout", "--seeds", "1", "--epochs", "1", "--output", str(tmp_path)]
    assert main([*command, "--rates", "0", "0.2", "0.3", "0.4", "0.5", "0.6"]) == 0  # more rates than colors
    out = capsys.readouterr().out
    assert "nan" not in out
    assert "±" not in out


def test_errors_of_the_system_are_told_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object, **__: object) -> NoReturn:
        raise PermissionError(13, "Permission denied", str(tmp_path / "locked"))

    text = "locked must be readable, or writable, got an error (Permission denied). Check permissions and the disk.\n"
    for what, command in (("thinnet.report.find_runs", "report"), ("os.listdir", "check")):
        with monkeypatch.context() as patched:
            patched.setattr(what, locked)
            assert main([command, str(tmp_path)]) == 2
        assert capsys.readouterr().err.endswith(text)
    own = Path.read_text

    def read_text(path: Path, *args: Any, **options: Any) -> str:  # packages that are imported now read their own files
        return locked() if path.suffix == ".ipynb" else own(path, *args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_text", read_text)
        assert main(["course", "run", str(tmp_path / "n.ipynb")]) == 2
    assert "as one: an error while reading it (Permission denied). Get the" in capsys.readouterr().err


def test_a_rate_twice_and_a_folder_that_cannot_be_are_refused_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["experiment", "dropout", "--rates", "0.5", "0.5"]) == 2
    assert main(["experiment", "dropout", "--output", str(tmp_path / "file")]) == 2
    done = capsys.readouterr()
    assert "--rates must all differ, got [0.5, 0.5]" in done.err
    assert "must be a folder, got a file in its place" in done.err
    assert done.out == ""


@pytest.mark.parametrize(
    ("options", "packages", "extras"),
    [
        ([], "'sklearn', 'jinja2', 'scipy'", "digits,report"),
        (["--data", "x.npz", "--jobs", "2"], "'jinja2', 'scipy', 'joblib', 'threadpoolctl'", "report,sweep"),
        (["--backend", "dask"], "'threadpoolctl', 'distributed'", "digits,report,dask"),
    ],
)
def test_all_packages_that_an_experiment_lacks_are_named_at_once(
    options: list[str],
    packages: str,
    extras: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("sklearn", "jinja2", "scipy", "joblib", "threadpoolctl", "distributed"):
        monkeypatch.setitem(sys.modules, name, None)
    assert main(["experiment", "dropout", *options, "--output", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert packages in said
    assert f'pip install "thinnet[{extras}]"' in said
    assert not (tmp_path / "out").exists()


def test_ctrl_c_ends_with_a_word_and_status_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("thinnet.sweep.run", interrupted)
    assert main(["experiment", "dropout"]) == 130
    assert capsys.readouterr().err == "thinnet: interrupted\n"


def test_a_warning_is_told_without_a_line_of_code(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", X_train=np.eye(6), y_train=np.eye(2)[[0, 1] * 3])
    words = ["-m", "thinnet", "train", "--epochs", "1", "--quiet", "--data", "own.npz", "--output", "run"]
    environment = {**os.environ, kernels.SWITCH: "0"}  # kernels take longer to load than the run itself
    done = subprocess.run(
        [sys.executable, *words], env=environment, capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert done.stderr.startswith("thinnet: warning: y_train has a one and zeros in each row")
    assert ".py" not in done.stderr
