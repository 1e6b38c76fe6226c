"""When a run is saved, and what Ctrl-C and SIGTERM do to it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from thinnet.checks import check_number
from thinnet.parallel import Ranks, on_all_ranks
from thinnet.training.interrupts import DelayedInterrupt, ended_by
from thinnet.training.state import TrainingState

if TYPE_CHECKING:
    from thinnet.storage.checkpoint import Run


class Saving:
    """Writes checkpoints of a run while it trains.

    Args:
        run: what is written.
        folder: where, by the process of rank 0.
        every: steps between two checkpoints; None for an epoch.
        ranks: the processes that train together.
        resumed: whether the folder's checkpoints are the run's own.
    """

    def __init__(self, run: Run, folder: Path, every: int | None, ranks: Ranks, resumed: bool) -> None:
        from thinnet.storage.checkpoint import Checkpoints  # with what reads and writes files: not before it is needed

        self.every = check_number("checkpoint_every", run.state.steps_per_epoch if every is None else every)
        self.run, self.ranks = run._replace(options={**run.options, "checkpoint_every": self.every}), ranks
        self.checkpoints = Checkpoints(folder, resumed) if ranks.rank == 0 else None
        self._interrupt = DelayedInterrupt(quiet=ranks.rank > 0)
        if resumed and self.checkpoints is not None:
            self.checkpoints.newest = run.state.iteration

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other runs out of the folder, and let a first Ctrl-C or SIGTERM wait for the end of a step."""
        with nullcontext() if self.checkpoints is None else self.checkpoints.held():
            self._interrupt = DelayedInterrupt(quiet=self.ranks.rank > 0)
            with self._interrupt:
                yield

    def after_step(self) -> None:
        """Write a checkpoint where it is time, training ends, or a signal asks for it, which ends it then."""
        state = self.run.state
        signaled = agreed(state, self.ranks, self._interrupt.asked)
        if not (state.finished or signaled or state.iteration % self.every == 0):
            return
        state.weights.check(state.iteration, state.history.loss[-1])
        path = None if self.checkpoints is None else self.checkpoints.save(self.run)
        if signaled and not state.finished:
            saved = f"saved {path} after step {state.iteration} of {state.total_steps}"
            raise on_all_ranks(ended_by(signaled, saved))


def agreed(state: TrainingState, ranks: Ranks, signaled: int = 0) -> int:
    """The signal that any process got, or 0; a reason to stop that rank 0 has becomes that of all."""
    size = ranks.size
    if size == 1:
        return signaled
    weight = size + 1 if signaled == signal.SIGTERM else signaled > 0  # so that the sum tells whether one got SIGTERM
    signals, stops = ranks.sum(weight, state.stop_reason is not None)
    if stops:
        state.stop_reason = ranks.from_first(state.stop_reason)
    return signal.SIGTERM if signals > size else signal.SIGINT if signals else 0
