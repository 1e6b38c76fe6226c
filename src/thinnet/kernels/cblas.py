"""A product of matrices by a function of CBLAS such as `cblas_sgemm`, called where it is in memory.

Looking in Python at where three arrays lie, and handing thirteen numbers over, takes longer than a small product.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np.numpy_support import from_dtype

from thinnet.kernels.compile import inline, inner, kernel
from thinnet.typing import AnyArray, FloatArray

ROW_MAJOR, AS_IT_IS, TRANSPOSED = 101, 111, 112
LARGEST = 2**31 - 1  # of the integers that it takes
# Where a matrix is, the size of an element, its rows and columns, and how many bytes apart those are.
Matrix = tuple[int, int, int, int, int, int]
INTEGER, PLACE = ir.IntType(32), ir.IntType(8).as_pointer()


@inline()
def _numbers(x: AnyArray) -> Any:
    """The numbers of an array."""
    return np.intp(x.ctypes.data), x.itemsize, x.shape[0], x.shape[1], x.strides[0], x.strides[1]


@inner()
def _multiply(routine: int, one: Any, a: Matrix, b: Matrix, out: Matrix) -> bool:
    if _overlap(a, out) or _overlap(b, out):
        return False
    a_order, a_apart = _layout(a)
    b_order, b_apart = _layout(b)
    order, apart = _layout(out)
    if a_order == 0 or b_order == 0 or order == 0:
        return False
    m, n, k = out[2], out[3], a[3]
    if order == TRANSPOSED:  # written the way round in which it lies in memory: outᵀ = bᵀ · aᵀ
        a_order, b_order = TRANSPOSED + AS_IT_IS - a_order, TRANSPOSED + AS_IT_IS - b_order
        _call(routine, one, (b_order, a_order, n, m, k), b[0], b_apart, a[0], a_apart, out[0], apart)
    else:
        _call(routine, one, (a_order, b_order, m, n, k), a[0], a_apart, b[0], b_apart, out[0], apart)
    return True


@inner()
def _layout(matrix: Matrix) -> tuple[int, int]:
    """Whether a matrix lies in memory by rows or by columns, and how many elements apart those begin; 0 if neither.

    Strides along a dimension of one element say nothing.
    """
    place, size, rows, columns, down, right = matrix
    if place % size:
        return 0, 0
    for order, count, length, apart, between in (
        (AS_IT_IS, rows, columns, down, right),
        (TRANSPOSED, columns, rows, right, down),
    ):
        if length > 1 and between != size:
            continue
        if count == 1:
            return order, length
        if apart % size == 0 and length <= apart // size <= LARGEST:
            return order, apart // size
    return 0, 0


@inline()
def _overlap(one: Matrix, other: Matrix) -> bool:
    """Whether two matrices may share memory."""
    return not (_end(other) <= _first(one) or _end(one) <= _first(other))


@inline()
def _first(matrix: Matrix) -> int:
    place, _, rows, columns, down, right = matrix
    return place + min((rows - 1) * down, 0) + min((columns - 1) * right, 0)


@inline()
def _end(matrix: Matrix) -> int:
    place, size, rows, columns, down, right = matrix
    return place + max((rows - 1) * down, 0) + max((columns - 1) * right, 0) + size


@intrinsic  # type: ignore[untyped-decorator, unused-ignore]
def _call(
    typing_context: Any,
    routine: Any,
    one: Any,
    sizes: Any,
    a: Any,
    a_apart: Any,
    b: Any,
    b_apart: Any,
    out: Any,
    out_apart: Any,
) -> tuple[Any, Callable[..., Any]]:
    """Call it for out = one · a · b; `sizes` are both layouts, m, n and k."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        routine, one, sizes, *matrices = values
        number = one.type
        kinds = [*[INTEGER] * 6, number, PLACE, INTEGER, PLACE, INTEGER, number, PLACE, INTEGER]
        function = builder.inttoptr(routine, ir.FunctionType(ir.VoidType(), kinds).as_pointer())
        whole = [builder.trunc(builder.extract_value(sizes, i), INTEGER) for i in range(5)]
        places = [builder.inttoptr(place, PLACE) for place in matrices[::2]]
        aparts = [builder.trunc(apart, INTEGER) for apart in matrices[1::2]]
        operands = [places[0], aparts[0], places[1], aparts[1]]
        builder.call(function, [INTEGER(ROW_MAJOR), *whole, one, *operands, number(0), places[2], aparts[2]])
        return context.get_dummy_value()

    return types.void(routine, one, sizes, a, a_apart, b, b_apart, out, out_apart), generate


def _matrix(dtype: Any) -> Any:
    """The type of a matrix that lies anyhow, to which Numba turns those of all others: so that it is compiled once."""
    return types.Array(from_dtype(np.dtype(dtype)), 2, "A", readonly=True, aligned=False)


@kernel(
    [types.boolean(types.intp, _matrix(dtype), _matrix(dtype), _matrix(dtype)) for dtype in (np.float32, np.float64)]
)
def multiply(routine: int, a: AnyArray, b: AnyArray, out: FloatArray) -> bool:
    """Compute out = a · b where the function can: all lie row by row or column by column, and `out` shares nothing.

    Args:
        routine: the address of the function.
        a, b, out: matrices that fit together, none of them empty.

    Returns:
        Whether it is done; else nothing is.
    """
    return bool(_multiply(routine, out.dtype.type(1), _numbers(a), _numbers(b), _numbers(out)))
