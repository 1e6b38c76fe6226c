"""The threads that share MKL's products out, for the loops between them.

After a product these threads hold the cores for a while, so as to be there at once for the next one. Others would have
to compete with them; so it is they who run the loops too.
"""

import ctypes
import os
from collections.abc import Callable
from typing import Any

from thinnet.teams import ENOUGH, ONE_THREAD, Share, Team, Work


class OpenMPTeam:
    """The threads of an OpenMP runtime.

    Args:
        path: of Intel's runtime, which also understands the calls that GCC compiles OpenMP to.
        max_threads: how many may share a product.
        again: what gives this team where it is unpickled.
    """

    enough = ENOUGH

    def __init__(self, path: str, max_threads: Callable[[], int], again: Callable[[], Team]) -> None:
        self._max_threads, self._again = max_threads, again
        self._fork = ctypes.cast(ctypes.CDLL(path).GOMP_parallel, ctypes.c_void_p).value or 0
        self._forked = False
        os.register_at_fork(after_in_child=self._stay_alone)

    def __reduce__(self) -> tuple[Callable[[], Team], tuple[()]]:
        return self._again, ()

    def _stay_alone(self) -> None:
        """A forked process has none of the runtime's threads."""
        self._forked = True

    @property
    def size(self) -> int:
        """As many as share a product, however they are limited; one in a forked process."""
        return 1 if self._forked else int(self._max_threads())

    def run(self, work: Work, parts: int, *arguments: Any) -> None:
        """Let the threads do the parts; there may be fewer of them than parts."""
        if parts == 1 or self._forked:
            ONE_THREAD.run(work, parts, *arguments)
        else:
            work(Share(self._fork, 0, 0, parts, parts), *arguments)
