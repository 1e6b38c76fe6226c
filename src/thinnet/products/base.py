"""What every way to multiply matrices offers."""

from typing import Protocol

from thinnet.teams import Team
from thinnet.typing import AnyArray, FloatArray


class Products(Protocol):
    """Products of matrices of one float dtype, written into arrays that are there.

    Attributes:
        name: of the library.
        has_bfloat16: whether products of bfloat16 numbers are faster here than those of float32.
        team: the threads that share the loops between two products: the library's own, or the calling one alone where
            those are out of reach, since they keep the cores busy for a while after each product.
    """

    name: str
    has_bfloat16: bool
    team: Team

    def matmul(self, a: AnyArray, b: AnyArray, out: FloatArray) -> None:
        """out = a · b; any of the three may be the transpose of what lies in memory row by row.

        Where `a` and `b` hold the bits of bfloat16 numbers, as in `thinnet.bfloat16`, `out` is float32, and sums are
        taken in it.
        """
        ...
