"""SIGKILL at random moments: each run is resumed until it finishes, and must end as if nothing had happened."""

from __future__ import annotations

import os
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from itertools import cycle
from pathlib import Path

import training
from figures import Figure


def run(share: float) -> Iterator[Figure]:
    kills = max(4, round(200 * share))
    rng = random.Random(0)
    killed = runs = leftovers = early = 0
    _seconds_of_a_run()  # a warm-up, which compiles and loads things
    longest = _seconds_of_a_run() / 2
    for mask in cycle(("element", "batch")):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            while _ends_within(mask, folder, rng.uniform(0, longest)) is False:
                killed += 1
                leftovers += any(folder.glob(".step-*"))
                early += not any(folder.glob("step-*"))
            _check(mask, folder)
        runs += 1
        if killed >= kills:
            break
    result = (
        f"all {runs} runs ended bit for bit as the uninterrupted one; {leftovers} kills left a half-written file, "
        f"cleared away later; {early} came before the first checkpoint"
    )
    yield Figure("SIGKILL at a random moment of a training, then resumed", f"{killed:,} kills", result)
    yield _between_writing_and_removing()


def _between_writing_and_removing() -> Figure:
    """Kill at the one moment when three checkpoints exist: early in training, halfway, and at the end."""
    kills = 0
    for mask in ("element", "batch"):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for oldest in (1, training.NUM_STEPS // 2, training.NUM_STEPS - 2):
                child = training.in_child(partial(_die_before_removing, mask, folder, oldest))
                _, status = os.waitpid(child, 0)
                assert os.WIFSIGNALED(status), "the child's own report is above"
                assert _steps(folder) == [oldest, oldest + 1, oldest + 2]
                kills += 1
            _check(mask, folder)
    result = "each left three checkpoints; the next training in the folder went on from the newest and kept two"
    return Figure("SIGKILL after a checkpoint was written and before the oldest was removed", f"{kills} kills", result)


def _die_before_removing(mask: str, folder: Path, oldest: int) -> int:
    unlink = Path.unlink

    def die(path: Path, missing_ok: bool = False) -> None:
        if path.name == _name(oldest):
            os.kill(os.getpid(), signal.SIGKILL)
        unlink(path, missing_ok)

    Path.unlink = die  # type: ignore[method-assign]
    training.go_on(mask, folder).train()
    return 0


def _name(step: int) -> str:
    return f"step-{step:09d}.safetensors"


def _steps(folder: Path) -> list[int]:
    return sorted(int(path.name[5:14]) for path in folder.glob("step-*"))


def _seconds_of_a_run() -> float:
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        solver = training.solver("element", Path(folder))
        solver.train()
        return time.perf_counter() - started


def _ends_within(mask: str, folder: Path, seconds: float) -> bool:
    """Continue the run in another process; False if it had to be killed after `seconds`."""
    child = training.in_child(lambda: training.go_on(mask, folder).train() is None)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        time.sleep(min(0.002, seconds))
    else:
        os.kill(child, signal.SIGKILL)  # one that has already ended keeps its PID until it is waited for
        _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return False
    assert status == 0, "the child's own report is above"
    return True


def _check(mask: str, folder: Path) -> None:
    finished = training.go_on(mask, folder)
    assert finished.iteration == training.NUM_STEPS
    finished.train()  # takes no steps; restores the best weights, as training does at its end
    assert training.outcome(finished) == training.uninterrupted(mask)
    assert _steps(folder) == [training.NUM_STEPS - 1, training.NUM_STEPS]
    assert not any(folder.glob(".step-*"))
