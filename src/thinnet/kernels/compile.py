"""How every kernel is compiled."""

from __future__ import annotations

from functools import partial

from numba import njit

# cache: compiled once a machine, not once a process.
# error_model: a division by zero gives infinity or NaN, as in NumPy; Python's exception would need a branch in each
# loop that divides, and a loop with such a branch cannot become vector instructions.
kernel = partial(njit, cache=True, error_model="numpy", nogil=True)

# For sums along a row: taken in any order, they become vector instructions. NaN and infinity stay themselves.
reordering_kernel = partial(kernel, fastmath={"reassoc", "contract"})

# For pieces of other kernels.
inline = partial(kernel, inline="always")
