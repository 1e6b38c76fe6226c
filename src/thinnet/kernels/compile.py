"""How every kernel is compiled."""

from collections.abc import Callable
from functools import partial
from typing import Any

from numba import njit


def _compile(*signatures: Any, **options: Any) -> Callable[[Any], Any]:
    """`njit` with its cache on disk, or without where no folder for it can be written.

    With signatures it is compiled at once, and for those alone.
    """

    def decorate(function: Any) -> Any:
        try:
            return njit(*signatures, cache=True, **options)(function)
        except RuntimeError:  # "no locator available"
            return njit(*signatures, **options)(function)

    return decorate


# nogil: other Python threads go on meanwhile.
# error_model: a division by zero gives infinity or NaN, as in NumPy; Python's exception would need a branch in each
# loop that divides, and a loop with such a branch cannot become vector instructions.
allocating_kernel = partial(_compile, error_model="numpy", nogil=True)

# _nrt: nothing is allocated, and so no references are counted. Several threads would count those to the arrays that
# they share for each slice of a row, which takes longer than the row does.
kernel = partial(allocating_kernel, _nrt=False)

# For sums along a row: taken in any order, they become vector instructions. NaN and infinity stay themselves.
reordering_kernel = partial(kernel, fastmath={"reassoc", "contract"})

# For what only kernels call: without the way in from Python, which takes a tenth of the time to compile. Where a number
# stands as an argument, callers write np.intp(0): 0 has a type of its own, for which what takes it is compiled again.
inner = partial(kernel, no_cpython_wrapper=True, no_cfunc_wrapper=True)
reordering_inner = partial(inner, fastmath={"reassoc", "contract"})

# For pieces of other kernels.
inline = partial(kernel, inline="always")
