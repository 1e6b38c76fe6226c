"""How every kernel is compiled."""

from collections.abc import Callable
from functools import partial
from typing import Any

from numba import njit


def _compile(*signatures: Any, **options: Any) -> Callable[[Any], Any]:
    """`njit` with its cache on disk, or without one if no folder for it is writable.

    With signatures, a function is compiled at once, and only for those.
    """

    def decorate(function: Any) -> Any:
        try:
            return njit(*signatures, cache=True, **options)(function)
        except RuntimeError:  # "no locator available"
            return njit(*signatures, **options)(function)

    return decorate


# nogil: other Python threads keep running meanwhile.
# error_model: a division by zero gives infinity or NaN, as in NumPy; Python's exception would need a branch in each
# loop that divides, and a loop with such a branch cannot be vectorized.
allocating_kernel = partial(_compile, error_model="numpy", nogil=True)

# _nrt: nothing is allocated, so no references are counted. Otherwise threads would update the reference counts of the
# arrays they share for each slice of a row, which takes longer than the row itself.
kernel = partial(allocating_kernel, _nrt=False)

# For sums along a row: if they may be taken in any order, they can be vectorized. NaN and infinity are preserved.
reordering_kernel = partial(kernel, fastmath={"reassoc", "contract"})

# For functions that only kernels call: without the wrappers for Python and C, which take a tenth of the compile time.
# Callers pass a constant as np.intp(0): a plain 0 has its own type, for which the function is compiled again.
inner = partial(kernel, no_cpython_wrapper=True, no_cfunc_wrapper=True)
reordering_inner = partial(inner, fastmath={"reassoc", "contract"})

# For functions that are inlined into other kernels.
inline = partial(kernel, inline="always")
