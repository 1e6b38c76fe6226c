"""Atomic writes: a file is written under a temporary name, then renamed."""

import os
import tempfile
from pathlib import Path

from thinnet.data.files import looked_for


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the content of the file at `path`; whatever happens, it holds either the old bytes or the new ones.

    The file gets the permissions that the umask gives to new files. If writing fails, nothing is left behind.
    A symbolic link is followed and stays a link; what is not a regular file, such as /dev/stdout, is written to.
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
    """Raise OSError if no file can be written at `path`: it is a folder, or its own folder does not exist.

    A missing folder is created for many files (see `make_folder`), but not for a single file: it is probably a typo.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} must be a file to write, got a folder. Name a file in it.")
    if path.parent.is_file():
        raise NotADirectoryError(f"{path} must be a file in a folder, got {path.parent}, a file. Name a folder.")
    if not path.parent.is_dir():
        where = f"Make the folder first. {looked_for(path)}"
        raise FileNotFoundError(f"{path} must be a file in a folder that exists. {where}")


def check_page(name: str, path: Path, command: str, *, folder: bool = False) -> None:
    """Raise FileExistsError if there is a file at `path`, unless this command wrote it earlier.

    Its pages and figures say so in their first lines: ``name="generator" content="thinnet report"``. `folder`: whether
    the argument `name` is the folder of that file, not the file.
    """
    if folder and path.is_dir():
        came = f"{path}, which is a folder"
        raise IsADirectoryError(
            f"{name} must be a folder without another {path.name}, got {came}. Name another folder."
        )
    if not path.is_file() or not path.stat().st_size:
        return
    with open(path, "rb") as file:
        if f'name="generator" content="{command}"'.encode() not in file.read(1000):
            what = f"a folder without another {path.name}" if folder else f"a new file or an older page of {command}"
            came, other = f"{path}, which is from elsewhere and would be lost", "folder" if folder else "file"
            raise FileExistsError(f"{name} must be {what}, got {came}. Name another {other}.")


def make_folder(folder: Path) -> None:
    """Create a folder for many files, and missing folders above it; OSError if a file is in the way."""
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
    """Flush the folder, if the system allows it, so that the rename survives a crash of the machine."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows cannot open folders
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
