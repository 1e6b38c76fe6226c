"""What is printed while a run trains and no bar can be seen: a line an epoch, and why the first step takes long."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from thinnet import kernels
from thinnet.callbacks import Callback
from thinnet.statistics import rounded

if TYPE_CHECKING:
    from thinnet.training.state import TrainingState

SECONDS_BETWEEN = 1.0  # short epochs share a line
COMPILING = "numba:compile"  # the event of a kernel that was not in the cache on disk


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
    from tqdm import tqdm

    with tqdm.external_write_mode(file=sys.stdout):
        print(text, flush=True)


@contextmanager
def compilation_announced(announce: Callable[[str], Any] = say) -> Iterator[None]:
    """Call `announce` with a sentence when Numba first compiles a kernel within the block, rather than loads it."""
    if not kernels.available():
        yield
        return
    from numba.core import event

    class Compilation(event.Listener):  # type: ignore[misc]  # Numba has no types
        """Speaks once."""

        spoken = False

        def on_start(self, event: Any) -> None:
            if not self.spoken:
                announce("The kernels are being compiled, which takes about half a minute, once on this machine.")
            self.spoken = True

        def on_end(self, event: Any) -> None:
            """Nothing to say."""

    with event.install_listener(COMPILING, Compilation()):
        yield
