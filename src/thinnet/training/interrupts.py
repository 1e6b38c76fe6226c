"""Ctrl-C that waits for the end of a step, once."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any


class DelayedInterrupt:
    """Within it, the first Ctrl-C only sets `asked`; the second raises KeyboardInterrupt at once, as ever.

    `quiet` leaves out the line that says so. Python delivers signals to the main thread only; elsewhere, and where
    Ctrl-C is ignored, this does nothing.

    >>> with DelayedInterrupt() as interrupt:
    ...     interrupt.asked
    False
    """

    def __init__(self, quiet: bool = False) -> None:
        self.asked, self._quiet = False, quiet
        self._before: Any = None

    def __enter__(self) -> DelayedInterrupt:
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) not in (signal.SIG_IGN, None):  # None: not Python's to put back
            self._before = signal.signal(signal.SIGINT, self._on_first)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._restore()

    def _on_first(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        self._restore()
        if not self._quiet:
            print("\nthinnet: finishing this step and saving; Ctrl-C again ends at once", file=sys.stderr)

    def _restore(self) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None
