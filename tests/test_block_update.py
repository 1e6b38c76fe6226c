"""An optimizer's step for a gradient that is a matrix product, done inside the kernel that computes the product."""

from __future__ import annotations

import numpy as np
import pytest

from products_of_kinds import OWN, Kind, in_parts, laid_out, small_ones_too
from thinnet.kernels.optimizers import RULE_KERNELS
from thinnet.optim import OPTIMIZERS, FlatOptimizer
from thinnet.products.base import Factors

__all__ = ["small_ones_too"]
each_own = pytest.mark.parametrize("kind", OWN)

# Each rule with the first kind, and two rules with the other kinds: the code of a rule is the same for all kinds, and
# test_optim.py tests each rule in both dtypes.
RULES = [
    pytest.param(*kind.values, name, marks=kind.marks, id=f"{kind.id}-{name}")
    for kind in OWN
    for name in OPTIMIZERS
    if name in RULE_KERNELS and (kind is OWN[0] or name in ("sgd_momentum", "adamw"))
]


@pytest.mark.parametrize(("kind", "name"), RULES)
@pytest.mark.parametrize(("rows", "shape"), [(100, (700, 130)), (1100, (65, 40)), (3, (33, 17)), (40, (70, 9000))])
@pytest.mark.parametrize("penalty", [0, 0.25])
def test_an_update_by_a_product_is_that_along_it(
    kind: Kind, name: str, rows: int, shape: tuple[int, int], penalty: float
) -> None:
    multiply, (down, across) = kind.make(), shape
    below, above, W = kind.drawn(rows, down), kind.drawn(rows, across), kind.drawn(*shape)
    gradient, kernel = np.empty(shape, kind.dtype), RULE_KERNELS[name]
    multiply.matmul(below.T, above, gradient)
    gradient += np.dtype(kind.dtype).type(penalty) * W
    wanted = W.copy()
    optimizer = FlatOptimizer(name, None, like=wanted.reshape(-1))
    optimizer.inplace_update(wanted.reshape(-1), gradient.reshape(-1))
    numbers = np.array(kernel.numbers(optimizer.options, 1), kind.dtype)
    state = [np.zeros(W.size if used else 0, kind.dtype) for used in _state(optimizer)]
    for one in (multiply, in_parts(kind.make())):
        got, own = W.copy(), [array.copy() for array in state]
        one.update(
            kernel.at(np.dtype(kind.dtype)),
            [got.reshape(-1), *own],
            numbers,
            Factors(below, above, got, np.dtype(kind.dtype).type(penalty)),
        )
        np.testing.assert_array_equal(got, wanted)


def _state(optimizer: FlatOptimizer) -> list[bool]:
    """Whether the optimizer has a first and a second state array."""
    arrays = sum(key != "t" for key in optimizer.state)
    return [arrays > 0, arrays > 1]


@each_own
def test_an_update_reads_rows_with_gaps(kind: Kind) -> None:
    multiply = kind.make()
    below, above, W = (
        laid_out(kind.drawn(20, 45), "part of rows"),
        laid_out(kind.drawn(20, 33), "part of rows"),
        kind.drawn(45, 33),
    )
    velocity, none = np.zeros(W.size, kind.dtype), np.empty(0, kind.dtype)
    multiply.update(
        RULE_KERNELS["sgd_momentum"].at(W.dtype),
        [W.reshape(-1), velocity, none],
        np.array([-1, 0], kind.dtype),
        Factors(below, above, W, np.dtype(kind.dtype).type(0)),
    )
    out = np.empty((45, 33), kind.dtype)
    multiply.matmul(below.T, above, out)
    np.testing.assert_array_equal(velocity.reshape(45, 33), out)
