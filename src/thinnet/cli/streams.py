"""Standard output and standard error, so that a command does its work whoever listens."""

import io
import os
import sys
from contextlib import suppress
from typing import Any, TextIO


class Output(io.FileIO):
    """Bytes for a file or a pipe; lost where the reader has seen enough, as in ``thinnet check ... | head``."""

    def write(self, content: Any) -> int:
        """Write them, or as many as there is room for."""
        try:
            return super().write(content)
        except BrokenPipeError:
            return len(content)


def open_streams() -> None:
    """Have both streams take any text: a closed one swallows it, and what its encoding has not is escaped."""
    for name in ("stdout", "stderr"):
        stream: TextIO | None = getattr(sys, name)
        if stream is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
        elif isinstance(stream, io.TextIOWrapper):
            if stream is getattr(sys, f"__{name}__") and not stream.isatty():
                stream.flush()  # what was written before stays before
                file = io.BufferedWriter(Output(stream.fileno(), "wb", closefd=False))
                options = {"line_buffering": stream.line_buffering, "write_through": stream.write_through}
                stream = io.TextIOWrapper(file, stream.encoding, stream.errors, **options)
                setattr(sys, name, stream)
            if stream.errors == "strict":
                stream.reconfigure(errors="backslashreplace")


def flush_output() -> None:
    """Write what is left; OSError where there is no room for it, which is then not tried again."""
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise
