"""Fetch a data set's archive and put its folder in place: checked, whole, or not at all."""

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

PIECE = 2**18  # bytes that come at once
LARGEST_DOWNLOAD = 2**30  # bytes; the largest archive has 170 million


def cache_folder() -> Path:
    """Where downloads go when no folder is named: the user's cache."""
    import pooch

    return Path(pooch.os_cache("thinnet"))


def fetch_folder(archive: Archive, parent: Path) -> Path:
    """Download `archive` and put its folder into `parent`; return the folder's path.

    Everything happens in a temporary folder beside the final place, which is removed whatever happens. The last step
    is one rename, so that a folder that exists is whole. Where another process was quicker, its folder is used.
    """
    final = parent / archive.folder
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{archive.folder}-", dir=parent) as work:
            packed = _download(archive, Path(work))
            unpacked = Path(work, archive.folder)
            unpacked.mkdir()  # with the permissions that the umask gives, unlike the temporary folder
            _unpack(packed, archive, unpacked)
            _put(unpacked, final, archive)
    except (OSError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}" if isinstance(error, OSError) else error
        raise DataError(
            f"{archive.url} could not be fetched into {parent}: {reason}. Check the connection, the free space and "
            f"the permissions; or download and unpack it by hand, and pass root, or set THINNET_DATA, to the folder "
            f"that has {archive.folder} in it."
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
    except ValueError as error:  # what pooch raises where the hash differs
        raise ValueError(f"in {archive.attempts} attempts no download had the MD5 sum {archive.md5}") from error


def _guarded(response: Any, **options: Any) -> None:
    """Free the connection of an answer whose content nobody will read; let no other one go on for ever."""
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
                raise OSError(f"more than {LARGEST_DOWNLOAD:,} bytes came")
            yield piece

    response.iter_content = bounded


def _unpack(packed: Path, archive: Archive, folder: Path) -> None:
    """Write the members that are needed, and no others, under names of our own choosing."""
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
    """Raise ValueError unless a folder has the archive's files, each with the MD5 sum that it should have."""
    missing = [name for name in archive.members if not (folder / name).is_file()]
    if missing:
        raise ValueError(f"the archive lacks the regular files {', '.join(missing)}")
    for name, md5 in archive.members.items():
        with (folder / name).open("rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if found != md5:
            raise ValueError(f"{archive.folder}/{name} must have the MD5 sum {md5}, got {found}")


def _put(unpacked: Path, final: Path, archive: Archive) -> None:
    """Move a folder into its place, unless another process has just put the same there."""
    try:
        os.replace(unpacked, final)
    except OSError as error:
        try:
            _check_members(final, archive)
        except ValueError:
            raise error from None
