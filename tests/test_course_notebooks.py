"""Running notebooks and writing starter folders."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from course_seeds import printed, write_notebook
from thinnet.cli import main
from thinnet.course import dialects
from thinnet.course.notebooks import choose_dialect, run_notebook
from thinnet.course.starter import new_folder
from thinnet.errors import ArgumentError, DialectError, NotebookError

pytestmark = pytest.mark.usefixtures("closed_door")

USES_LAYERS = """
import numpy as np
from cs231n.layers import dropout_forward
print(dropout_forward(np.ones((1, 4)), {"mode": "train", "p": 0.75, "seed": 0})[0])
"""


def test_a_notebook_runs_unmodified_and_is_left_as_it_was(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    notebook = tmp_path / "a notebook.ipynb"
    write_notebook(notebook, [USES_LAYERS, "6 * 7"])
    before = notebook.read_bytes()
    assert main(["course", "run", str(notebook), "--dialect", "cs231n-2018"]) == 0
    out, err = capfd.readouterr()
    assert out.startswith("2 cells ran in ")
    assert err == ""
    assert notebook.read_bytes() == before
    output = tmp_path / "a notebook.executed.ipynb"
    assert printed(output)[0] == "[[1.33333333 1.33333333 1.33333333 1.33333333]]\n"
    cells: Any = nbformat.read(output, as_version=4).cells
    assert cells[1].outputs[0].data["text/plain"] == "42"
    assert cells[0].execution_count == 1


def test_scaling_and_output_are_honored(tmp_path: Path) -> None:
    notebook, output = tmp_path / "n.ipynb", tmp_path / "elsewhere.ipynb"
    write_notebook(notebook, [USES_LAYERS])
    run = run_notebook(notebook, dialect="cs231n-2017", scaling="unscaled", output=output)
    assert run.output == output
    assert (run.num_cells, run.failure) == (1, None)
    assert set(printed(output)[0].strip("[]\n").split()) <= {"0.", "1."}


def test_a_students_folder_beside_the_notebook_wins(tmp_path: Path) -> None:
    (tmp_path / "cs231n").mkdir()
    (tmp_path / "cs231n" / "layers.py").write_text("def dropout_forward(x, p):\n    return ['mine']\n")
    write_notebook(tmp_path / "n.ipynb", [USES_LAYERS])
    run = run_notebook(tmp_path / "n.ipynb", dialect="cs231n-2017")
    assert printed(run.output) == ["mine\n"]


def test_a_failing_cell_ends_the_run_with_status_1_and_keeps_what_there_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    notebook = tmp_path / "n.ipynb"
    write_notebook(notebook, ["print('before')", "1 / 0", "print('after')"])
    assert main(["course", "run", str(notebook), "--dialect", "nndl"]) == 1
    out, err = capfd.readouterr()
    assert out.startswith("1 cells ran in ")
    assert "the notebook stopped early: ZeroDivisionError: division by zero" in err
    assert printed(tmp_path / "n.executed.ipynb") == ["before\n", "", ""]


def test_the_kernel_has_the_warning_filters_of_the_command(tmp_path: Path) -> None:
    write_notebook(tmp_path / "n.ipynb", ["import warnings; warnings.warn('now an error')"])
    command = ["-m", "thinnet", "course", "run", str(tmp_path / "n.ipynb"), "--dialect", "nndl"]
    for options, status in (([], 0), (["-W", "error"], 1)):
        done = subprocess.run([sys.executable, *options, *command], capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stderr


def test_the_dialect_is_chosen_only_where_one_fits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert choose_dialect("import numpy\nfrom nndl.fc_net import *") == "nndl"
    assert choose_dialect("net = FullyConnectedNet([5], dropout_keep_ratio=0.5)") == "cs231n-2021"
    with pytest.raises(DialectError, match=r"dialect must be given, since p means .*got none.*cs231n-2017"):
        choose_dialect("# from nndl\nfrom cs231n.layers import *")
    write_notebook(tmp_path / "n.ipynb", [USES_LAYERS])
    assert main(["course", "run", str(tmp_path / "n.ipynb")]) == 2
    assert "dialect must be given" in capsys.readouterr().err
    assert not (tmp_path / "n.executed.ipynb").exists()


def test_a_notebook_that_opens_the_door_itself_needs_no_dialect(tmp_path: Path) -> None:
    write_notebook(tmp_path / "n.ipynb", ["import thinnet.course; thinnet.course.activate('nndl')", USES_LAYERS])
    assert run_notebook(tmp_path / "n.ipynb").failure is None


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00", b"[]", b"{}", b'{"cells": 3}', b"print('a script')"])
def test_what_is_no_notebook_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "n.ipynb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(NotebookError, match=r"notebook must be an .ipynb file.*n\.ipynb"):
        run_notebook(path, dialect="nndl")


@pytest.mark.parametrize("dialect", list(dialects.DIALECTS))
def test_a_starter_folder_works_and_its_modules_can_be_replaced(dialect: str, tmp_path: Path) -> None:
    folder = tmp_path / "homework"
    new_folder(folder, dialect)
    package = "nndl" if dialect == "nndl" else "cs231n"
    net = "nndl.fc_net" if dialect == "nndl" else "cs231n.classifiers.fc_net"
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
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.stdout == f"my relu\nmy relu\n{folder / package / '__init__.py'}\n", done.stderr
    assert dialect in (folder / "README.md").read_text()


def test_a_starter_folder_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "mine.py").touch()
    with pytest.raises(ArgumentError, match=r"path must be a new or an empty folder, got .*work"):
        new_folder(tmp_path / "work", "nndl")
    assert main(["course", "new", str(tmp_path / "work"), "--dialect", "nndl"]) == 2
    assert "must be a new or an empty folder" in capsys.readouterr().err
    assert [file.name for file in tmp_path.rglob("*")] == ["work", "mine.py"]
    assert main(["course", "new", str(tmp_path / "fresh"), "--dialect", "nndl"]) == 0


def test_a_starter_folder_keeps_the_scaling_asked_for_and_refuses_another_dialect(tmp_path: Path) -> None:
    new_folder(tmp_path / "work", "cs231n-2017")
    notebook = tmp_path / "work" / "n.ipynb"
    write_notebook(notebook, [USES_LAYERS])
    run = run_notebook(notebook, dialect="cs231n-2017", scaling="unscaled")
    assert run.failure is None
    assert set(printed(run.output)[0].strip("[]\n").split()) <= {"0.", "1."}
    run = run_notebook(notebook, dialect="cs231n-2018")
    assert run.failure is not None
    assert "made for the dialect cs231n-2017, got cs231n-2018" in run.failure


def test_an_output_that_cannot_be_is_refused_before_the_run(tmp_path: Path) -> None:
    notebook = tmp_path / "n.ipynb"
    write_notebook(notebook, ["raise SystemError('it ran')"])
    before = notebook.read_bytes()
    for output, text in (
        (notebook, "output must be another file than the notebook"),
        (tmp_path / "nowhere" / "x.ipynb", "output must be a file in a folder that can be written"),
        (tmp_path, "output must be a file in a folder that can be written"),
    ):
        with pytest.raises(NotebookError, match=text):
            run_notebook(notebook, dialect="nndl", output=output)
    assert notebook.read_bytes() == before
