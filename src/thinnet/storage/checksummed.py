"""Checksummed files: arrays and JSON in one safetensors file, with a SHA-256 over all of its bytes."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from thinnet.data.files import LONGEST_HEAD, looks_like
from thinnet.errors import CheckpointError
from thinnet.storage.files import write_atomically
from thinnet.typing import AnyArray

FORMAT = 1
DIGITS = 64  # of a SHA-256 in hexadecimal
MARK = b'"sha256":"'
HEADER_LENGTH = 8  # a safetensors file starts with the length of its header: 8 bytes, little-endian


class Contents(NamedTuple):
    """The contents of a checksummed file."""

    state: dict[str, Any]
    arrays: dict[str, AnyArray]


def write_checksummed(path: Path, kind: str, state: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
    """Replace the file at `path` with these arrays and this state, or leave it as it was.

    The file is a safetensors file, so that other programs can read the arrays. The digest in its metadata is that of
    the whole file with zeros in the digest's place. `kind` says what the file is, and is checked on reading.
    """
    write_atomically(path, packed(kind, state, arrays))


def packed(kind: str, state: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> bytes:
    """The bytes that `write_checksummed` writes."""
    from safetensors.numpy import save

    metadata = {"format": str(FORMAT), "kind": kind, "state": json.dumps(state), "sha256": "0" * DIGITS}
    content = save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, metadata)
    return with_digest(_in_order(content))


def _in_order(content: bytes) -> bytes:
    """The same file with its metadata sorted, so that equal nets give equal files: safetensors does not keep order."""
    end = _end_of_header(content)
    header = json.loads(content[HEADER_LENGTH:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return content[:HEADER_LENGTH] + text.ljust(end - HEADER_LENGTH) + content[end:]


def _end_of_header(content: bytes) -> int:
    return HEADER_LENGTH + int.from_bytes(content[:HEADER_LENGTH], "little")


def with_digest(content: bytes) -> bytes:
    """A safetensors file with its digest written over the zeros that held its place."""
    start = content.index(MARK) + len(MARK)
    digest = hashlib.sha256(content).hexdigest().encode()
    return content[:start] + digest + content[start + DIGITS :]


def read_checksummed(path: Path, kind: str) -> Contents:
    """Read a file that `write_checksummed` wrote, and check every byte.

    CheckpointError if it is of another kind or format, or not what was written; OSError if it cannot be read.
    """
    return verified(path, path.read_bytes(), kind)


def verified(path: Path, content: bytes, kind: str) -> Contents:
    """What `read_checksummed` returns for a file at `path` with this content."""
    _check_digest(path, content)
    state = _state(path, content, kind)
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return Contents(state, load(content))
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, f"its arrays cannot be read ({error})") from error


def _check_digest(path: Path, content: bytes) -> None:
    if not content:
        raise _damaged(path, "it is empty")
    if len(content) > HEADER_LENGTH and content[HEADER_LENGTH] != ord("{"):  # where a safetensors file has its header
        raise _damaged(path, f"it is {looks_like(content[:LONGEST_HEAD])}")
    end = _end_of_header(content)
    if len(content) < HEADER_LENGTH or end > len(content):
        raise _damaged(path, "it ends too early")
    start = content.find(MARK, HEADER_LENGTH, end)
    if start < 0:
        raise _damaged(path, "it has no SHA-256 in its header")
    start += len(MARK)
    blank = content[:start] + b"0" * DIGITS + content[start + DIGITS :]
    if hashlib.sha256(blank).hexdigest().encode() != content[start : start + DIGITS]:
        raise _damaged(path, "its SHA-256 does not match its bytes")


def _state(path: Path, content: bytes, kind: str) -> dict[str, Any]:
    """The state in a file whose digest is correct, which does not mean that Thinnet wrote it."""
    try:
        metadata = json.loads(content[HEADER_LENGTH : _end_of_header(content)])["__metadata__"]
        written = int(metadata["format"])
        state = json.loads(metadata["state"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(path, f"its header cannot be read ({type(error).__name__})") from error
    if written != FORMAT:
        raise CheckpointError(
            f"{path} must be of format {FORMAT}, got {written}. Read it with the version of Thinnet that wrote it."
        )
    if not isinstance(state, dict):
        raise _damaged(path, "its state is not a mapping")
    if metadata.get("kind") != kind:
        came = metadata.get("kind", "file of unknown kind")
        raise CheckpointError(f"{path} must hold a {kind}, got a {came}. Name the file that was saved as one.")
    return state


def _damaged(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{path} must be a whole file as Thinnet wrote it, but {reason}. Use an older checkpoint, or a copy; "
        f"weights from another program can be assigned to a net's params, array by array."
    )
