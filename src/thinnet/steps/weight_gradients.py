"""The gradients of a net's matrices: whole, or a piece at a time for large ones.

A large gradient does not stay in the cache until the optimizer reads it. A piece does, if it is used before the next
one overwrites it.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from thinnet.kernels.penalty import inplace_add_scaled
from thinnet.parameters import Late, Parameters, Piece
from thinnet.products.base import Factors, Products
from thinnet.products.blocked import BlockedProducts
from thinnet.spec import Spec
from thinnet.typing import FloatArray

LARGE = 1 << 17  # elements: from this size on, pieces are faster
PIECE = 3 << 17  # elements: more would leave the cache, and products of fewer rows are slower
ROWS = 16  # the rows of a piece are a multiple of this: products are computed in blocks


class Matrix(NamedTuple):
    """A matrix whose gradient is computed late."""

    name: str
    start: int  # of the matrix in the flat buffer of all parameters
    factors: Factors


class WeightGradients:
    """Computes the gradients of a net's matrices, in full precision, from operands of any precision.

    Args:
        spec: of the net.
        products: multiplies the matrices.

    Attributes:
        large: the names of the matrices whose gradients come in pieces; they are stored row by row.
    """

    def __init__(self, spec: Spec, products: Products) -> None:
        self.products = products
        shapes = {name: shape for name, shape in spec.shapes().items() if len(shape) == 2}
        self.large = [name for name, (rows, columns) in shapes.items() if rows * columns >= LARGE and spec.order == "C"]
        pieces = {name: _pieces(*shapes[name]) for name in self.large}
        size = max((rows * columns for each in pieces.values() for rows, columns in each), default=0)
        flat = Parameters({"piece": (size,)}, spec.dtype).flat
        self._rooms = {
            name: [flat[: rows * columns].reshape(rows, columns) for rows, columns in each]
            for name, each in pieces.items()
        }

    def whole(self, factors: Factors, dW: FloatArray) -> None:
        """Write the gradient of a matrix, in the memory order of its weights."""
        below, above, W, penalty = factors
        self.products.matmul(below.T, above, dW)
        inplace_penalize(W, penalty, dW)

    def late(self, matrices: Sequence[Matrix]) -> Late:
        """The object that computes the gradients of large matrices when they are used."""
        names = [matrix.name for matrix in matrices]
        if isinstance(self.products, BlockedProducts):
            return Late(names, update=partial(self._update, self.products, matrices))
        return Late(names, self._pieces(matrices))

    def _update(
        self,
        products: BlockedProducts,
        matrices: Sequence[Matrix],
        rule: Any,
        buffers: Sequence[FloatArray],
        numbers: FloatArray,
    ) -> None:
        for _, start, factors in matrices:
            own = [buffer[start : start + factors.W.size] for buffer in buffers]
            products.update(rule, own, numbers, factors)

    def _pieces(self, matrices: Sequence[Matrix]) -> Iterator[Piece]:
        for name, start, (below, above, W, penalty) in matrices:
            row = 0
            for dW in self._rooms[name]:
                rows = slice(row, row + len(dW))
                self.whole(Factors(below[:, rows], above, W[rows], penalty), dW)
                yield Piece(start + row * W.shape[1], dW)
                row = rows.stop


def inplace_penalize(W: FloatArray, penalty: Any, dW: FloatArray) -> None:
    """Add the gradient of an L2 penalty to that of a matrix, which has the memory order of its weights."""
    if penalty:
        if not W.flags.c_contiguous:
            W, dW = W.T, dW.T
        inplace_add_scaled(W, penalty, dW)


def _pieces(rows: int, columns: int) -> list[tuple[int, int]]:
    """The shapes of the pieces of a matrix."""
    count = -(-rows * columns // PIECE)
    most = -(-rows // (count * ROWS)) * ROWS
    return [(min(most, rows - row), columns) for row in range(0, rows, most)]
