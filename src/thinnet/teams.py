"""Teams of threads that share a loop out, for kernels, which release the interpreter while they run."""

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np

from thinnet.typing import AnyArray

# Elements below which handing work over costs more than it saves.
ENOUGH = 1 << 15
ENOUGH_FOR_PYTHON = 1 << 17  # where threads of Python's own wait for one another at the interpreter
CACHE_LINE = 64  # bytes


# How the parts of a kernel's work are shared out: where OpenMP's GOMP_parallel is, as a number, or 0 for the calling
# thread alone; how many threads it is told to take; the first of the parts to do, the one behind the last of them, and
# how many there are in all. A plain tuple, since Numba takes a microsecond longer to look at one with names.
Share = tuple[int, int, int, int, int]
ALONE = 0, 0  # in front of the parts
WHOLE: Share = (*ALONE, 0, 1, 1)  # all of it, in one part

Work = Callable[..., None]  # a kernel that takes a Share first


class Team(Protocol):
    """Threads that work side by side, the calling one among them."""

    enough: int  # elements

    @property
    def size(self) -> int:
        """How many they are."""

    def run(self, work: Work, parts: int, *arguments: Any) -> None:
        """Call ``work(share, *arguments)`` so that each part is done once, side by side."""


class OneThread:
    """The calling thread alone."""

    size, enough = 1, ENOUGH

    def run(self, work: Work, parts: int, *arguments: Any) -> None:
        """Do one part after the other."""
        work((*ALONE, 0, parts, parts), *arguments)


class ThreadPool:
    """Threads of Python's own."""

    enough = ENOUGH_FOR_PYTHON

    @property
    def size(self) -> int:
        """How many they are."""
        return num_threads()

    def run(self, work: Work, parts: int, *arguments: Any) -> None:
        """Do the first part on this thread."""
        shares = [(*ALONE, part, part + 1, parts) for part in range(parts)]
        others = [_pool(self.size).submit(work, share, *arguments) for share in shares[1:]]
        try:
            work(shares[0], *arguments)
        finally:
            for other in others:
                other.result()


@functools.cache
def num_threads() -> int:
    """As many threads as there are cores that this process may use, or OMP_NUM_THREADS if that is fewer."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(limit)) if limit.isdecimal() and int(limit) > 0 else cores


@functools.cache
def _pool(size: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(size, thread_name_prefix="thinnet")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # the threads are not in the child

ONE_THREAD = OneThread()  #: the calling thread
THREAD_POOL = ThreadPool()  #: for work that does not stand beside products


def parts_for(team: Team, num_elements: int) -> int:
    """In how many parts a team takes work on so many elements: in one where more would not be worth it."""
    return team.size if num_elements >= team.enough else 1


def scratch(parts: int, dtype: Any, width: int, lines: int = 1) -> AnyArray:
    """Room for some lines of each part of what a team shares: (parts, lines, a little more than `width`).

    The room between two parts keeps one thread's writing out of the other's cache.
    """
    return np.empty((parts, lines, width + CACHE_LINE // np.dtype(dtype).itemsize), dtype)


def share_out(team: Team, num_elements: int, work: Work, *arguments: Any) -> None:
    """Call ``work(share, *arguments)``, its parts side by side where so many elements are worth it.

    The work must give the same whatever the parts are.
    """
    team.run(work, parts_for(team, num_elements), *arguments)
