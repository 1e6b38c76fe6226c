"""What is printed during training if there is no progress bar: one line per epoch."""

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
    """Prints a line after each epoch, but at most one per second, and always one after the last epoch."""

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
    """Print a line immediately, above the progress bar if there is one."""
    with above():
        print(text, flush=True)
