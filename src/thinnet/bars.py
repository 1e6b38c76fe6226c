"""Bars of progress that leave multiprocessing alone.

tqdm's own share a lock between processes. Making it starts another process, which keeps track of such locks, and
settles how a program's own processes are started, which it may want to choose later.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


@cache
def bars() -> Any:
    """The class of the bars, in terminals and notebooks."""
    from tqdm.auto import tqdm

    own: Any = type("Bar", (tqdm,), {})
    own.set_lock(threading.RLock())  # not that of tqdm's
    return own


@contextmanager
def above() -> Iterator[None]:
    """Print above the bar on standard output, if there is one."""
    if bars.cache_info().currsize == 0:
        yield
        return
    with bars().external_write_mode(file=sys.stdout):
        yield
