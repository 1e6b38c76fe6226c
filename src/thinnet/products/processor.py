"""What this processor can do, according to Linux; on other systems nothing is known."""

import re
from pathlib import Path


def has_amx() -> bool:
    """Whether the processor has instructions that multiply tiles of bfloat16 numbers."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return re.search(r"^flags\b.*\bamx_bf16\b", told, re.MULTILINE) is not None
