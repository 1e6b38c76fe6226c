"""Reading small binary files, and the one form that complaints about them take."""

from __future__ import annotations

import stat
from pathlib import Path

from thinnet.errors import DataError

LARGEST_FILE = 2**28  # bytes; the largest file that these readers are for has 157 million


def damaged(path: Path, expected: str, got: str, fix: str) -> DataError:
    """The error for a file that is not what it should be."""
    return DataError(f"{path} must be {expected}, got {got}. {fix}")


def unreadable(path: Path, expected: str, error: OSError) -> DataError:
    """The error for a file that the system does not let us read."""
    came = f"an error while reading it ({error.strerror or error})"
    return damaged(path, expected, came, "Check its permissions and the disk.")


def file_size(path: Path, expected: str, fix: str) -> int:
    """The bytes in a file; DataError if it is missing, no regular file, too large to be meant, or out of reach."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise damaged(path, expected, "no such file", fix) from error
    except OSError as error:
        raise unreadable(path, expected, error) from error
    if stat.S_ISDIR(status.st_mode):
        raise damaged(path, expected, "a directory", "Name the file itself.")
    if not stat.S_ISREG(status.st_mode):  # reading a pipe or a device could wait or go on for ever
        raise damaged(path, expected, "something that is not a regular file", fix)
    if status.st_size > LARGEST_FILE:
        raise damaged(path, expected, f"{status.st_size:,} bytes, more than {LARGEST_FILE:,}", fix)
    return status.st_size


def read_bytes(path: Path, expected: str, fix: str) -> bytes:
    """The whole of a file; DataError where `file_size` raises one, or if reading fails."""
    file_size(path, expected, fix)
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, expected, error) from error
