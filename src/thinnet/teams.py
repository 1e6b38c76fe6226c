"""Teams of threads that share a loop out, for kernels, which release the interpreter while they run."""

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

ENOUGH = 1 << 17  # elements below which handing work over costs more than it saves


class Team(Protocol):
    """Threads that work side by side, the calling one among them."""

    @property
    def size(self) -> int:
        """How many they are, asked for outside of `run`."""
        ...

    def run(self, work: Callable[[int], None], parts: int) -> None:
        """Call ``work(0)`` to ``work(parts - 1)``, side by side; `parts` is at most `size`."""
        ...


class OneThread:
    """The calling thread alone."""

    size = 1

    def run(self, work: Callable[[int], None], parts: int) -> None:
        """Call one after the other."""
        for part in range(parts):
            work(part)


class ThreadPool:
    """Threads of Python's own."""

    @property
    def size(self) -> int:
        """How many they are."""
        return num_threads()

    def run(self, work: Callable[[int], None], parts: int) -> None:
        """Call the first on this thread."""
        others = [_pool(self.size).submit(work, part) for part in range(1, parts)]
        try:
            work(0)
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


def over_rows(work: Callable[[int, int], None], num_rows: int, num_elements: int, team: Team) -> None:
    """Call ``work(start, stop)`` for pieces of the rows, side by side where that pays.

    `work` must release the interpreter, as the kernels do, and give the same whatever the pieces are.
    """
    count = max(1, min(num_rows, team.size)) if num_elements >= ENOUGH else 1
    team.run(lambda k: work(k * num_rows // count, (k + 1) * num_rows // count), count)
