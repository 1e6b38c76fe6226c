"""Atomic writes: a file is written under a temporary name, then renamed."""

import errno
import os
import tempfile
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the file at `path` by `content`; whatever happens, `path` holds the old bytes or the new ones.

    The file gets the permissions that the umask gives to new files. Where that fails, nothing is left behind.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "a folder is in its place: name a file", str(path))
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:  # whose file is the temporary one, of which the user knows nothing
        missing = isinstance(error, FileNotFoundError)
        reason = "the folder does not exist: make it first" if missing else error.strerror
        raise OSError(error.errno, reason, str(path)) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~current_umask())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    """Flush the folder, so that the rename survives a crash of the machine, where the system allows it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def current_umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
