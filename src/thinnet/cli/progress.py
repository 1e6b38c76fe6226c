"""What is printed while a run trains and no bar can be seen: a line an epoch."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from thinnet.bars import above
from thinnet.callbacks import Callback
from thinnet.statistics import rounded

if TYPE_CHECKING:
    from thinnet.training.state import TrainingState

SECONDS_BETWEEN = 1.0  # short epochs share a line


class EpochLines(Callback):
    """A line on standard output after each epoch, but one a second at most; after the last one in any case."""

    def __init__(self) -> None:
        self._told = -math.inf

    def on_epoch(self, state: TrainingState) -> None:
        recent = time.monotonic() - self._told < SECONDS_BETWEEN and state.iteration < state.total_steps
        if recent or state.epoch == 0:
            return
        self._told = time.monotonic()
        history, measure = state.history, state.measure
        head = f"epoch {state.epoch} of {state.epochs}: {measure}"
        parts = [f"{head} {rounded(history.train_accuracy[-1])} in training"]
        if history.val_accuracy:
            parts.append(f"{rounded(history.val_accuracy[-1])} in validation")
        say(", ".join([*parts, f"{history.seconds[-1]:.0f} s"]))


def say(text: str) -> None:
    """Print a line at once, above the bar if there is one."""
    with above():
        print(text, flush=True)
