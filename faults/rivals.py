"""Two processes on one folder: the second is refused, and the first is not affected."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import training
from figures import Figure
from thinnet import Callback
from thinnet.errors import CheckpointError
from thinnet.training.state import TrainingState


class _Wait(Callback):
    """Tell the other process that training is under way, and wait for its answer."""

    def __init__(self, tell: int, hear: int) -> None:
        self.tell, self.hear = tell, hear

    def on_step(self, state: TrainingState) -> None:
        if state.iteration == 5:
            os.write(self.tell, b".")
            os.read(self.hear, 1)


def run(share: float) -> Iterator[Figure]:
    rounds = max(2, round(50 * share))
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as name:
            _round(Path(name))
    result = "the second was refused each time, and the first ended as if alone"
    yield Figure("a second process resumes while the first trains", f"{rounds} times", result)


def _round(folder: Path) -> None:
    heard, tell = os.pipe()
    hear, answer = os.pipe()

    def work() -> int:
        solver = training.solver("element", folder)
        solver.callbacks.append(_Wait(tell, hear))
        solver.train()
        return int(training.outcome(solver) != training.uninterrupted("element"))

    child = training.in_child(work)
    os.read(heard, 1)
    try:
        training.go_on("element", folder).train()
        raise AssertionError("two processes trained in one folder")
    except CheckpointError as error:
        refusal = str(error)
    os.write(answer, b".")
    assert "by one run at a time" in refusal
    assert os.waitpid(child, 0)[1] == 0
    for descriptor in (heard, tell, hear, answer):
        os.close(descriptor)
