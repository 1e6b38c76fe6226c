"""Products by NumPy, which hands them to the BLAS that it was built with."""

import numpy as np

from thinnet.bfloat16 import BITS, from_bits
from thinnet.teams import ONE_THREAD, Team
from thinnet.typing import AnyArray, FloatArray


class NumpyProducts:
    """`numpy.matmul`, whose threads wait for the next product with the cores held."""

    name = "numpy"
    has_bfloat16 = False
    team: Team = ONE_THREAD

    def matmul(self, a: AnyArray, b: AnyArray, out: FloatArray) -> None:
        """out = a · b; bfloat16 numbers are made float32 first, which takes longer than float32 would."""
        if a.dtype == BITS:
            a, b = from_bits(a), from_bits(b)
        if out.flags.c_contiguous:
            np.matmul(a, b, out=out)
        else:  # written the way round in which `out` lies in memory
            np.matmul(b.T, a.T, out=out.T)
