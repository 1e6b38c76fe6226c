"""Teams of threads that divide a loop among them, for kernels, which release the GIL while they run."""

import functools
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np

from thinnet.typing import AnyArray

# With fewer elements, handing work to other threads costs more than it saves.
ENOUGH = 1 << 15
ENOUGH_FOR_PYTHON = 1 << 17  # for Python threads, which wait for each other at the GIL
CACHE_LINE = 64  # bytes


# How a kernel's work is divided: the address of OpenMP's GOMP_parallel, or 0 for the calling thread alone; how many
# threads to request; the first part to do, one past the last, and the total number of parts. A plain tuple, since
# Numba takes a microsecond longer to unpack a named one.
Share = tuple[int, int, int, int, int]
ALONE = 0, 0  # the first two elements of a Share
WHOLE: Share = (*ALONE, 0, 1, 1)  # all of it, in one part

Work = Callable[..., None]  # a kernel that takes a Share first


class Team(Protocol):
    """Threads that work in parallel, including the calling one."""

    enough: int  # elements

    @property
    def size(self) -> int:
        """The number of threads."""

    def run(self, work: Work, parts: int, *arguments: Any) -> None:
        """Call ``work(share, *arguments)`` so that each part is done once, in parallel."""


class OneThread:
    """Only the calling thread."""

    size, enough = 1, ENOUGH

    def run(self, work: Work, parts: int, *arguments: Any) -> None:
        """Do the parts one after another."""
        work((*ALONE, 0, parts, parts), *arguments)


class ThreadPool:
    """Python threads."""

    enough = ENOUGH_FOR_PYTHON

    @property
    def size(self) -> int:
        """The number of threads."""
        return num_threads()

    def run(self, work: Work, parts: int, *arguments: Any) -> None:
        """Do the first part on this thread, and the others in the pool."""
        shares = [(*ALONE, part, part + 1, parts) for part in range(parts)]
        others = [_pool(self.size).submit(work, share, *arguments) for share in shares[1:]]
        try:
            work(shares[0], *arguments)
        finally:
            for other in others:
                other.result()


@functools.cache
def num_threads() -> int:
    """The number of cores that this process may use, or OMP_NUM_THREADS if that is smaller."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, limit_of_threads("OMP_NUM_THREADS"))


def limit_of_threads(variable: str) -> int:
    """The limit that an environment variable sets on the number of threads; huge if it sets none."""
    limit = os.environ.get(variable, "")
    return int(limit) if limit.isdecimal() and int(limit) > 0 else sys.maxsize


@functools.cache
def _pool(size: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(size, thread_name_prefix="thinnet")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # the pool's threads do not exist in the child

ONE_THREAD = OneThread()  #: the calling thread
THREAD_POOL = ThreadPool()  #: for work that does not run alongside matrix products


def parts_for(team: Team, num_elements: int) -> int:
    """How many parts a team splits this many elements into: one if more are not worthwhile."""
    return team.size if num_elements >= team.enough else 1


def scratch(parts: int, dtype: Any, width: int, lines: int = 1) -> AnyArray:
    """Scratch space for each part of a team's work: (parts, lines, a little more than `width`).

    The padding between lines avoids false sharing between threads.
    """
    return np.empty((parts, lines, width + CACHE_LINE // np.dtype(dtype).itemsize), dtype)


def share_out(team: Team, num_elements: int, work: Work, *arguments: Any) -> None:
    """Call ``work(share, *arguments)``, with its parts in parallel if there are enough elements.

    The result must not depend on how the work is split.
    """
    team.run(work, parts_for(team, num_elements), *arguments)
