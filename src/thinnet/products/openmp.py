"""The threads that share MKL's products out, for the loops between them.

After a product these threads hold the cores for a while, so as to be there at once for the next one. Others would have
to compete with them; so it is they who run the loops too.
"""

import ctypes
import os
from collections.abc import Callable

from thinnet.teams import ONE_THREAD

_Body = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class OpenMPTeam:
    """The threads of an OpenMP runtime.

    Args:
        path: of Intel's runtime, which also understands the calls that GCC compiles OpenMP to.
        max_threads: how many may share a product.
    """

    def __init__(self, path: str, max_threads: Callable[[], int]) -> None:
        self._max_threads = max_threads
        self._parallel = ctypes.CDLL(path).GOMP_parallel
        self._parallel.argtypes, self._parallel.restype = [_Body, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint], None
        quick = ctypes.PyDLL(path)  # whose functions return at once, and keep the interpreter meanwhile
        self._number, self._count = quick.omp_get_thread_num, quick.omp_get_num_threads
        self._forked = False
        os.register_at_fork(after_in_child=self._stay_alone)

    def _stay_alone(self) -> None:
        """In a forked process the runtime's threads do not come to Python's calls."""
        self._forked = True

    @property
    def size(self) -> int:
        """As many as share a product, however they are limited; one within `run`, and in a forked process."""
        return 1 if self._forked else int(self._max_threads())

    def run(self, work: Callable[[int], None], parts: int) -> None:
        """Call ``work(0)`` to ``work(parts - 1)``, side by side."""
        if parts == 1 or self._forked:
            ONE_THREAD.run(work, parts)
            return
        errors: list[BaseException] = []

        def body(_: object) -> None:
            try:
                for part in range(self._number(), parts, self._count()):  # there may be fewer threads than parts
                    work(part)
            except BaseException as error:  # must not leave a function that is called from C
                errors.append(error)

        self._parallel(_Body(body), None, parts, 0)
        if errors:
            raise errors[0]
