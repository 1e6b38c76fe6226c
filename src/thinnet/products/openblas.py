"""The threads among which the OpenBLAS that NumPy brings shares products out, for the loops between these too.

OpenBLAS's own threads hold the cores for a while after each product, and can do nothing else. So it is lent others, by
`openblas_set_threads_callback_function`: those of an OpenMP runtime, which run the loops as well. That holds for all
products of NumPy in the process, from the first net on that is trained; their bits are the same.
"""

import ctypes
import functools
import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

from thinnet.products.openmp import OpenMPTeam
from thinnet.teams import ONE_THREAD, Team

SMALL = 1 << 18  # multiplications up to which a product takes the calling thread alone
PREFIXES = ("scipy_", "")  # of what NumPy's wheels call its functions: newer ones, and older ones


@functools.cache
def team() -> Team:
    """The threads that are lent; the calling one alone where nothing can be lent.

    That is so if NumPy has another library, or an old one, if there is no OpenMP runtime, and beside more cores than
    there are buffers for.
    """
    packages = Path(np.__file__).parent.parent
    if sys.platform != "linux":
        return ONE_THREAD
    for path in packages.glob("numpy.libs/lib*openblas*"):
        for prefix in PREFIXES:
            for runtime in ("libgomp.so.1", *packages.glob("scikit_learn.libs/libgomp*")):
                try:
                    return _lend(ctypes.CDLL(str(path)), prefix, str(runtime))
                except (OSError, AttributeError, ImportError):  # AttributeError: it lacks a function
                    continue
    return ONE_THREAD


def _lend(library: ctypes.CDLL, prefix: str, path: str) -> Team:
    from thinnet.products.lending import Functions, lending  # which takes a while to import

    runtime, system = ctypes.CDLL(path), ctypes.CDLL(None)
    num_threads = library[f"{prefix}openblas_get_num_threads64_"]
    accept = library[f"{prefix}openblas_set_threads_callback_function64_"]
    most = _most_threads(library[f"{prefix}openblas_get_config64_"])
    if num_threads() > most // 2:
        return ONE_THREAD
    functions = Functions(
        fork=_place(runtime.GOMP_parallel),
        team_size=_place(runtime.omp_get_num_threads),
        num_threads=_place(num_threads),
        create=_place(system.pthread_create),
        join=_place(system.pthread_join),
        lock=_place(system.pthread_mutex_lock),
        unlock=_place(system.pthread_mutex_unlock),
    )
    accept(ctypes.c_void_p(lending(functions, most // 2, most - most // 2)))
    os.register_at_fork(after_in_child=lambda: accept(None))  # a forked process has none of the runtime's threads
    return OpenMPTeam(path, num_threads, team)


def _most_threads(config: Any) -> int:
    """How many threads OpenBLAS has buffers for."""
    config.restype = ctypes.c_char_p
    found = re.search(rb"MAX_THREADS=(\d+)", config())
    return int(found[1]) if found else 0


def _place(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0
