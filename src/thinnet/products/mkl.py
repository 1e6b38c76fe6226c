"""Products by Intel MKL, called through ctypes: from the package `mkl`, where that is installed."""

import ctypes
from typing import Any

import numpy as np

from thinnet.bfloat16 import BITS
from thinnet.products import mkl_library
from thinnet.products.numpy import NumpyProducts
from thinnet.typing import AnyArray, FloatArray

ROW_MAJOR, AS_IT_IS, TRANSPOSED = 101, 111, 112  # of CBLAS
LARGEST = 2**31 - 1  # of the integers that it takes here
SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
ROUTINES: dict[tuple[Any, Any], tuple[str, type]] = {  # by the dtypes of what is multiplied, and of the product
    (SINGLE, SINGLE): ("cblas_sgemm", ctypes.c_float),
    (DOUBLE, DOUBLE): ("cblas_dgemm", ctypes.c_double),
    (BITS, SINGLE): ("cblas_gemm_bf16bf16f32", ctypes.c_float),
}


class MklProducts:
    """`cblas_sgemm` and its like; by NumPy what they do not take, such as sums over nothing and other dtypes.

    The bits of a product depend on its values and its shape alone, where the library was loaded by
    `thinnet.products.mkl_library.load`.
    """

    name = "mkl"

    def __init__(self, library: ctypes.CDLL) -> None:
        self._numpy = NumpyProducts()
        self._routines = {dtypes: _routine(library, *which) for dtypes, which in ROUTINES.items()}
        self.has_bfloat16 = mkl_library.multiplies_bfloat16()
        self.team = mkl_library.team()

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, ()

    def matmul(self, a: AnyArray, b: AnyArray, out: FloatArray) -> None:
        """out = a · b; the three may lie anywhere and anyhow, and share memory."""
        routine = self._routines.get((a.dtype, out.dtype))
        if routine is None or not _takes(a, b, out):
            self._numpy.matmul(a, b, out)
            return
        order, ld = _layout(out)
        if order == TRANSPOSED:  # written the way round in which it lies in memory
            self.matmul(b.T, a.T, out.T)
            return
        if not order or np.may_share_memory(out, a) or np.may_share_memory(out, b):
            product = np.empty(out.shape, out.dtype)
            self.matmul(a, b, product)
            out[...] = product
            return
        a, a_order, a_ld = _laid_out(a)
        b, b_order, b_ld = _laid_out(b)
        (m, n), k = out.shape, a.shape[1]
        places = [array.ctypes.data for array in (a, b, out)]
        routine(ROW_MAJOR, a_order, b_order, m, n, k, 1, places[0], a_ld, places[1], b_ld, 0, places[2], ld)


def _again() -> MklProducts:
    """Where it is unpickled, with the library that is there."""
    return MklProducts(mkl_library.load())


def _routine(library: ctypes.CDLL, name: str, number: type) -> Any:
    size, place = ctypes.c_int, ctypes.c_void_p
    routine: Any = getattr(library, name)
    routine.argtypes = [*[size] * 6, number, place, size, place, size, number, place, size]
    routine.restype = None
    return routine


def _takes(a: AnyArray, b: AnyArray, out: FloatArray) -> bool:
    """Whether these are matrices that fit together, none of them empty, and none too large."""
    if not (a.dtype == b.dtype and a.ndim == b.ndim == out.ndim == 2 and out.flags.writeable):
        return False
    sizes = *out.shape, a.shape[1]
    fit = a.shape[0] == sizes[0] and b.shape == (sizes[2], sizes[1])
    return fit and min(sizes) > 0 and max(sizes) <= LARGEST


def _laid_out(array: AnyArray) -> tuple[AnyArray, int, int]:
    """The array, or a copy of one that lies as BLAS cannot take it, and its layout."""
    order, ld = _layout(array)
    return (array, order, ld) if order else (np.ascontiguousarray(array), AS_IT_IS, array.shape[1])


def _layout(array: AnyArray) -> tuple[int, int]:
    """Whether a matrix lies in memory by rows or by columns, and how many elements apart those begin; 0 if neither.

    Strides along a dimension of one element say nothing.
    """
    (rows, columns), (down, right), size = array.shape, array.strides, array.itemsize
    if not array.flags.aligned:
        return 0, 0
    for order, (count, length), (apart, between) in (
        (AS_IT_IS, (rows, columns), (down, right)),
        (TRANSPOSED, (columns, rows), (right, down)),
    ):
        if length > 1 and between != size:
            continue
        if count == 1:
            return order, length
        if apart % size == 0 and length <= apart // size <= LARGEST:
            return order, apart // size
    return 0, 0
