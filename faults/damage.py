"""Truncated files and flipped bits: always CheckpointError, never a wrong net."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from figures import Figure
from fuzzing.checkpoints import valid_checkpoint
from thinnet.errors import CheckpointError
from thinnet.storage.checksummed import verified


def run(share: float) -> Iterator[Figure]:
    stride = max(1, round(1 / share))
    for kind, name in (("net", "a saved net"), ("run", "a checkpoint of a run")):
        content = valid_checkpoint(kind)
        verified(Path("whole"), content, kind)
        lengths = range(0, len(content), stride)
        refused = sum(_refused(kind, content[:length]) for length in lengths)
        assert refused == len(lengths)
        yield Figure(f"{name}, {len(content):,} bytes, truncated", _of(stride, "length", refused), "all refused")
        bits = range(0, 8 * len(content), stride)
        refused = sum(_refused(kind, _flipped(content, bit)) for bit in bits)
        assert refused == len(bits)
        yield Figure(f"{name}, one bit flipped", _of(stride, "bit", refused), "all refused")


def _of(stride: int, unit: str, count: int) -> str:
    return f"every {unit}, {count:,}" if stride == 1 else f"{count:,} {unit}s"


def _flipped(content: bytes, bit: int) -> bytes:
    place = bit // 8
    return content[:place] + bytes([content[place] ^ 1 << bit % 8]) + content[place + 1 :]


def _refused(kind: str, content: bytes) -> bool:
    try:
        verified(Path("damaged"), content, kind)
    except CheckpointError:
        return True
    return False
