"""The checker's child processes: code that ends, hangs or disturbs them gets a verdict, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import check_dropouts as dropouts
import check_sources as sources
from test_check_files import check
from thinnet.check import Limits, check_layers
from thinnet.errors import ArgumentError

CRASHES = [row for row in dropouts.DROPOUT_FAULTS if row[0] in ("crashed", "out-of-memory", "missing-package")]


@pytest.mark.parametrize(("verdict", "changes"), CRASHES, ids=[f"{i}-{row[0]}" for i, row in enumerate(CRASHES)])
def test_what_ends_the_function_is_a_verdict_and_the_rest_is_checked(
    verdict: str, changes: dict[str, str], tmp_path: Path
) -> None:
    text = dropouts.dropout(changes, "keep") + "\n\ndef relu_forward(x):\n    return np.maximum(x, 0), x\n"
    report = check(tmp_path, text, "keep")
    assert {one.name: one.state for one in report.functions} == {
        "relu_forward": "right",
        "dropout_forward": "right",
        "dropout_backward": "wrong",
    }
    assert report.faults == {verdict}


def test_functions_compiled_by_numba_are_not_compiled_anew_for_each_kind_of_array(tmp_path: Path) -> None:
    pytest.importorskip("numba", reason="Numba compiles the functions under check")
    text = sources.swap(sources.LAYERS, {"def relu_backward": "from numba import njit\n@njit\ndef relu_backward"})
    report = check(tmp_path, text)
    assert report.ok, str(report)


def test_an_endless_loop_is_stopped_and_what_follows_is_checked(tmp_path: Path) -> None:
    text = sources.swap(sources.LAYERS, {"    out = np.maximum(0, x)\n": "    while True:\n        pass\n"})
    report = check(tmp_path, text, limits=Limits(seconds=1, megabytes=1024))
    states = {one.name: one.state for one in report.functions}
    assert states.pop("relu_forward") == "wrong"
    assert states.pop("relu_backward") == "not checked"  # it needs a cache from the loop
    assert set(states.values()) == {"right"}
    assert report.faults == {"timed-out"}


@pytest.mark.posix
@pytest.mark.parametrize(
    ("waiting", "told"),
    [
        ("time.sleep(1.2)", ""),
        ("time.sleep(60)", "it was stopped after 3 s"),
        ("all(1 for _ in iter(int, 1))", "it was stopped after"),
    ],
)
def test_time_in_which_others_work_does_not_count_as_much(waiting: str, told: str, tmp_path: Path) -> None:
    text = f"import time\nimport numpy as np\nasked = []\n\n\ndef relu_forward(x):\n    asked or {waiting}\n"
    text += "    asked.append(1)\n    return np.maximum(x, 0), x\n"
    report = check(tmp_path, text, limits=Limits(seconds=1, megabytes=1024))
    assert report.faults == ({"timed-out"} if told else set()), str(report)
    assert told in " ".join(str(report).split())


# Stops its own process for two seconds. The wake-up signal is sent several times, since it may come too early.
STOPPED = """
import os, signal, subprocess, time
asked = []


def stop():
    asked.append(1)
    line = f"sleep 2; for i in 1 2 3 4 5 6 7 8 9; do kill -CONT {os.getpid()}; sleep 1; done"
    subprocess.Popen(["sh", "-c", line], stderr=subprocess.DEVNULL)
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(0.25)  # in which a clock would ring


def relu_forward(x):
    asked or stop()
    return np.maximum(x, 0), x
"""


@pytest.mark.posix
def test_time_in_which_the_process_is_stopped_does_not_count(tmp_path: Path) -> None:
    report = check(tmp_path, "import numpy as np\n" + STOPPED, limits=Limits(seconds=0.5))
    assert report.ok, str(report)
    namespace: dict[str, Any] = {"np": np}
    exec(STOPPED, namespace)
    report = check_layers(namespace, timeout=1)
    assert report.ok, str(report)


def test_an_import_that_does_not_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thinnet.check.runner.START", 0.0)
    text = "while True:\n    pass\ndef relu_forward(x):\n    return x, x\n"
    report = check(tmp_path, text, limits=Limits(seconds=0.2))
    assert report.faults == {"timed-out"}
    assert "the import was stopped after 0.2 s" in str(report)


def has_ended(number: str) -> bool:
    """Whether a process is gone or a zombie within 20 seconds; signals may take a while."""
    status = Path("/proc") / number / "stat"
    for _ in range(200):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if status.read_text().rpartition(")")[2].split()[0] != "Z":
                time.sleep(0.1)
                continue
        return True
    return False


DISTURBED = "import ctypes\n"  # its functions can block all Python threads


@pytest.mark.skipif(sys.platform != "linux", reason="it looks for a process in /proc")
@pytest.mark.parametrize("begin", ["", DISTURBED], ids=["", "the worker's clock is stopped"])
def test_nothing_is_left_of_what_is_stopped(begin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thinnet.check.runner.START", 3.0)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", None)  # forget the cached value
    (tmp_path / "temporary").mkdir()
    number = tmp_path / "number"
    lines = ["import subprocess, time", "child = subprocess.Popen(['sleep', '600'])"]
    lines += [f"open({str(number)!r}, 'w').write(str(child.pid))", "def relu_forward(x):", "    return x, x"]
    lines += ["ctypes.PyDLL(None).sleep(600)" if begin else "time.sleep(600)"]
    report = check(tmp_path, begin + "\n".join(lines), limits=Limits(seconds=1, megabytes=1024))
    assert report.faults == {"timed-out"}
    assert "the import was stopped after 4 s" in str(report)
    assert not list((tmp_path / "temporary").iterdir())
    assert has_ended(number.read_text())


@pytest.mark.posix
def test_nothing_is_left_where_the_command_is_terminated(tmp_path: Path) -> None:
    (tmp_path / "layers.py").write_text(
        "import os, time\n\n\ndef relu_forward(x):\n    open('pid', 'w').write(str(os.getpid()))\n    time.sleep(60)\n"
    )
    (tmp_path / "temporary").mkdir()
    command = [sys.executable, "-m", "thinnet", "check", str(tmp_path / "layers.py"), "--html", "page.html"]
    surroundings = {**os.environ, "TMPDIR": str(tmp_path / "temporary")}
    with subprocess.Popen(command, cwd=tmp_path, env=surroundings, stderr=subprocess.PIPE, text=True) as process:
        pid = told(tmp_path, "pid")
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (143, "thinnet: terminated\n")
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)
    assert list((tmp_path / "temporary").iterdir()) == []
    assert not (tmp_path / "page.html").exists()


def told(folder: Path, name: str) -> str:
    """The text of a file that a worker writes somewhere below this folder, once it is there."""
    for _ in range(600):
        for path in folder.rglob(name):
            if text := path.read_text():
                return text
        time.sleep(0.1)
    raise AssertionError(f"no {name}")


def test_a_thread_that_goes_on_does_not_hold_up_the_answer(tmp_path: Path) -> None:
    start = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n"
    assert check(tmp_path, start + sources.LAYERS).count("right") == 11


def test_a_crash_of_python_itself_is_a_verdict(tmp_path: Path) -> None:
    text = sources.swap(sources.LAYERS, {"    out = np.maximum(0, x)\n": "    import ctypes; ctypes.string_at(0)\n"})
    report = check(tmp_path, text)
    assert report.faults == {"crashed"}
    assert "ended by the signal SIG" in str(report)
    assert [one.name for one in report.functions if one.state != "right"] == ["relu_forward", "relu_backward"]


def test_prints_are_captured_and_cannot_disturb(tmp_path: Path) -> None:
    changes = {dropouts.BACK: 'print(\'{"event": "done"}\'); import os; os.write(1, b"{}"); return dout * mask'}
    report = check(tmp_path, dropouts.dropout(changes, "keep"))
    assert report.ok
    assert '{"event": "done"}' in report.functions[1].printed


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def relu_forward(x):\n    return x x\n", "line 2: return x x"),
        ("1 / 0\ndef relu_forward(x):\n    return x, x\n", "division by zero"),
        ("import sys\nsys.exit(0)\ndef relu_forward(x):\n    return x, x\n", "SystemExit"),
        ("import os\nos._exit(0)\ndef relu_forward(x):\n    return x, x\n", "the process ended before"),
    ],
)
def test_a_file_that_cannot_be_imported_says_where(text: str, told: str, tmp_path: Path) -> None:
    report = check(tmp_path, text)
    assert [one.name for one in report.functions] == ["relu_forward"]
    assert report.faults == {"cannot-import"}
    assert told in str(report)


CATCH = "        except BaseException:\n            pass\n"
HOLDING_ON = {
    "a sum": f"        try:\n            x = x + 0\n{CATCH}",
    "a long call": f"        try:\n            import time; time.sleep(0.2)\n{CATCH}",
    "a loop": f"        try:\n            for i in range(10**9): x + i\n{CATCH}",
    "twice": f"        try:\n            try: x = x + 0\n            except: pass\n{CATCH}",
    "finally": "        try:\n            x = np.abs(x)\n        finally:\n            continue",
}


@pytest.mark.posix
@pytest.mark.filterwarnings("ignore:'continue' in a 'finally'")  # Python 3.14 warns about such loops
@pytest.mark.parametrize("loop", HOLDING_ON.values(), ids=HOLDING_ON)
def test_an_endless_loop_that_catches_everything_is_stopped(loop: str) -> None:
    text = f"import numpy as np\n\n\ndef relu_forward(x):\n    while True:\n{loop}\n"
    names: dict[str, Any] = {}
    exec(text, names)
    report = check_layers(names, timeout=0.5)
    assert report.faults == {"timed-out"}, str(report)


@pytest.mark.parametrize("megabytes", [5, 299])
def test_too_little_memory_for_the_checker_itself_is_refused(megabytes: int) -> None:
    with pytest.raises(
        ArgumentError,
        match=f"megabytes must be an integer >= 300, got {megabytes}. Python and NumPy need this much; 2048",
    ):
        Limits(megabytes=megabytes)


def test_the_least_memory_is_enough_for_a_right_file(tmp_path: Path) -> None:
    report = check(tmp_path, dropouts.dropout({}, "keep"), "keep", limits=Limits(megabytes=300))
    assert [one.state for one in report.functions] == ["right", "right"], str(report)
