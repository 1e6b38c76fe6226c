"""Sharing the rows of an array out among threads, for kernels that do not stand beside products of BLAS."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

ENOUGH = 1 << 18  # elements below which handing work over costs more than it saves


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(num_threads(), thread_name_prefix="thinnet")


def num_threads() -> int:
    """As many threads as there are cores that this process may use, or OMP_NUM_THREADS if that is fewer."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(limit)) if limit.isdecimal() and int(limit) > 0 else cores


def over_rows(work: Callable[[int, int], None], num_rows: int, num_elements: int) -> None:
    """Call ``work(start, stop)`` for pieces of the rows, side by side where that pays.

    `work` must release the interpreter, as the kernels do, and give the same whatever the pieces are.
    """
    count = num_threads() if num_elements >= ENOUGH else 1
    if count == 1:
        work(0, num_rows)
        return
    bounds = [k * num_rows // count for k in range(count + 1)]
    list(_pool().map(work, bounds[:-1], bounds[1:]))
