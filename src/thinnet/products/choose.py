"""How to multiply matrices: the fastest way that works here, unless the user says otherwise."""

import functools
import os

from thinnet.checks import check_choice
from thinnet.errors import MissingExtraError
from thinnet.products import blocked, openmp
from thinnet.products.base import Products
from thinnet.products.blocked import BlockedProducts
from thinnet.products.numpy import NumpyProducts
from thinnet.products.rounded import RoundedProducts
from thinnet.teams import ONE_THREAD, num_threads

SWITCH = "THINNET_PRODUCTS"  # in the environment: a name of `NAMES`
NAMES = ("thinnet", "numpy")


@functools.cache
def products(name: str | None = None, *, rounded: bool = False) -> Products:
    """The object that multiplies matrices, created once per process.

    Args:
        name: ``"thinnet"`` for our own kernels, or ``"numpy"``; None for the value of the environment variable
            THINNET_PRODUCTS or, if it is not set, for our own if they can be used with as many threads as NumPy's.
        rounded: whether numbers are first rounded to bfloat16, by AMX if available.

    Raises:
        ArgumentError: if the name is unknown.
        MissingExtraError: if our own kernels are requested and cannot be used.
    """
    wanted, source = (name, "products") if name is not None else (os.environ.get(SWITCH) or None, SWITCH)
    if wanted is not None:
        check_choice(source, wanted, NAMES)
    if wanted == "thinnet" and not blocked.usable():
        raise MissingExtraError(
            f"{source}='thinnet' needs Numba and a processor with AVX2 or AVX-512 and fused multiply-add. Leave it "
            f"out, or write 'numpy'."
        )
    if rounded:
        return BlockedProducts(rounded=True) if blocked.amx_usable() else RoundedProducts(products(name))
    return BlockedProducts() if wanted == "thinnet" or (wanted is None and _faster()) else NumpyProducts()


def _faster() -> bool:
    """Whether our own kernels are faster than NumPy: they need its threads, or those of an OpenMP runtime."""
    return blocked.usable() and (openmp.team() is not ONE_THREAD or num_threads() == 1)
