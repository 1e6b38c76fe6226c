"""Locks that let one process at a time write to a folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from thinnet.errors import CheckpointError

NAME = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder; the operating system releases it when the process ends, however it ends.

    CheckpointError if another process, or another solver in this one, holds it.
    """
    try:
        descriptor = os.open(folder / NAME, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        _lock(descriptor)
    except OSError:
        os.close(descriptor)
        raise CheckpointError(
            f"{folder} must be used by one run at a time, but another one is training there now. "
            f"Wait for it, or choose another folder."
        ) from None
    try:
        yield
    finally:
        os.close(descriptor)


def unwritable(folder: Path, error: OSError) -> CheckpointError:
    """The error for a folder that is not writable."""
    return CheckpointError(
        f"checkpoint_dir must be a folder that can be written, got {folder} ({error.strerror}). "
        f"Choose another one, or change its permissions."
    )


def _lock(descriptor: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
