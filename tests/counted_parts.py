"""A kernel that counts how often each of its parts is done; in a module, so that processes share its cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import thinnet.kernels
from thinnet.kernels.compile import kernel
from thinnet.kernels.share import in_parts

# Numba checks only this file for changes, not those of the functions it calls.
CHANGED = max(path.stat().st_mtime for path in Path(thinnet.kernels.__file__).parent.glob("*.py"))
for compiled in Path(__file__).with_name("__pycache__").glob("counted_parts.*.nb?"):
    if compiled.stat().st_mtime < CHANGED:
        compiled.unlink(missing_ok=True)


@kernel()
def count(share: Any, done: Any) -> None:
    """Add 1 + 10 · (the number of parts) to each part's element."""
    in_parts(share, _count, (done,))


@kernel()
def _count(done: Any, part: int, parts: int) -> None:
    done[part] += 1 + 10 * parts
