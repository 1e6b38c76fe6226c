"""Progress bars that leave multiprocessing alone.

tqdm's default bars share a lock between processes. Creating it starts a process that tracks such locks, and fixes the
start method of the program's own processes, which the program may want to choose later.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


@cache
def bars() -> Any:
    """The progress bar class, for terminals and notebooks."""
    from tqdm.auto import tqdm

    own: Any = type("Bar", (tqdm,), {})
    own.set_lock(threading.RLock())  # not tqdm's own
    return own


@contextmanager
def above() -> Iterator[None]:
    """Print above the bar on standard output, if there is one."""
    if bars.cache_info().currsize == 0:
        yield
        return
    with bars().external_write_mode(file=sys.stdout):
        yield
