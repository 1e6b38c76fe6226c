"""What this processor can do, according to Linux; on other systems nothing is known."""

import functools
import re
from pathlib import Path

FILE = Path("/proc/cpuinfo")


def has_amx() -> bool:
    """Whether the processor has instructions that multiply tiles of bfloat16 numbers."""
    return re.search(r"^flags\b.*\bamx_bf16\b", _text(), re.MULTILINE) is not None


@functools.cache
def _text() -> str:
    try:
        return FILE.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
