"""Products by NumPy, which hands them to the BLAS that it was built with."""

import numpy as np

from thinnet.products import openblas
from thinnet.products.openmp import OpenMPTeam
from thinnet.teams import Team
from thinnet.typing import AnyArray, FloatArray


class NumpyProducts:
    """`numpy.matmul`, and where it takes OpenBLAS, the threads that it is lent for what stands between the products."""

    name = "numpy"

    def __init__(self) -> None:
        self.team: Team = openblas.team()

    def matmul(self, a: AnyArray, b: AnyArray, out: FloatArray) -> None:
        """out = a · b."""
        if not out.flags.c_contiguous:  # written the way round in which `out` lies in memory
            a, b, out = b.T, a.T, out.T
        if isinstance(self.team, OpenMPTeam) and a.size * b.shape[-1] > openblas.SMALL:
            with self.team.turn:
                np.matmul(a, b, out=out)
        else:
            np.matmul(a, b, out=out)
