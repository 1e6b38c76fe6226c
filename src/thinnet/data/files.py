"""Descriptions of archives; reading small binary files, with error messages in one form."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from glob import escape
from pathlib import Path

from thinnet.errors import DataError, MissingDataError
from thinnet.spelling import closest

LARGEST_FILE = 2**28  # bytes; the largest file that we need to read has 157 million

LONGEST_HEAD = 512  # bytes that `looks_like` needs to recognize a file
ZIP = "a zip archive"
SIGNATURES = {
    b"PK\x03\x04": ZIP,
    b"PK\x05\x06": ZIP,
    b"\x93NUMPY": "a single array, as numpy.save writes it",
    b"\x1f\x8b": "a gzip file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"\x89HDF": "an HDF5 file",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"%PDF": "a PDF document",
    b"PAR1": "a Parquet file",
    b"MATLAB": "a MATLAB file",
    b"version https://git-lfs": "a Git LFS pointer, in place of the file itself, which `git lfs pull` fetches",
    **{bytes([0x80, protocol]): "a pickle, which can run code when it is loaded" for protocol in range(2, 6)},
}


@dataclass(frozen=True)
class Archive:
    """A gzipped tar archive on a server, and the MD5 sums of the files we need from it.

    The sums are the publisher's own. They guard against damage; the code that reads the files guards against malice.
    """

    url: str
    md5: str
    folder: str  # the folder inside the archive
    members: Mapping[str, str]  # file name in that folder → MD5 of the file
    attempts: int = 3
    timeout: float = 30.0  # seconds without an answer


def looks_like(head: bytes) -> str:
    """What a file seems to be, given its first `LONGEST_HEAD` bytes, or all if it is shorter."""
    if not head:
        return "an empty file"
    for signature, kind in SIGNATURES.items():
        if head.startswith(signature):
            return kind
    try:
        text = head[:-3].decode() + head[-3:].decode(errors="ignore")  # the end may be in the middle of a character
    except UnicodeDecodeError:
        text = ""
    lines = text.lstrip("\ufeff \t\r\n").splitlines()
    if not lines or not lines[0].isprintable():
        return f"a file of an unknown kind, whose first bytes are {head[:8].hex(' ')}"
    if lines[0].startswith("<") and "html" in text.lower():
        return "an HTML page"
    return f"text that begins with {lines[0][:20]!r}"


def damaged(path: Path, expected: str, got: str, fix: str) -> DataError:
    """The error for a file that is not what it should be."""
    return DataError(f"{path} must be {expected}, got {got}. {fix}")


def looked_for(path: Path) -> str:
    """Where a missing file was looked for, and a similar name there or in a subfolder; or which folder is missing."""
    whole, there = path.absolute(), next(filter(os.path.isdir, path.absolute().parents))
    if there != whole.parent:
        return f"There is no folder {there / whole.relative_to(there).parts[0]}."
    inside = next(
        (f"Did you mean '{one.parent.name}/{one.name}'?" for one in there.glob(f"*/{escape(path.name)}*")), ""
    )
    others = {one.stem: one.name for one in sorted(there.glob("*")) if one.name != path.name}  # it may be a broken link
    near = others.get(closest(path.stem, others), "")  # a common ending makes no names alike
    return f"Thinnet looked in {there}. {inside or (near and f'Did you mean {near!r}?')}".rstrip()


def unreadable(path: Path, expected: str, error: OSError, fix: str = "Check its path.") -> DataError:
    """The error for a file that cannot be read; `fix` is for a missing one."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return MissingDataError(f"{path} must be {expected}, got no such file. {fix} {looked_for(path)}")
    if path.is_dir():
        return damaged(path, expected, "a directory", "Name the file itself.")
    came = f"an error while reading it ({error.strerror or error})"
    return damaged(path, expected, came, "Check its permissions and the disk.")


def file_size(path: Path, expected: str, fix: str) -> int:
    """A file's size in bytes; DataError if it is missing, not a regular file, implausibly large, or inaccessible."""
    try:
        status = path.stat()
    except OSError as error:
        raise unreadable(path, expected, error, fix) from error
    if stat.S_ISDIR(status.st_mode):
        raise damaged(path, expected, "a directory", "Name the file itself.")
    if not stat.S_ISREG(status.st_mode):  # reading a pipe or a device could block or never end
        raise damaged(path, expected, "something that is not a regular file", fix)
    if status.st_size > LARGEST_FILE:
        raise damaged(path, expected, f"{status.st_size:,} bytes, more than {LARGEST_FILE:,}", fix)
    return status.st_size


def read_bytes(path: Path, expected: str, fix: str) -> bytes:
    """The content of a file; DataError as from `file_size`, or if reading fails."""
    file_size(path, expected, fix)
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, expected, error) from error
