"""When a run is saved, and what Ctrl-C and SIGTERM do to it."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from thinnet.checks import check_number
from thinnet.distributed.processes import ProcessGroup
from thinnet.errors import on_all_processes
from thinnet.storage.checkpoint import Checkpoints, Run
from thinnet.training.interrupts import agreed, delayed_interrupt, ended_by


class Saving:
    """Writes checkpoints of a run while it trains.

    Args:
        run: the run to save.
        folder: the folder to which rank 0 writes.
        every: steps between checkpoints; None for an epoch.
        processes: the processes that train together.
        resumed: whether the folder's checkpoints are the run's own.
    """

    def __init__(self, run: Run, folder: Path, every: int | None, processes: ProcessGroup, resumed: bool) -> None:
        self.every = check_number("checkpoint_every", run.state.steps_per_epoch if every is None else every)
        self.run, self.processes = run._replace(options={**run.options, "checkpoint_every": self.every}), processes
        self.checkpoints = Checkpoints(folder, resumed) if processes.rank == 0 else None
        if resumed and self.checkpoints is not None:
            self.checkpoints.newest = run.state.iteration

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lock the folder against other runs, and delay a first Ctrl-C or SIGTERM until the end of a step."""
        others_wait = nullcontext() if self.checkpoints is None else self.checkpoints.held()
        with others_wait, delayed_interrupt(quiet=self.processes.rank > 0) as self._asked:
            yield

    def after_step(self) -> None:
        """Write a checkpoint if one is due, training ends, or a signal arrived, which then ends training."""
        state = self.run.state
        signaled = agreed(state, self.processes, max(self._asked, default=0))
        if not (state.finished or signaled or state.iteration % self.every == 0):
            return
        state.weights.check(state.iteration, state.history.loss[-1])
        path = None if self.checkpoints is None else self.checkpoints.save(self.run)
        if signaled and not state.finished:
            saved = f"saved {path} after step {state.iteration} of {state.total_steps}"
            raise on_all_processes(ended_by(signaled, saved))
