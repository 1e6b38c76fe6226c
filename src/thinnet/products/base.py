"""The interface of every way to multiply matrices."""

from typing import Any, NamedTuple, Protocol

from thinnet.teams import Team
from thinnet.typing import AnyArray, FloatArray


class Factors(NamedTuple):
    """What the gradient of a matrix W is computed from: belowᵀ · above + penalty · W."""

    below: AnyArray  # (N, D) the inputs of the layer
    above: AnyArray  # (N, M) the gradient with respect to its product
    W: FloatArray  # (D, M)
    penalty: Any  # of the dtype of W; 0 for none


class Products(Protocol):
    """Products of matrices of one float dtype, written into existing arrays.

    Attributes:
        name: of the library.
        team: the threads that share the loops between two products: the library's own, or only the calling thread if
            we cannot use those, because they keep the cores busy for a while after each product.
    """

    name: str
    team: Team

    def matmul(self, a: AnyArray, b: AnyArray, out: FloatArray) -> None:
        """out = a · b; any of the three may be the transpose of an array in C order."""
        ...
