"""Why the first step takes long: the kernels are compiled, once on a machine, and whoever waits is told so."""

import multiprocessing
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from thinnet import defaults, kernels

COMPILING = "numba:compile"  # the event of a kernel that was not in the cache on disk


@contextmanager
def compilation_announced(announce: Callable[[str], Any]) -> Iterator[None]:
    """Call `announce` with a sentence when Numba first compiles a kernel within the block, rather than loads it."""
    if not kernels.available():
        yield
        return
    from numba.core import event

    class Compilation(event.Listener):  # type: ignore[misc]  # Numba has no types
        """Speaks once."""

        spoken = False

        def on_start(self, event: Any) -> None:
            if not self.spoken:
                announce("Kernels for such nets are being compiled: about half a minute, once on this machine.")
            self.spoken = True

        def on_end(self, event: Any) -> None:
            """Nothing to say."""

    with event.install_listener(COMPILING, Compilation()):
        yield


def told_of_compilation(verbose: bool) -> AbstractContextManager[None]:
    """Say so for estimators and gradient checks: on standard output if verbose, else on standard error to who waits.

    Who waits sits at a notebook, a Python prompt or a terminal. Programs whose output goes elsewhere get no such line.
    """
    if verbose:
        return compilation_announced(print)
    prompted = hasattr(sys, "ps1") or defaults.progress()
    if not prompted or multiprocessing.parent_process() is not None:  # of several processes, one speaks
        return nullcontext()
    return compilation_announced(lambda text: print(text, file=sys.stderr, flush=True))
