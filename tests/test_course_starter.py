"""Starter folders: their code runs, and can be replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from course_seeds import printed, write_notebook
from test_course_notebooks import USES_LAYERS
from thinnet.cli import main
from thinnet.course import dialects
from thinnet.course.notebooks import run_notebook
from thinnet.course.starter import new_folder
from thinnet.errors import ArgumentError

pytestmark = pytest.mark.usefixtures("closed_door", "quick_notebooks")


@pytest.mark.parametrize("dialect", list(dialects.DIALECTS))
def test_a_starter_folder_works_and_its_modules_can_be_replaced(
    dialect: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "homework"
    new_folder(folder, dialect)
    package = dialects.DIALECTS[dialect].package
    net = "nndl.fc_net" if package == "nndl" else "cs231n.classifiers.fc_net"
    with (folder / package / "layers.py").open("a") as layers:
        layers.write("\n\ndef relu_forward(x):\n    print('my relu')\n    return x * (x > 0), x\n")
    code = f"""
import numpy as np
import {package}
from {net} import *
from cs231n.solver import Solver
FullyConnectedNet([5], input_dim=4).loss(np.ones((2, 4)))
affine_relu_forward(np.ones((2, 4)), np.ones((4, 3)), np.ones(3))
print({package}.__file__)
"""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    exec(code, {"__name__": "__main__"})
    assert capsys.readouterr().out == f"my relu\nmy relu\n{folder / package / '__init__.py'}\n"
    assert f"thinnet check {package} --dialect {dialect}\n" in (folder / "README.md").read_text()


@pytest.mark.parametrize(("dialect", "net"), [("cs231n-2021", "cs231n/classifiers"), ("nndl", "nndl")])
def test_its_net_is_not_called_wrong_for_the_students_layers(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], dialect: str, net: str
) -> None:
    new_folder(str(tmp_path / "work"), dialect)
    layers = tmp_path / "work" / net.partition("/")[0] / "layers.py"
    layers.write_text(
        layers.read_text()
        + "\n\ndef affine_backward(dout, cache):\n    x, w, b = cache\n"
        + "    return (dout @ w.T).reshape(x.shape), x.reshape(len(x), -1).T @ dout, dout.mean(axis=0)\n"
    )
    assert main(["check", str(tmp_path / "work" / net / "fc_net.py"), "--dialect", dialect]) == 0
    assert "FullyConnectedNet            right" in capfd.readouterr().out
    assert main(["check", str(layers), "--dialect", dialect]) == 1


def test_a_starter_folder_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "mine.py").touch()
    with pytest.raises(ArgumentError, match=r"path must be a new or an empty folder, got .*work"):
        new_folder(tmp_path / "work", "nndl")
    assert main(["course", "new", str(tmp_path / "work"), "--dialect", "nndl"]) == 2
    assert "must be a new or an empty folder" in capsys.readouterr().err
    assert [file.name for file in tmp_path.rglob("*")] == ["work", "mine.py"]
    assert main(["course", "new", str(tmp_path / "fresh"), "--dialect", "nndl"]) == 0


def test_a_starter_folder_may_be_the_one_that_somebody_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["course", "new", ".", "--dialect", "nndl"]) == 0
    assert sorted(path.name for path in Path().iterdir()) == ["README.md", "cs231n", "nndl"]


def test_a_starter_folder_keeps_the_scaling_asked_for_and_refuses_another_dialect(tmp_path: Path) -> None:
    new_folder(tmp_path / "work", "cs231n-2017")
    notebook = tmp_path / "work" / "n.ipynb"
    write_notebook(notebook, [USES_LAYERS])
    output = tmp_path / "elsewhere.ipynb"
    run = run_notebook(notebook, dialect="cs231n-2017", scaling="unscaled", output=output)
    assert (run.output, run.num_cells, run.failure) == (output, 1, None)
    assert set(printed(run.output)[0].strip("[]\n").split()) <= {"0.", "1."}
    run = run_notebook(str(notebook), dialect="cs231n-2018")
    assert run.failure is not None
    assert "made for the dialect cs231n-2017, got cs231n-2018" in run.failure
