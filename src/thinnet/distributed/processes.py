"""ProcessGroup: the processes that train one net together over MPI, or one process alone."""

import contextlib
import os
import stat
import sys
import time
import zlib
from types import TracebackType
from typing import Any, TextIO, TypeVar

import numpy as np

from thinnet.errors import ArgumentError, NumericalError, is_on_all_processes, on_all_processes
from thinnet.typing import AnyArray, FloatArray

_T = TypeVar("_T")
SECONDS_FOR_FIRST = 1.0  # how long the others wait before they report an error, since rank 0 probably has the same one
SECONDS_TO_READ = 5.0  # how long a launcher has to read the last output
NEEDED = ("rank", "size", "Allreduce", "Bcast", "bcast", "allgather", "Abort")


class ProcessGroup:
    """The processes of an MPI communicator, each with a number, its rank; all of them must call each method.

    Args:
        communicator: from mpi4py; None for a single process, which exchanges nothing.

    Attributes:
        rank: this process's number, counted from 0.
        size: how many processes there are.
        communicator: the one given.
        exchanged: the bytes of the arrays that were summed over all processes so far.

    Raises:
        ArgumentError: if `communicator` is something else.

    >>> processes = ProcessGroup()
    >>> processes.rank, processes.size, processes.gather("alone")
    (0, 1, ['alone'])
    """

    def __init__(self, communicator: Any = None) -> None:
        missing = [name for name in NEEDED if not hasattr(communicator, name)]
        if communicator is not None and missing:
            raise ArgumentError(
                f"communicator must be one from mpi4py, such as MPI.COMM_WORLD, got {communicator!r}, which has no "
                f"{missing[0]}. Leave it out to train in one process."
            )
        self.rank: int = 0 if communicator is None else communicator.rank
        self.size: int = 1 if communicator is None else communicator.size
        self.exchanged = 0
        self.communicator = communicator
        if self.size > 1:
            _end_all_with_an_error(self)

    def inplace_sum(self, array: FloatArray) -> None:
        """Replace each element of a contiguous array with its sum over all processes."""
        if self.size > 1:
            from mpi4py import MPI

            self.communicator.Allreduce(MPI.IN_PLACE, array)
            self.exchanged += array.nbytes

    def sum(self, *numbers: float) -> list[float]:
        """The sums of numbers over all processes."""
        array = np.array(numbers, np.float64)
        self.inplace_sum(array)
        return [float(number) for number in array]

    def gather(self, thing: _T) -> list[_T]:
        """What each process has, in rank order."""
        return [thing] if self.size == 1 else self.communicator.allgather(thing)

    def from_first(self, thing: _T) -> _T:
        """What the process with rank 0 has."""
        return thing if self.size == 1 else self.communicator.bcast(thing)

    def inplace_from_first(self, array: AnyArray) -> None:
        """Replace a contiguous array with that of rank 0."""
        if self.size > 1:
            self.communicator.Bcast(array)

    def raise_first(self, error: NumericalError | None) -> None:
        """If any process has an error, raise it in all of them."""
        if self.size == 1 and error is not None:
            raise error
        texts = [text for text in self.gather(None if error is None else str(error)) if text is not None]
        if texts:
            raise on_all_processes(NumericalError(texts[0])) from error

    def check_equal(self, array: AnyArray) -> None:
        """Raise NumericalError unless all processes have the same bytes in a contiguous array."""
        sums = self.gather(zlib.crc32(array.data)) if self.size > 1 else []
        if len(set(sums)) > 1:
            raise on_all_processes(
                NumericalError(
                    f"the processes must have the same parameters, got {len(set(sums))} different sets. Use the same "
                    f"kind of processor and MPI for all, and do not change the net in any of them while it trains."
                )
            )

    def may_speak_of(self, error: BaseException) -> bool:
        """Whether this process should report its error: rank 0 first, then the others unless rank 0 has ended them."""
        if self.rank > 0:
            if is_on_all_processes(error):
                return False
            time.sleep(SECONDS_FOR_FIRST)
        return True

    def end(self, error: BaseException, status: int) -> None:
        """End all processes, so that none waits for this one; do nothing if all have failed with the same error."""
        if self.size > 1 and not is_on_all_processes(error):
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
                _wait_until_read(stream)
            self.communicator.Abort(status)


def _wait_until_read(stream: TextIO) -> None:
    """Wait until what was written to a pipe is read: a launcher that ends its processes drops the rest.

    It waits a few seconds at most, since the reader may be gone, and only for pipes.
    """
    with contextlib.suppress(ImportError, OSError):  # the system lacks these modules, or the stream has no file
        import fcntl
        import termios

        if not stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode):
            return
        end = time.monotonic() + SECONDS_TO_READ
        while time.monotonic() < end:
            unread = fcntl.ioctl(stream.fileno(), termios.FIONREAD, bytes(4))
            if not any(unread):
                return
            time.sleep(0.005)


def _end_all_with_an_error(processes: ProcessGroup) -> None:
    """Make an uncaught error end all processes; the others would wait for this one forever."""
    if getattr(sys.excepthook, "ends_all", False):
        return
    before = sys.excepthook

    def end_all(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if processes.may_speak_of(error):
            print(f"process {processes.rank} of {processes.size} failed:", file=sys.stderr)
            before(kind, error, traceback)
            processes.end(error, 1)

    end_all.ends_all = True  # type: ignore[attr-defined]
    sys.excepthook = end_all
