"""Which library multiplies matrices: the fastest of those that are here, unless the user says otherwise."""

import functools
import os
import warnings

from thinnet.checks import check_choice
from thinnet.errors import MissingExtraError
from thinnet.products import amx, mkl_library
from thinnet.products.amx import AmxProducts
from thinnet.products.base import Products
from thinnet.products.numpy import NumpyProducts
from thinnet.products.processor import is_amd
from thinnet.products.rounded import RoundedProducts

SWITCH = "THINNET_PRODUCTS"  # in the environment: a name of `NAMES`
NAMES = ("numpy", "mkl")
INSTALL = 'pip install "thinnet[mkl]"'


@functools.cache
def products(name: str | None = None, *, rounded: bool = False) -> Products:
    """What multiplies matrices, made once in a process.

    Args:
        name: ``"numpy"`` or ``"mkl"``; None for what the environment's THINNET_PRODUCTS says, and where it says
            nothing for MKL if that is installed, works, and gives the same bits from run to run, but for NumPy on
            processors of AMD, where MKL is no faster.
        rounded: whether numbers are first rounded to bfloat16: by AMX, where that is.

    Raises:
        ArgumentError: if the name is unknown.
        MissingExtraError: if MKL is asked for and cannot be used.
    """
    if rounded:
        inner = products(name)
        return AmxProducts(inner) if amx.usable() else RoundedProducts(inner)
    if name is not None:
        check_choice("products", name, NAMES)
        return NumpyProducts() if name == "numpy" else _mkl("products='mkl'")
    wanted = os.environ.get(SWITCH, "")
    if wanted:
        check_choice(SWITCH, wanted, NAMES)
        return NumpyProducts() if wanted == "numpy" else _mkl(f"{SWITCH}=mkl")
    if is_amd() or not mkl_library.installed():
        return NumpyProducts()
    try:
        return _mkl("faster training")
    except MissingExtraError as error:
        warnings.warn(f"{error}. To do without it, set {SWITCH}=numpy", RuntimeWarning, stacklevel=2)
        return NumpyProducts()


def _mkl(purpose: str) -> Products:
    if not mkl_library.installed():
        raise MissingExtraError(
            f"{purpose} needs the package 'mkl', for Linux on x86-64, which is not installed. "
            f"Install it with: {INSTALL}"
        )
    try:
        from thinnet.products.mkl import MklProducts
    except Exception as error:  # as those of Numba are, where it does not fit this NumPy or Python
        raise MissingExtraError(
            f"{purpose} needs Numba, which cannot be imported: {error}. "
            f"Install it anew with: pip install --force-reinstall numba"
        ) from error
    try:
        return MklProducts(mkl_library.load())
    except (OSError, AttributeError) as error:  # AttributeError: it lacks a function
        raise MissingExtraError(
            f"{purpose} needs the package 'mkl', which is installed but cannot be used: {error}. "
            f"Reinstall it with: pip install --force-reinstall mkl"
        ) from error
