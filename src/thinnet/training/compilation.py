"""Tells the user why the first step is slow: the kernels are being compiled, once per machine."""

import multiprocessing
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from thinnet import defaults, kernels

COMPILING = "numba:compile"  # the event for a kernel that is not in the disk cache


@contextmanager
def compilation_announced(announce: Callable[[str], Any]) -> Iterator[None]:
    """Call `announce` with a sentence the first time Numba compiles, rather than loads, a kernel within the block."""
    if not kernels.available():
        yield
        return
    from numba.core import event

    class Compilation(event.Listener):  # type: ignore[misc]  # Numba has no types
        """Announces only once."""

        spoken = False

        def on_start(self, event: Any) -> None:
            if not self.spoken:
                announce("Kernels for this kind of net are being compiled: about half a minute, once per machine.")
            self.spoken = True

        def on_end(self, event: Any) -> None:
            """Do nothing."""

    with event.install_listener(COMPILING, Compilation()):
        yield


def told_of_compilation(verbose: bool) -> AbstractContextManager[None]:
    """The same for estimators and gradient checks: on standard output if verbose, else on standard error.

    The latter only in a notebook, at a Python prompt or in a terminal, where a user is waiting.
    """
    if verbose:
        return compilation_announced(print)
    prompted = hasattr(sys, "ps1") or defaults.progress()
    if not prompted or multiprocessing.parent_process() is not None:  # only one process prints
        return nullcontext()
    return compilation_announced(lambda text: print(text, file=sys.stderr, flush=True))
