"""Products by NumPy, which passes them to the BLAS that it was built with."""

import numpy as np

from thinnet.teams import ONE_THREAD, Team
from thinnet.typing import AnyArray, FloatArray


def multiply(a: AnyArray, b: AnyArray, out: FloatArray) -> None:
    """out = a · b."""
    if not out.flags.c_contiguous:  # `out` is a transpose: compute that instead
        a, b, out = b.T, a.T, out.T
    np.matmul(a, b, out=out)


class NumpyProducts:
    """`numpy.matmul`.

    Its threads occupy the cores for a while after each product and cannot be used for anything else, so the loops
    between products are left to the calling thread.
    """

    name = "numpy"
    team: Team = ONE_THREAD
    matmul = staticmethod(multiply)
