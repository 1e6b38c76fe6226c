"""Atomic writes: a file is written under a temporary name, then renamed."""

import os
import tempfile
from pathlib import Path

from thinnet.data.files import looked_for


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the file at `path` by `content`; whatever happens, `path` holds the old bytes or the new ones.

    The file gets the permissions that the umask gives to new files. Where that fails, nothing is left behind.
    A link leads there as before; what is no file, such as /dev/stdout, is written to.
    """
    check_place(path)
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
        else:
            _replace(Path(os.path.realpath(path)), content)
    except OSError as error:
        came = f"an error while writing it ({error.strerror or error})"
        raise type(error)(f"{path} must be a file to write, got {came}. Check permissions and the disk.") from error


def _replace(place: Path, content: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~current_umask())
        os.replace(temporary, place)
        _sync_folder(place.parent)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def check_place(path: Path) -> None:
    """Raise OSError where no file can be at `path`: a folder is there, or its own folder is not.

    A folder that is to be filled is made where it is missing; one in which a single file is to be is not, since it
    would come of a slip of the hand.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} must be a file to write, got a folder. Name a file in it.")
    if path.parent.is_file():
        raise NotADirectoryError(f"{path} must be a file in a folder, got {path.parent}, a file. Name a folder.")
    if not path.parent.is_dir():
        where = f"Make the folder first. {looked_for(path)}"
        raise FileNotFoundError(f"{path} must be a file in a folder that exists. {where}")


def make_folder(folder: Path) -> None:
    """Make a folder that is to be filled, and those above it, where they are missing; OSError if a file is there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        came = "a file in its place, or in that of a folder above it"
        raise type(error)(f"{folder} must be a folder, got {came}. Name another one.") from error
    except OSError as error:
        raise no_folder(folder, error) from error


def no_folder(folder: Path, error: OSError) -> OSError:
    """The error for a folder that the system does not let us make, or write to."""
    came = f"an error while writing it ({error.strerror or error})"
    return type(error)(f"{folder} must be a folder that can be written, got {came}. Check permissions and the disk.")


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
