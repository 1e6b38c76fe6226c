"""The mathematics of `thinnet.layers` and `thinnet.optim` again, as fused loops compiled by Numba, for speed only.

Each loop passes once over memory where the layers take several passes with temporaries. Everything here computes what
readable code elsewhere computes, which its docstring names, and is tested against that: masks bit for bit, values to
rounding. A loop runs on the calling thread, for the piece that it is called for: which threads share an array out is
decided elsewhere (see `thinnet.teams`). Beside OpenBLAS none do: its threads hold the cores for a while after a
product, and a parallel loop right behind it would compete with them and lose.

Numba is imported, and the loops are compiled or taken from the cache on disk, when `available` is first asked.
"""

import functools
import importlib.util
import os
import warnings

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
    return True
