"""The threads of the OpenBLAS that NumPy brings, for the loops between its products.

They hold the cores for a while after each product, so as to be there at once for the next one. Others would have to
compete with them; so it is they who run the loops too. `gotoblas_pthread`, which OpenBLAS and GotoBLAS before it have
for that, calls a function on so many of them. The one that NumPy 2.5 and newer bring hides it: there the loops take the
calling thread alone.
"""

import ctypes
import functools
import os
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np

from thinnet.teams import ENOUGH, ONE_THREAD, OneThread, Share, Work

SMALL = 1 << 18  # multiplications up to which a product takes the calling thread alone
PREFIXES = ("scipy_", "")  # of what NumPy's wheels call its functions: newer ones, and older ones


class OpenBLASTeam:
    """The threads of a library, in a forked process too, where it starts them anew.

    Attributes:
        turn: held by whoever has the threads. Several that wait for them with a core held each are very slow.
    """

    enough = ENOUGH

    def __init__(self, library: ctypes.CDLL, prefix: str) -> None:
        self._fork = ctypes.cast(library.gotoblas_pthread, ctypes.c_void_p).value or 0
        self._start_turns()
        os.register_at_fork(after_in_child=self._start_turns)
        self._num_threads = library[f"{prefix}openblas_get_num_threads64_"]

    def __reduce__(self) -> tuple[Any, ...]:
        """Wherever it is unpickled, the team that is there."""
        return team, ()

    def _start_turns(self) -> None:
        """In a forked process the lock may be held by a thread that is not there."""
        self.turn = threading.Lock()

    @property
    def size(self) -> int:
        """As many as share a product, however they are limited."""
        return int(self._num_threads())

    def run(self, work: Work, parts: int, *arguments: Any) -> None:
        """Let the threads do the parts, or the calling one alone while another one has them."""
        threads = min(parts, self.size)  # it waits forever for more than there are
        if threads == 1 or not self.turn.acquire(blocking=False):
            ONE_THREAD.run(work, parts, *arguments)
            return
        try:
            work(Share(self._fork, threads, 0, parts, parts), *arguments)
        finally:
            self.turn.release()


@functools.cache
def team() -> OpenBLASTeam | OneThread:
    """That of NumPy's own library; where it has another one, or hides its threads, the calling thread alone."""
    if sys.platform == "linux":
        for path in (Path(np.__file__).parent.parent / "numpy.libs").glob("lib*openblas*"):
            for prefix in PREFIXES:
                try:
                    return OpenBLASTeam(ctypes.CDLL(str(path)), prefix)
                except (OSError, AttributeError):  # AttributeError: it lacks a function
                    continue
    return ONE_THREAD
