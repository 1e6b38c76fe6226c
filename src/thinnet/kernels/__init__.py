"""The mathematics of `thinnet.layers` and `thinnet.optim` again, as fused loops compiled by Numba, for speed only.

Each loop passes once over memory where the layers take several passes with temporaries. Everything here computes what
readable code elsewhere computes, which its docstring names, and is tested against that: masks bit for bit, values to
rounding. Which threads share an array out is decided elsewhere (see `thinnet.teams`).

Numba is imported, and the loops are compiled or taken from the cache on disk, when `available` is first asked.
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
        warnings.warn(f"Numba cannot be imported, so Thinnet is slower: {error}", RuntimeWarning, stacklevel=2)
        return False
    with contextlib.suppress(OSError):  # a folder that is read alone has no cache in it
        drop_stale(Path(__file__).parent)
    return True


def drop_stale(folder: Path) -> None:
    """Remove what was compiled from other files than those in a folder.

    Numba looks at the file of a kernel alone, and not at those that hold the pieces of which it is made.
    """
    import hashlib  # which nothing else needs that early

    sources = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))).hexdigest()
    cache = folder / "__pycache__"
    mark = cache / "sources.sha256"
    if mark.exists() and mark.read_text() == sources:
        return
    for path in cache.glob("*.nb[ic]"):
        path.unlink(missing_ok=True)
    mark.write_text(sources)
