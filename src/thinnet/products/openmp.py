"""The threads that share products out, for the loops between them too.

After a product these threads hold the cores for a while, so as to be there at once for the next one. Others would have
to compete with them; so it is they who run the loops too.
"""

import ctypes
import os
import threading
from collections.abc import Callable
from typing import Any

from thinnet.teams import ENOUGH, ONE_THREAD, WHOLE, Team, Work


class OpenMPTeam:
    """The threads of an OpenMP runtime.

    Args:
        path: of the runtime: GCC's, or Intel's, which also understands the calls that GCC compiles OpenMP to.
        max_threads: how many may share a product.
        again: what gives this team where it is unpickled.

    Attributes:
        turn: held by whoever has the threads. Several that wait for them with a core held each are very slow.
    """

    enough = ENOUGH

    def __init__(self, path: str, max_threads: Callable[[], int], again: Callable[[], Team]) -> None:
        self.path, self._max_threads, self._again = path, max_threads, again
        self._fork = ctypes.cast(ctypes.CDLL(path).GOMP_parallel, ctypes.c_void_p).value or 0
        self._forked, self.turn = False, threading.Lock()
        os.register_at_fork(after_in_child=self._stay_alone)

    def __reduce__(self) -> tuple[Callable[[], Team], tuple[()]]:
        return self._again, ()

    def _stay_alone(self) -> None:
        """A forked process has none of the threads, and the lock may be held by one that is not there."""
        self._forked, self.turn = True, threading.Lock()

    @property
    def size(self) -> int:
        """As many as share a product, however they are limited; one in a forked process."""
        return 1 if self._forked else int(self._max_threads())

    def run(self, work: Work, parts: int, *arguments: Any) -> None:
        """Let the threads do the parts, or the calling one alone while another one has them."""
        if parts == 1:
            work(WHOLE, *arguments)
            return
        threads = min(parts, self.size)
        if threads == 1 or not self.turn.acquire(blocking=False):
            ONE_THREAD.run(work, parts, *arguments)
            return
        try:
            work((self._fork, threads, 0, parts, parts), *arguments)
        finally:
            self.turn.release()
