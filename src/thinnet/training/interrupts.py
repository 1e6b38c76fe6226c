"""Delays the first Ctrl-C or SIGTERM until the end of a step."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

from thinnet.distributed.processes import ProcessGroup
from thinnet.training.state import TrainingState

SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


class Terminated(SystemExit):
    """Training, or a command, was ended by SIGTERM.

    Where nobody catches it, Python ends with status 143, as after that signal.
    """

    def __init__(self, text: str = "") -> None:
        super().__init__(128 + signal.SIGTERM)
        self.text = text

    def __str__(self) -> str:
        return self.text


@contextmanager
def terminated_in_order() -> Iterator[None]:
    """Within it, SIGTERM raises `Terminated`, so that what was begun is ended: processes, temporary folders.

    Where SIGTERM has a handler of somebody else's, and in other threads than the main one, this does nothing.

    >>> with terminated_in_order():
    ...     pass
    """
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


@contextmanager
def delayed_interrupt(quiet: bool = False) -> Iterator[list[int]]:
    """Within the block, the first Ctrl-C or SIGTERM only adds its number to the list that this yields; the second acts
    as usual.

    `quiet` suppresses the message. Python delivers signals only to the main thread; in other threads, and for signals
    that are ignored or already have a custom handler, this does nothing.

    >>> with delayed_interrupt() as asked:
    ...     asked
    []
    """
    asked: list[int] = []

    def on_first(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        handlers.close()
        if not quiet:
            again = f"{SIGNALS[signal.Signals(number)]} again"
            print(f"\nthinnet: finishing this step and saving; {again} ends at once", file=sys.stderr)

    with ExitStack() as handlers:  # restores the previous handlers
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                before = signal.getsignal(number)
                # None: not Python's to put back.  Ctrl-C has a handler from the start; who gave SIGTERM one needs it.
                usual = number == signal.SIGINT or before in (signal.SIG_DFL, _terminate)
                if before not in (signal.SIG_IGN, None) and usual:
                    handlers.callback(signal.signal, number, signal.signal(number, on_first))
        yield asked


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay a first Ctrl-C or SIGTERM until the end of the block, where it then acts as usual: for short work that must
    not be left half done.

    >>> with uninterrupted():
    ...     pass
    """
    with delayed_interrupt(quiet=True) as asked:
        yield
    for number in asked:
        signal.raise_signal(number)


def ended_by(number: int, text: str) -> BaseException:
    """The exception to raise after a signal has ended training and the run is saved."""
    return Terminated(text) if number == signal.SIGTERM else KeyboardInterrupt(text)


def agreed(state: TrainingState, processes: ProcessGroup, signaled: int = 0) -> int:
    """The signal that any process received, or 0; if any has a reason to stop, all take that of rank 0."""
    size = processes.size
    if size == 1:
        return signaled
    weight = size + 1 if signaled == signal.SIGTERM else signaled > 0  # so that the sum shows a SIGTERM
    signals, stops = processes.sum(weight, state.stop_reason is not None)
    if stops:
        state.stop_reason = processes.from_first(state.stop_reason)
    return signal.SIGTERM if signals > size else signal.SIGINT if signals else 0
