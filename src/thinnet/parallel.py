"""Ranks: the processes that train one net together over MPI, or one process alone."""

from __future__ import annotations

import os
import sys
import time
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, TypeVar

import numpy as np

from thinnet.errors import ArgumentError, NumericalError, require
from thinnet.typing import AnyArray, FloatArray, IntArray

_T = TypeVar("_T")
_E = TypeVar("_E", bound=BaseException)
BatchStatistics = Literal["global", "local"]
BATCH_STATISTICS: tuple[BatchStatistics, ...] = ("global", "local")
ROWS_FOR_LOCAL_STATISTICS = 32  # rows a process on average; with fewer, one may come to hold none of a batch
# What MPICH, Open MPI and Slurm tell the processes that they start of how many there are.
SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
SECONDS_FOR_FIRST = 1.0  # that the others wait before they speak of an error, since rank 0 likely has the same
NEEDED = ("rank", "size", "Allreduce", "Bcast", "bcast", "allgather", "Abort")


class Ranks:
    """The processes of an MPI communicator, each with a number, its rank; every method is called by all of them.

    Args:
        communicator: of mpi4py; None for one process alone, for which nothing is exchanged.

    Attributes:
        rank: this process's number, counted from 0.
        size: how many there are.
        exchanged: the bytes of the arrays that were summed over all processes so far.

    Raises:
        ArgumentError: if `communicator` is something else.

    >>> ranks = Ranks()
    >>> ranks.rank, ranks.size, ranks.gather("alone")
    (0, 1, ['alone'])
    """

    def __init__(self, communicator: Any = None) -> None:
        missing = [name for name in NEEDED if not hasattr(communicator, name)]
        if communicator is not None and missing:
            raise ArgumentError(
                f"communicator must be one of mpi4py, such as MPI.COMM_WORLD, got {communicator!r}, which has no "
                f"{missing[0]}. Leave it out to train in one process."
            )
        self.rank: int = 0 if communicator is None else communicator.rank
        self.size: int = 1 if communicator is None else communicator.size
        self.exchanged = 0
        self._communicator: Any = communicator if self.size > 1 else None
        if self.size > 1:
            _end_all_with_an_error(self)

    def inplace_sum(self, array: FloatArray) -> None:
        """Replace each element of a contiguous array by its sum over all processes."""
        if self.size > 1:
            from mpi4py import MPI

            self._communicator.Allreduce(MPI.IN_PLACE, array)
            self.exchanged += array.nbytes

    def sum(self, *numbers: float) -> list[float]:
        """The sums of numbers over all processes."""
        array = np.array(numbers, np.float64)
        self.inplace_sum(array)
        return [float(number) for number in array]

    def gather(self, thing: _T) -> list[_T]:
        """What each process has, in the order of their ranks."""
        return [thing] if self.size == 1 else self._communicator.allgather(thing)

    def from_first(self, thing: _T) -> _T:
        """What the process of rank 0 has."""
        return thing if self.size == 1 else self._communicator.bcast(thing)

    def inplace_from_first(self, array: AnyArray) -> None:
        """Replace a contiguous array by that of rank 0."""
        if self.size > 1:
            self._communicator.Bcast(array)

    def raise_first(self, error: NumericalError | None) -> None:
        """Raise an error that any process has in all of them; nothing where none has one."""
        if self.size == 1 and error is not None:
            raise error
        texts = [text for text in self.gather(None if error is None else str(error)) if text is not None]
        if texts:
            raise on_all_ranks(NumericalError(texts[0])) from error

    def check_equal(self, array: AnyArray) -> None:
        """Raise NumericalError unless all processes have the same bytes in a contiguous array."""
        sums = self.gather(zlib.crc32(array.data)) if self.size > 1 else []
        if len(set(sums)) > 1:
            raise on_all_ranks(
                NumericalError(
                    f"the processes must have the same parameters, got {len(set(sums))} different ones. Use the same "
                    f"kind of processor and of MPI for all, and change the net in none of them while it trains."
                )
            )

    def may_speak_of(self, error: BaseException) -> bool:
        """Whether this process should tell the user of its error: rank 0 first, the others if it does not end them."""
        if self.rank > 0:
            if is_on_all_ranks(error):
                return False
            time.sleep(SECONDS_FOR_FIRST)
        return True

    def end(self, error: BaseException, status: int) -> None:
        """End all processes, so that none waits for this one; nothing where all have failed alike."""
        if self.size > 1 and not is_on_all_ranks(error):
            sys.stderr.flush()
            self._communicator.Abort(status)


@dataclass(frozen=True)
class Exchange:
    """What the processes that train together tell each other in a step.

    Args:
        ranks: the processes.
        held: says which of a minibatch's rows this process has: their places in it, and their numbers here.
        statistics: whether batch normalization uses those of the whole minibatch, ``"global"``, or of each part.
    """

    ranks: Ranks
    held: Callable[[IntArray], tuple[IntArray, IntArray]]
    statistics: BatchStatistics = "global"

    def inplace_sum(self, array: FloatArray) -> None:
        """Replace each element by its sum over all processes."""
        self.ranks.inplace_sum(array)

    def add_up(self, loss: float, gradients: FloatArray, running: FloatArray) -> float:
        """Turn every process's part of the loss, which is returned, and of the gradients into their sums.

        Running statistics that are each process's own become their mean.
        """
        self.ranks.inplace_sum(gradients)
        if self.statistics == "local" and running.size:
            self.ranks.inplace_sum(running)
            running /= self.ranks.size
        return self.ranks.sum(loss)[0]

    def whole(self, row_positions: IntArray, rows: AnyArray, total: int) -> AnyArray:
        """An array of all rows of a minibatch, of which each process gives those that it has."""
        whole = np.empty((total, *rows.shape[1:]), rows.dtype)
        for positions, part in self.ranks.gather((row_positions, rows)):
            whole[positions] = part
        return whole


def started_by_mpi() -> Any:
    """The communicator of all processes where ``mpiexec`` started this one, else None; it shares out the cores.

    Raises:
        MissingExtraError: if it did, but mpi4py is not installed.
    """
    if not started_several():
        return None
    world = require("mpi4py.MPI", extra="mpi", purpose="training in several processes").COMM_WORLD
    if world.size > 1:
        _share_cores(world)
    return world


def started_several() -> bool:
    """Whether this is one of several processes that ``mpiexec`` started."""
    return any(os.environ.get(name, "1") != "1" for name in SIZES)


def warn_if_alone(communicator: Any) -> None:
    """Warn where several processes were started, but this one is about to train a net of its own."""
    if communicator is None and started_several():
        warnings.warn(
            "Several processes were started by mpiexec, and each trains a net of its own. To train one net in all "
            "of them, give the solver communicator=MPI.COMM_WORLD.",
            stacklevel=4,
        )


def _share_cores(world: Any) -> None:
    """Give each process its share of the machine's cores, unless the user has said how many threads to use."""
    if any(name in os.environ for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")):
        return
    from mpi4py import MPI

    from thinnet.kernels.threads import num_threads  # which takes a while to import

    limits = require("threadpoolctl", extra="mpi", purpose="sharing cores between processes")
    here = world.Split_type(MPI.COMM_TYPE_SHARED)
    limits.threadpool_limits(max(1, num_threads() // here.size))


def on_all_ranks(error: _E) -> _E:
    """Mark an error as one that every process raises at the same place, so that none is left waiting."""
    error.on_all_ranks = True  # type: ignore[attr-defined]
    return error


def is_on_all_ranks(error: BaseException) -> bool:
    """Whether `on_all_ranks` marked an error."""
    return getattr(error, "on_all_ranks", False)


def _end_all_with_an_error(ranks: Ranks) -> None:
    """Make an error that nobody catches end all processes; the others would wait for this one forever."""
    if getattr(sys.excepthook, "ends_all", False):
        return
    before = sys.excepthook

    def end_all(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if ranks.may_speak_of(error):
            print(f"process {ranks.rank} of {ranks.size} failed:", file=sys.stderr)
            before(kind, error, traceback)
            ranks.end(error, 1)

    end_all.ends_all = True  # type: ignore[attr-defined]
    sys.excepthook = end_all
