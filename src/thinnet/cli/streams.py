"""Standard output and standard error, set up so that a command works even if nobody reads them."""

import io
import os
import sys
from contextlib import suppress
from typing import Any, TextIO


class Output(io.FileIO):
    """A byte stream to a file or pipe; output is lost if the reader has quit, as in ``thinnet check ... | head``."""

    def write(self, content: Any) -> int:
        """Write the bytes, or as many as fit."""
        try:
            return super().write(content)
        except BrokenPipeError:
            return len(content)


def open_streams() -> None:
    """Let both streams take any text: closed ones discard it, and characters outside the encoding are escaped."""
    for name in ("stdout", "stderr"):
        stream: TextIO | None = getattr(sys, name)
        if stream is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
        elif isinstance(stream, io.TextIOWrapper):
            if stream is getattr(sys, f"__{name}__") and not stream.isatty():
                stream.flush()  # keeps earlier output first
                file = io.BufferedWriter(Output(stream.fileno(), "wb", closefd=False))
                options = {"line_buffering": stream.line_buffering, "write_through": stream.write_through}
                stream = io.TextIOWrapper(file, stream.encoding, stream.errors, **options)
                setattr(sys, name, stream)
            if stream.errors == "strict":
                stream.reconfigure(errors="backslashreplace")


def flush_output() -> None:
    """Flush standard output; if that fails, raise OSError and discard the rest, so that it is not tried again."""
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise
