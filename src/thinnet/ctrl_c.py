"""Ctrl-C while the command starts: imported before anything slow, so that Ctrl-C exits without a traceback."""

import os
import signal
import sys


def _is_command() -> bool:
    """Whether this process is ``thinnet`` or ``python -m thinnet``, rather than a program that imports it."""
    name = (sys.argv or [""])[0]
    if name == "-m":  # until Python has found the module
        return "thinnet" in sys.orig_argv
    return os.path.splitext(os.path.basename(name))[0] == "thinnet"


def _exchange(old: object, new: object) -> None:
    """Replace the handler `old`; keep any other handler, and an ignored signal ignored."""
    if signal.getsignal(signal.SIGINT) is old:
        signal.signal(signal.SIGINT, new)  # type: ignore[arg-type]


def answer_in_words() -> None:
    """From now on, Ctrl-C raises KeyboardInterrupt, as usual."""
    _exchange(signal.SIG_DFL, signal.default_int_handler)


if _is_command():
    _exchange(signal.default_int_handler, signal.SIG_DFL)
