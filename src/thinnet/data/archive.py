"""What is known of an archive before it is downloaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Archive:
    """A gzipped tar archive on a server, and the MD5 sums of what is needed of it.

    The sums are the publisher's own. They guard against damage; the reader of the files guards against malice.
    """

    url: str
    md5: str
    folder: str  # the folder inside the archive
    members: Mapping[str, str]  # file name in that folder → MD5 of the file
    attempts: int = 3
    timeout: float = 30.0  # seconds without an answer
