"""The math of `thinnet.layers` and `thinnet.optim` again, as fused loops compiled by Numba, only for speed.

Each loop makes one pass over memory where the layers make several passes with temporaries. Everything here computes
the same as readable code elsewhere, which its docstring names, and is tested against it: masks bit for bit, values up
to rounding. How arrays are split among threads is decided elsewhere (see `thinnet.teams`).

Numba is imported when `available` is first called. Loops are compiled, or loaded from disk, when first used.
"""

import contextlib
import functools
import importlib.util
import os
import warnings
from pathlib import Path

SWITCH = "THINNET_KERNELS"  # "0" in the environment turns the kernels off


@functools.cache
def available() -> bool:
    """Whether the kernels can be used: Numba is installed, works, and is not switched off."""
    if os.environ.get(SWITCH) == "0" or importlib.util.find_spec("numba") is None:
        return False
    try:
        importlib.import_module("numba")
    except Exception as error:  # installed, but broken, or not for this Python or NumPy
        text = f"Numba cannot be imported, so Thinnet is slower: {error}. Install it again, or uninstall it."
        warnings.warn(text, RuntimeWarning, stacklevel=2)
        return False
    with contextlib.suppress(OSError):  # a read-only folder has no cache in it
        drop_stale(Path(__file__).parent)
    return True


def drop_stale(folder: Path) -> None:
    """Remove compiled code that was built from other sources than those now in a folder.

    Numba checks only the file a kernel is in, not the files of the functions it is built from.
    """
    import hashlib  # here, because nothing else needs it this early

    sources = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))).hexdigest()
    cache = folder / "__pycache__"
    mark = cache / "sources.sha256"
    if mark.exists() and mark.read_text() == sources:
        return
    for path in cache.glob("*.nb[ic]"):
        path.unlink(missing_ok=True)
    mark.write_text(sources)
