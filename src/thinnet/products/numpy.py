"""Products by NumPy, which hands them to the BLAS that it was built with."""

from __future__ import annotations

import numpy as np

from thinnet.typing import FloatArray


class NumpyProducts:
    """`numpy.matmul`."""

    name = "numpy"

    def matmul(self, a: FloatArray, b: FloatArray, out: FloatArray) -> None:
        """out = a · b."""
        if out.flags.c_contiguous:
            np.matmul(a, b, out=out)
        else:  # written the way round in which `out` lies in memory
            np.matmul(b.T, a.T, out=out.T)
