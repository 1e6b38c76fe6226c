"""Download a data set's archive and install its folder: checked and complete, or not at all."""

import hashlib
import os
import shutil
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from thinnet.data.files import LARGEST_FILE
from thinnet.data.files import Archive as Archive
from thinnet.errors import DataError

PIECE = 2**18  # bytes per chunk
LARGEST_DOWNLOAD = 2**30  # bytes; the largest archive has 170 million


def cache_folder() -> Path:
    """Where downloads go if no folder is given: the user's cache."""
    import pooch

    return Path(pooch.os_cache("thinnet"))


def fetch_folder(archive: Archive, parent: Path) -> Path:
    """Download `archive` and put its folder into `parent`; return the folder's path.

    All work is done in a temporary folder next to the final one, which is always removed. The last step is a single
    rename, so a folder that exists is complete. If another process was faster, its folder is used.
    """
    final = parent / archive.folder
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{archive.folder}-", dir=parent) as work:
            packed = _download(archive, Path(work))
            unpacked = Path(work, archive.folder)
            unpacked.mkdir()  # with permissions from the umask, unlike the temporary folder
            _unpack(packed, archive, unpacked)
            _put(unpacked, final, archive)
    except (OSError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}" if isinstance(error, OSError) else error
        raise DataError(
            f"{archive.url} could not be fetched into {parent}: {reason}. Check the connection, the free space and "
            f"the permissions; or download and unpack it by hand, and give the folder that has {archive.folder} "
            f"as root, or set THINNET_DATA to it."
        ) from error
    return final


def _download(archive: Archive, work: Path) -> Path:
    import pooch

    show = sys.stderr is not None and sys.stderr.isatty()
    downloader = pooch.HTTPDownloader(
        progressbar=show, chunk_size=PIECE, timeout=archive.timeout, hooks={"response": _guarded}
    )
    name = archive.url.rpartition("/")[2]
    registry = pooch.create(
        path=work,
        base_url="",
        registry={name: f"md5:{archive.md5}"},
        urls={name: archive.url},
        retry_if_failed=archive.attempts - 1,
    )
    try:
        return Path(registry.fetch(name, downloader=downloader))
    except ValueError as error:  # pooch raises it if the hash differs
        raise ValueError(f"none of {archive.attempts} downloads had the MD5 sum {archive.md5}") from error


def _guarded(response: Any, **options: Any) -> None:
    """Close the connection of a failed response; limit the size of any other, so that it cannot go on forever."""
    if not response.ok:
        response.close()
        return
    pieces = response.iter_content

    def bounded(*arguments: Any, **options: Any) -> Iterator[bytes]:
        came = 0
        for piece in pieces(*arguments, **options):
            came += len(piece)
            if came > LARGEST_DOWNLOAD:
                response.close()
                raise OSError(f"the answer is longer than {LARGEST_DOWNLOAD:,} bytes")
            yield piece

    response.iter_content = bounded


def _unpack(packed: Path, archive: Archive, folder: Path) -> None:
    """Write only the members that are needed, under our own file names."""
    names = {f"{archive.folder}/{name}": name for name in archive.members}
    try:
        with tarfile.open(packed, "r:gz") as tar:
            for member in tar:
                source = tar.extractfile(member) if member.isreg() and member.name in names else None
                if source is None:
                    continue
                if member.size > LARGEST_FILE:
                    raise ValueError(
                        f"{member.name} in the archive has {member.size:,} bytes, more than {LARGEST_FILE:,}"
                    )
                with (folder / names[member.name]).open("xb") as target:
                    shutil.copyfileobj(source, target)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise ValueError(f"it is not a gzipped tar archive ({error})") from error
    _check_members(folder, archive)


def _check_members(folder: Path, archive: Archive) -> None:
    """Raise ValueError unless a folder has all of the archive's files, each with the right MD5 sum."""
    missing = [name for name in archive.members if not (folder / name).is_file()]
    if missing:
        raise ValueError(f"the archive lacks the regular files {', '.join(missing)}")
    for name, md5 in archive.members.items():
        with (folder / name).open("rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if found != md5:
            raise ValueError(f"{archive.folder}/{name} must have the MD5 sum {md5}, got {found}")


def _put(unpacked: Path, final: Path, archive: Archive) -> None:
    """Move a folder to its final place, unless another process has just put the same one there."""
    try:
        os.replace(unpacked, final)
    except OSError as error:
        try:
            _check_members(final, archive)
        except ValueError:
            raise error from None
