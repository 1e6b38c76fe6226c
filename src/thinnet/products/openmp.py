"""The threads of an OpenMP runtime, which share the work of products and of the loops between them.

After each of these they occupy the cores for a while, so that they are ready for the next one.
"""

import ctypes
import functools
import os
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np

from thinnet.teams import ENOUGH, ONE_THREAD, WHOLE, Team, Work, limit_of_threads

LIMIT = "OPENBLAS_NUM_THREADS"  # limits NumPy's products, and here ours too; OpenMP itself reads OMP_NUM_THREADS


@functools.cache
def team() -> Team:
    """The threads of GCC's runtime, from the system or from scikit-learn; without one, only the calling thread."""
    if sys.platform != "linux":
        return ONE_THREAD
    packages = Path(np.__file__).parent.parent
    for runtime in ("libgomp.so.1", *packages.glob("scikit_learn.libs/libgomp*")):
        try:
            return OpenMPTeam(ctypes.CDLL(str(runtime)))
        except (OSError, AttributeError):  # AttributeError: it lacks a function
            continue
    return ONE_THREAD


class OpenMPTeam:
    """The threads of an OpenMP runtime, given its loaded library."""

    enough = ENOUGH

    def __init__(self, runtime: ctypes.CDLL) -> None:
        self._max_threads, self._limit = runtime.omp_get_max_threads, limit_of_threads(LIMIT)
        self._fork = ctypes.cast(runtime.GOMP_parallel, ctypes.c_void_p).value or 0
        self._forked, self._turn = False, threading.Lock()  # held while the threads are in use
        os.register_at_fork(after_in_child=self._stay_alone)

    def __reduce__(self) -> tuple[Any, ...]:
        return team, ()

    def _stay_alone(self) -> None:
        """A forked process has none of the threads, and one of those missing may hold the lock."""
        self._forked, self._turn = True, threading.Lock()

    @property
    def size(self) -> int:
        """As many as the runtime offers, or fewer if NumPy's products are limited; one in a forked process."""
        return 1 if self._forked else min(int(self._max_threads()), self._limit)

    def run(self, work: Work, parts: int, *arguments: Any) -> None:
        """Let the threads do the parts, or only the calling thread while another thread is using them."""
        if parts == 1:
            work(WHOLE, *arguments)
            return
        threads = min(parts, self.size)
        if threads == 1 or not self._turn.acquire(blocking=False):
            ONE_THREAD.run(work, parts, *arguments)
            return
        try:
            work((self._fork, threads, 0, parts, parts), *arguments)
        finally:
            self._turn.release()
