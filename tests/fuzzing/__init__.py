"""The fuzz targets: how inputs are made, and what must hold for each. The tests run a few, `make faults` many."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, TypeVar

RUNNING = {"exec", "compile", "os.system", "os.exec", "subprocess.Popen", "pickle.find_class", "marshal.loads"}
_watched: list[str] | None = None
T = TypeVar("T")


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watched is not None and event in RUNNING:
        _watched.append(f"{event} {arguments!r}")


sys.addaudithook(_hook)  # for the rest of the process; it does nothing outside of `no_code`


@contextlib.contextmanager
def no_code() -> Iterator[None]:
    """Fail if Python's audit events show that anything is compiled, executed, unpickled or started within it."""
    global _watched
    _watched = []
    try:
        yield
        seen = _watched
    finally:
        _watched = None
    assert not seen, seen


def outcome(call: Callable[[], T], documented: type[Exception]) -> tuple[T | None, str]:
    """The result of a call, or the message of the documented error; any other error reaches the test."""
    with no_code():
        try:
            return call(), ""
        except documented as error:
            return None, str(error)


def random_bytes(rng: Random, most: int) -> bytes:
    return bytes(rng.randrange(256) for _ in range(rng.randrange(most + 1)))


def changed(rng: Random, content: bytes) -> bytes:
    """The content with up to five random changes, half of them in its first or last bytes."""
    data = bytearray(content)
    for _ in range(rng.randrange(1, 6)):
        at = (
            rng.randrange(len(data) + 1)
            if rng.randrange(2)
            else rng.choice((rng.randrange(99), len(data) - rng.randrange(9)))
        )
        at, value = min(max(at, 0), len(data)), rng.randrange(256)
        kind = rng.randrange(6)
        if kind == 0:
            data[at : at + 1] = bytes([value])
        elif kind == 1:
            data[at : at + 1] = bytes(b ^ 1 << value % 8 for b in data[at : at + 1])
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            del data[at : at + value % 9]
        elif kind == 4:
            data[at:at] = bytes([value]) * (1 + value % 5)
        else:
            data[at:at] = data[value : value + 16]
    return bytes(data)


FOLDER = tempfile.TemporaryDirectory()


def file_with(content: bytes) -> Path:
    """The file that is read each time, rewritten with this content."""
    path = Path(FOLDER.name, "file")
    path.write_bytes(content)
    return path
