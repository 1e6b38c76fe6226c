"""What the products of a step multiply: its arrays themselves, or those in bfloat16."""

from typing import Any

import numpy as np

from thinnet.bfloat16 import BITS
from thinnet.kernels.bfloat16 import to_bits
from thinnet.parameters import Parameters
from thinnet.products.base import Products
from thinnet.sparse_rows import SparseRows
from thinnet.spec import Spec
from thinnet.teams import share_out
from thinnet.typing import AnyArray, FloatArray


class Operands:
    """Arrays as the products of a step of up to `max_rows` rows take them.

    In full precision they are the arrays themselves. In bfloat16 they are copies of what does not come so from where it
    is made; hidden layers write their own.
    """

    def __init__(self, spec: Spec, products: Products, max_rows: int) -> None:
        self._team = products.team
        self._copies = Parameters(spec.shapes(), BITS, spec.order) if spec.precision else None
        rows = max_rows if spec.precision else 0
        self._rows, self._scores = np.empty((rows, spec.input_dim), BITS), np.empty((rows, spec.num_classes), BITS)

    def matrices(self, params: Parameters) -> Parameters:
        """The parameters themselves, or room for copies of them, which `update` makes."""
        if self._copies is None:
            return params
        whole = params.shapes == self._copies.shapes
        return self._copies if whole else Parameters(params.shapes, BITS, params.order, self._copies.flat)

    def update(self, params: Parameters, matrices: Parameters) -> None:
        """Make copies of parameters, where the products take copies."""
        if matrices is not params:
            self._round(params.flat, matrices.flat)

    def rows(self, X: Any) -> Any:
        """The rows of a batch; sparse ones multiply themselves, and stay as they are."""
        if self._copies is None or isinstance(X, SparseRows) or X.dtype == BITS:
            return X
        return self._round(X, self._rows[: len(X)])

    def scores(self, gradient: FloatArray) -> AnyArray:
        """The gradient with respect to the scores."""
        return gradient if self._copies is None else self._round(gradient, self._scores[: len(gradient)])

    def _round(self, x: FloatArray, out: AnyArray) -> AnyArray:
        flat, bits = np.ascontiguousarray(x).reshape(-1), out.reshape(-1)
        share_out(self._team, flat.size, to_bits, flat, bits)
        return out
