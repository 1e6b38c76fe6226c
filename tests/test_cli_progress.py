"""What is printed during training without a progress bar."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from thinnet import check_gradients, cli, defaults
from thinnet.training.compilation import compilation_announced, told_of_compilation
from thinnet.typing import AnyArray

TRAIN = ["train", "--num-train", "60", "--hidden-dims", "5", "--epochs", "4", "--batch-size", "20", "--output"]


def test_lines_tell_how_it_goes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*TRAIN, str(tmp_path / "run")]) == 0
    lines = capsys.readouterr().out.splitlines()
    announced = [line for line in lines if line.startswith("epoch ")]
    assert re.fullmatch(r"epoch 1 of 4: accuracy 0\.\d{3} in training, 0\.\d{3} in validation, \d+ s", announced[0])
    assert announced[-1].startswith("epoch 4 of 4: ")
    assert lines.index(announced[-1]) < lines.index("steps                12")


@pytest.mark.parametrize("option", ["--quiet", "--json"])
def test_nothing_is_told_where_silence_was_asked_for(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*TRAIN, str(tmp_path / "run"), option]) == 0
    assert "epoch" not in capsys.readouterr().out


def test_in_a_terminal_the_bar_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for stream in (sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    assert cli.main([*TRAIN, str(tmp_path / "run")]) == 0
    done = capsys.readouterr()
    assert "epoch " not in done.out
    assert "12/12" in done.err


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_stream_may_be_closed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, name, None)  # as in Python with a closed stream, and in programs without a console
    assert defaults.progress() is False
    assert cli.main([*TRAIN, str(tmp_path / "run")]) == 0
    getattr(sys, name).close()
    assert (tmp_path / "run" / "result.json").is_file()


def test_a_resumed_run_is_told_of_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*TRAIN, str(tmp_path / "run"), "--quiet"]) == 0
    (tmp_path / "run" / "result.json").unlink()
    max((tmp_path / "run").glob("step-*")).unlink()
    capsys.readouterr()
    assert cli.main(["resume", str(tmp_path / "run")]) == 0
    assert capsys.readouterr().out.startswith("epoch 4 of 4: ")


def test_a_compilation_is_announced_once_and_a_kernel_that_is_there_is_not() -> None:
    numba = pytest.importorskip("numba")
    one, other = (numba.njit(lambda x, k=k: x + k) for k in (1, 2))
    announced: list[str] = []
    with compilation_announced(announced.append):
        one(1)
        other(1)
    assert announced == ["Kernels for this kind of net are being compiled: about half a minute, once per machine."]
    with compilation_announced(announced.append):
        one(1)
    one(1.5)  # compiled after announcements have ended
    assert len(announced) == 1


@pytest.mark.usefixtures("without_kernels")
def test_without_kernels_nothing_is_compiled() -> None:
    with compilation_announced(pytest.fail):
        pass


@pytest.mark.parametrize(
    ("verbose", "prompted", "out", "err"),
    [(True, False, 1, 0), (False, True, 0, 1), (True, True, 1, 0), (False, False, 0, 0)],
)
def test_who_waits_for_an_estimator_is_told_why(
    verbose: bool,
    prompted: bool,
    out: int,
    err: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    numba = pytest.importorskip("numba")
    if prompted:
        monkeypatch.setattr(sys, "ps1", "In [1]: ", raising=False)
    else:
        monkeypatch.delattr(sys, "ps1", raising=False)
    one, other = (numba.njit(lambda x, k=k: x + k) for k in (1, 2))
    with told_of_compilation(verbose):
        one(1)
        other(1)
    told = capsys.readouterr()
    assert (told.out.count("being compiled"), told.err.count("being compiled")) == (out, err)


def test_who_waits_for_a_gradient_check_is_told_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    square = pytest.importorskip("numba").njit(lambda w: (w * w).sum())

    class Squares:
        params: ClassVar = {"W": np.ones((2, 3))}

        def loss(self, X: AnyArray, y: AnyArray) -> tuple[float, dict[str, AnyArray]]:
            return square(self.params["W"]), {"W": 2 * self.params["W"]}

    monkeypatch.setattr(sys, "ps1", "In [1]: ", raising=False)
    check_gradients(Squares(), np.ones((4, 2)), np.zeros(4, int))
    assert capsys.readouterr().err.count("being compiled") == 1
