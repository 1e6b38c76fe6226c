"""Training in a separate process that gets Ctrl-C, is killed, or finds the disk full: nothing saved is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from interrupted_runs import files, finish, interrupted, make_data
from thinnet import Solver, kernels
from thinnet.errors import CheckpointError

# Both processes run without kernels, which take longer to load than these runs and do not affect signals and files.
pytestmark = [pytest.mark.posix, pytest.mark.usefixtures("without_kernels")]

CHILD = """
    import os, signal, sys, time
    import numpy as np
    from thinnet import Callback, Solver
    from interrupted_runs import make_data, make_net, make_solver
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored in the background of a shell

    class At(Callback):
        def on_step(self, solver):
            if solver.iteration == 6:
                act(solver)

    def run(**options):
        solver = make_solver(make_net(), make_data(), checkpoint_dir=sys.argv[1], callbacks=[At()], **options)
        solver.train()
"""

WAITING = """
def act(solver):
    print("now", flush=True)
    sys.stdin.readline()

"""


def start(script: str, folder: Path) -> subprocess.Popen[str]:
    """A process that calls the script's `act` after step 6."""
    code = textwrap.dedent(CHILD) + textwrap.dedent(script)
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths, kernels.SWITCH: "0"},
    )


def wait_for_step_6(child: subprocess.Popen[str]) -> None:
    assert child.stdout is not None
    assert child.stdout.readline() == "now\n"


def test_ctrl_c_saves_and_ends_after_the_step(tmp_path: Path) -> None:
    child = start(WAITING + "run(checkpoint_every=100)", tmp_path)
    wait_for_step_6(child)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate("go on\n", timeout=60)
    assert child.returncode != 0
    assert "thinnet: finishing this step and saving; Ctrl-C again ends at once" in err
    assert "KeyboardInterrupt: saved " in err
    assert "step-000000006.safetensors after step 6 of 12" in err
    assert files(tmp_path) == ["step-000000006.safetensors"]
    finish(tmp_path)


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    """The step never ends, and what was saved before stays intact."""
    child = start(
        """
        def act(solver):
            print("now", flush=True)
            while True:
                time.sleep(0.01)
        run(checkpoint_every=2)
        """,
        tmp_path,
    )
    assert child.stderr is not None
    wait_for_step_6(child)
    child.send_signal(signal.SIGINT)
    while "finishing this step" not in child.stderr.readline():
        pass
    assert child.poll() is None
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert files(tmp_path) == ["step-000000002.safetensors", "step-000000004.safetensors"]
    finish(tmp_path)


def test_sigterm_saves_and_ends_after_the_step(tmp_path: Path) -> None:
    child = start(WAITING + "run(checkpoint_every=100)", tmp_path)
    wait_for_step_6(child)
    child.send_signal(signal.SIGTERM)
    _, err = child.communicate("go on\n", timeout=60)
    assert child.returncode == 143
    assert err == "\nthinnet: finishing this step and saving; SIGTERM again ends at once\n"
    assert files(tmp_path) == ["step-000000006.safetensors"]
    finish(tmp_path)


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM], ids=lambda second: second.name)
def test_a_second_signal_after_sigterm_ends_at_once(second: signal.Signals, tmp_path: Path) -> None:
    child = start(WAITING + "run(checkpoint_every=2)", tmp_path)
    assert child.stderr is not None
    wait_for_step_6(child)
    child.send_signal(signal.SIGTERM)
    while "finishing this step" not in child.stderr.readline():
        pass
    child.send_signal(second)
    child.wait(timeout=60)  # although the step, which waits for input, never ends
    assert child.returncode == -second
    child.communicate()
    assert files(tmp_path) == ["step-000000002.safetensors", "step-000000004.safetensors"]
    finish(tmp_path)


@pytest.mark.parametrize("handler", ["signal.SIG_IGN", "lambda number, frame: print('mine')"])
def test_sigterm_that_is_ignored_or_somebody_elses_is_left_alone(handler: str, tmp_path: Path) -> None:
    child = start(
        f"""
        signal.signal(signal.SIGTERM, {handler})
        def act(solver):
            os.kill(os.getpid(), signal.SIGTERM)
        run()
        """,
        tmp_path,
    )
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out, err) == (0, "mine\n" if "mine" in handler else "", "")


def test_ctrl_c_where_it_is_ignored_stays_ignored(tmp_path: Path) -> None:
    child = start(
        """
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        def act(solver):
            os.kill(os.getpid(), signal.SIGINT)
        run()
        """,
        tmp_path,
    )
    _, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (0, "")


def test_a_handler_of_somebody_else_is_put_back(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    interrupted(tmp_path)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_another_process_in_the_folder_is_refused(tmp_path: Path) -> None:
    child = start(WAITING + "run(checkpoint_every=2)", tmp_path)
    wait_for_step_6(child)
    with pytest.raises(CheckpointError, match="must be used by one run at a time"):
        Solver.resume(tmp_path, make_data()).train()
    _, err = child.communicate("go on\n", timeout=60)
    assert child.returncode == 0, err
    finish(tmp_path)


def test_a_killed_process_leaves_no_lock_and_nothing_lost(tmp_path: Path) -> None:
    child = start(
        """
        def act(solver):
            os.kill(os.getpid(), signal.SIGKILL)
        run(checkpoint_every=2)
        """,
        tmp_path,
    )
    child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL
    finish(tmp_path)


def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    """A file size limit simulates it: writing fails in the middle of a file."""
    child = start(
        """
        import resource
        def act(solver):
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        run(checkpoint_every=1)
        """,
        tmp_path,
    )
    _, err = child.communicate(timeout=60)
    assert "CheckpointError" in err
    assert "step-000000006.safetensors must be a file to write, got an error while writing it (File too large)" in err
    assert "The checkpoint of step 5 is whole; fix that and resume" in err
    assert files(tmp_path) == ["step-000000004.safetensors", "step-000000005.safetensors"]
    finish(tmp_path)


@pytest.mark.parametrize("step", [6, 12])
def test_a_checkpoint_too_many_of_a_killed_run_is_removed_by_the_next(step: int, tmp_path: Path) -> None:
    """Killed after the newest is written but before the oldest is removed: in the middle or at the end of training."""
    child = start(
        f"""
        unlink = os.unlink
        def die(path, *args, **options):
            if str(path).endswith("step-{step - 2:09d}.safetensors"):
                os.kill(os.getpid(), signal.SIGKILL)
            unlink(path, *args, **options)
        os.unlink = die
        def act(solver):
            pass
        run(checkpoint_every=1)
        """,
        tmp_path,
    )
    child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL
    left = [f"step-{number:09d}.safetensors" for number in (step - 2, step - 1, step)]
    assert files(tmp_path) == left
    damaged = (tmp_path / left[2]).read_bytes()
    (tmp_path / left[2]).write_bytes(damaged[:-1])
    with pytest.raises(CheckpointError, match=f"Remove {left[2]} to go on from {left[1]} instead"):
        Solver.resume(tmp_path, make_data())
    assert files(tmp_path) == left  # nothing is removed while the newest is damaged
    (tmp_path / left[2]).write_bytes(damaged)
    finish(tmp_path)
    assert len(files(tmp_path)) == 2


@pytest.mark.parametrize("how", ["-m", "-c"])
def test_the_command_ends_without_a_traceback_where_it_is_interrupted_as_it_starts(how: str, tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")  # the first import
    command = [sys.executable, how, "thinnet" if how == "-m" else "import thinnet", "--version"]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        ended = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.returncode == -signal.SIGINT
    assert ended.stdout == ""
    assert (ended.stderr == "") == (how == "-m")  # a program that imports it gets KeyboardInterrupt, as usual
