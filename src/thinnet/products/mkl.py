"""Products by Intel MKL: from the package `mkl`, where that is installed."""

import ctypes
from typing import Any

import numpy as np

from thinnet.kernels.cblas import LARGEST, multiply
from thinnet.products import mkl_library
from thinnet.products.numpy import NumpyProducts
from thinnet.typing import AnyArray, FloatArray

ROUTINES = {np.dtype(np.float32): "cblas_sgemm", np.dtype(np.float64): "cblas_dgemm"}


class MklProducts:
    """`cblas_sgemm` and its like; by NumPy what they do not take, such as sums over nothing and other dtypes.

    The bits of a product depend on its values and its shape alone, where the library was loaded by
    `thinnet.products.mkl_library.load`.
    """

    name = "mkl"

    def __init__(self, library: ctypes.CDLL) -> None:
        self._numpy = NumpyProducts()
        self._routines = {dtype: _address(library, name) for dtype, name in ROUTINES.items()}
        self.team = mkl_library.team()

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, ()

    def matmul(self, a: AnyArray, b: AnyArray, out: FloatArray) -> None:
        """out = a · b; the three may lie anywhere and anyhow, and share memory."""
        routine = self._routines.get(out.dtype)
        if routine is None or not _takes(a, b, out):
            self._numpy.matmul(a, b, out)
        elif not multiply(routine, a, b, out):
            product = np.empty(out.shape, out.dtype)
            multiply(routine, a.copy(), b.copy(), product)
            out[...] = product


def _again() -> MklProducts:
    """Where it is unpickled, with the library that is there."""
    return MklProducts(mkl_library.load())


def _address(library: ctypes.CDLL, name: str) -> int:
    return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0


def _takes(a: AnyArray, b: AnyArray, out: FloatArray) -> bool:
    """Whether these are matrices that fit together, none of them empty, and none too large."""
    if not (a.dtype == b.dtype == out.dtype and a.ndim == b.ndim == out.ndim == 2 and out.flags.writeable):
        return False
    (m, k), n = a.shape, b.shape[1]
    return k == b.shape[0] and out.shape == (m, n) and min(m, n, k) > 0 and max(m, n, k) <= LARGEST
