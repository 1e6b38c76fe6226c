"""Notebook kernels: how they start, their warning filters, and what is reported when they die or are stopped.

Each of these tests starts a new Python process, like a user.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from course_seeds import printed, write_notebook
from test_course_notebooks import USES_LAYERS
from thinnet.course.notebooks import run_notebook

pytestmark = pytest.mark.usefixtures("closed_door")


def test_it_comes_without_a_debugger_which_a_notebook_may_import(tmp_path: Path) -> None:
    write_notebook(tmp_path / "n.ipynb", ["import sys\nprint('debugpy' in sys.modules)\nimport debugpy"])
    run = run_notebook(tmp_path / "n.ipynb")
    assert (run.failure, printed(run.output)) == (None, ["False\n"])


@pytest.mark.skipif(os.name != "posix", reason="only there are sockets files")
def test_a_long_path_of_temporary_files_is_no_hindrance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    write_notebook(tmp_path / "n.ipynb", ["print(1)"])
    assert printed(run_notebook(tmp_path / "n.ipynb").output) == ["1\n"]


def test_a_cell_in_which_the_kernel_dies_is_named_and_did_not_run(tmp_path: Path) -> None:
    write_notebook(tmp_path / "n.ipynb", ["print(1)", "", "import os\nos._exit(3)", "print(2)"])
    run = run_notebook(tmp_path / "n.ipynb")
    assert run.num_cells == 1
    told = "the kernel exited with status 3, as after os._exit(3): leave that call out"
    assert run.failure == f"{told}\nCell In[2]\nimport os\nos._exit(3)"


@pytest.mark.skipif(os.name != "posix", reason="elsewhere there are no such signals")
@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (9, "the kernel died; it may have run out of memory"),
        (11, "the kernel crashed (SIGSEGV), in compiled code that the cell called"),
    ],
)
def test_how_the_kernel_died_is_told_by_its_signal(sent: int, told: str, tmp_path: Path) -> None:
    write_notebook(tmp_path / "n.ipynb", [f"import os\nos.kill(os.getpid(), {sent})"])
    assert str(run_notebook(tmp_path / "n.ipynb").failure).startswith(told)


def test_a_dead_kernel_is_known_by_its_kind_of_error_and_not_by_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbclient.exceptions.DeadKernelError.__str__", lambda error: "Kernel is gone")
    write_notebook(tmp_path / "n.ipynb", ["import os\nos._exit(3)"])
    assert str(run_notebook(tmp_path / "n.ipynb").failure).startswith("the kernel exited with status 3")


def test_a_kernel_that_dies_as_it_starts_is_told_so_without_a_traceback_of_ours(tmp_path: Path) -> None:
    write_notebook(tmp_path / "n.ipynb", ["print(1)"])
    (tmp_path / "types.py").write_text("x = 1\n")
    command = [sys.executable, "-P", "-m", "thinnet", "course", "run", str(tmp_path / "n.ipynb")]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    said = done.stderr.partition("thinnet: the notebook stopped early: ")[2].splitlines()
    assert said[0].startswith("the kernel did not start (")
    assert said[0].endswith("); its messages are above")
    assert said[1].startswith("A file beside the notebook may have the name of one of Python's modules"), said
    assert not said[2:]
    assert (tmp_path / "n.executed.ipynb").exists()


def said_when_ended(by: signal.Signals, folder: Path, *options: str) -> str:
    """The output of a run of n.ipynb that a signal ends once the notebook has created the file `begun`."""
    command = [sys.executable, *options, "-m", "thinnet", "course", "run", "n.ipynb"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    while not (folder / "begun").exists():
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(by)
    said = process.communicate()[1]
    ended = re.search("stopped early: (interrupted|terminated)\n", said)  # otherwise the kernel did not start
    assert process.returncode == (128 + by if ended else 1)
    return said


@pytest.mark.skipif(os.name != "posix", reason="Windows has other signals")
def test_a_run_that_is_interrupted_before_its_first_cell_says_so(tmp_path: Path) -> None:
    write_notebook(tmp_path / "n.ipynb", ["print(1)"])
    (tmp_path / "ipykernel_launcher.py").write_text("open('begun', 'w').close()\nimport time\ntime.sleep(60)\n")
    said = said_when_ended(signal.SIGINT, tmp_path, "-P")
    assert "thinnet: the notebook stopped early: " in said
    assert "nbclient" not in said, said


@pytest.mark.skipif(os.name != "posix", reason="Windows has other signals")
@pytest.mark.parametrize("swallowed", [False, True])
@pytest.mark.parametrize(("by", "word"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])
def test_a_run_that_is_interrupted_keeps_what_there_is_and_says_where_it_was(
    by: signal.Signals, word: str, swallowed: bool, tmp_path: Path
) -> None:
    loop = "while True:\n    open('begun', 'w').close()"  # one statement: IPython compiles each before it runs it
    if swallowed:
        loop = "try:\n" + "".join(f"    {line}\n" for line in loop.splitlines()) + "except:\n    print('goes on')"
    write_notebook(tmp_path / "n.ipynb", ["print('before')", loop, "print('after')"])
    said = said_when_ended(by, tmp_path)
    assert said.startswith(f"thinnet: the notebook stopped early: {word}\n" + "Cell In[2], line " * (not swallowed))
    assert "Error" not in said
    assert printed(tmp_path / "n.executed.ipynb") == ["before\n", "goes on\n" * swallowed, ""]


def test_notebooks_may_run_at_once_each_with_the_warning_filters_of_its_command(tmp_path: Path) -> None:
    """Each kernel communicates through its own files, so there are no port conflicts.

    The notebooks activate the course themselves, so they need no dialect.
    """
    door = "import thinnet.course; thinnet.course.activate('nndl')"
    transport = "from ipykernel.kernelapp import IPKernelApp\nprint(IPKernelApp.instance().transport)"
    names, started = ("n0.ipynb", "n1.ipynb"), []
    for name, options in zip(names, ([], ["-W", "error"]), strict=True):
        cells = [transport, door, USES_LAYERS, "import warnings; warnings.warn('now an error')"]
        write_notebook(tmp_path / name, cells)
        command = [sys.executable, *options, "-m", "thinnet", "course", "run", name]
        started.append(subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True))
    said = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0, 1], said
    assert said[0] == ""
    assert "the notebook stopped early: UserWarning: now an error" in said[1]
    wanted = "ipc" if os.name == "posix" else "tcp"
    found = [printed(tmp_path / f"n{number}.executed.ipynb") for number in range(2)]
    assert [texts[0] for texts in found] == [f"{wanted}\n"] * 2
    assert all(texts[2].startswith("[[") for texts in found)
