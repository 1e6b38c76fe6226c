"""Products by our own kernels: with vector instructions, or with AMX on numbers rounded to bfloat16."""

from __future__ import annotations

import ctypes
import functools
import math
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from thinnet.products import openmp
from thinnet.products.base import Factors, Products
from thinnet.products.numpy import NumpyProducts, multiply
from thinnet.products.processor import has_amx
from thinnet.products.rounded import RoundedProducts
from thinnet.teams import CACHE_LINE, parts_for
from thinnet.typing import AnyArray, FloatArray

SMALL = 1 << 18  # multiplications; up to here, NumPy is as fast on the calling thread
MANY = 1000  # buffers to keep for products of different shapes
ARCH_PRCTL, REQUEST_PERMISSION, TILES = 158, 0x1023, 18  # of Linux on x86-64


class BlockedProducts:
    """Both factors are first packed into panels, then multiplied block by block; NumPy computes small products.

    Sums are accumulated in the factors' dtype, float32 or float64. The bits do not depend on the number of threads; for
    larger products, they depend only on the values and the shape.

    Args:
        rounded: whether both factors, in float32, are rounded to bfloat16 and multiplied by AMX.
    """

    name = "thinnet"

    def __init__(self, rounded: bool = False) -> None:
        self._rounded, self.team, self._rooms = rounded, openmp.team(), _Rooms(rounded)

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self._rounded,)

    def matmul(self, a: AnyArray, b: AnyArray, out: FloatArray) -> None:
        """out = a · b, all of one dtype; `out` shares no memory with the others."""
        if not self._rounded and a.size * b.shape[1] <= SMALL:
            multiply(a, b, out)
            return
        size = out.itemsize
        if not (a.size and b.size):
            out[...] = 0
            return
        if size not in out.strides:  # contiguous along neither axis
            product = np.empty(out.shape, out.dtype)
            self.matmul(a, b, product)
            out[...] = product
            return
        if out.strides[1] != size:  # `out` is a transpose: compute that instead
            a, b, out = b.T, a.T, out.T
        a = a if size in a.strides else np.ascontiguousarray(a)
        b = b if size in b.strides else np.ascontiguousarray(b)
        parts = parts_for(self.team, a.size + b.size + out.size)
        work, blocks, room = self._rooms.product(out.dtype, parts, a.shape[1], min(out.shape))
        self.team.run(work, parts, blocks, a, b, out, room)

    def update(self, rule: int, buffers: Sequence[FloatArray], numbers: FloatArray, factors: Factors) -> None:
        """One step of a rule along a gradient that is a product, in the kernel that computes it.

        Args:
            rule: the address of its kernel, as for `thinnet.kernels.optimizers`.
            buffers: the matrix, row by row, and two arrays of the rule's state for it, empty if not needed.
            numbers: the rule's hyperparameters.
            factors: of the gradient.
        """
        below, above, W, penalty = factors
        parts = parts_for(self.team, W.size)
        _, blocks, room = self._rooms.product(W.dtype, parts, *above.shape)
        work, gradients = self._rooms.update(W.dtype, parts, above.shape[1])
        self.team.run(work, parts, blocks, below, above, tuple(buffers), rule, numbers, penalty, room, gradients)


class _Rooms(threading.local):
    """Each thread's buffers, which are reused; each starts at a cache line."""

    def __init__(self, rounded: bool) -> None:
        self._rounded = rounded
        self._memory: dict[str, AnyArray] = {}
        self._known: dict[tuple[Any, ...], Any] = {}

    def product(self, number: Any, parts: int, depth: int, shorter: int) -> tuple[Any, Any, tuple[AnyArray, ...]]:
        """A product's kernel, its blocks, and its scratch space."""
        key = number, parts, depth, shorter
        if key not in self._known:
            kinds, products, _ = _compiled()
            blocks = kinds.blocks_for(number, self._rounded)
            whole = self._array("whole", np.uint8, kinds.whole_size(blocks, depth, shorter))
            panels = self._array("panels", np.uint8, parts, products.panels_size(blocks))
            room = whole, panels, self._array("edges", number, parts, kinds.EDGE, kinds.EDGE)
            self._keep(key, (products.multiply_kernel(number), blocks, room))
        known: tuple[Any, Any, tuple[AnyArray, ...]] = self._known[key]
        return known

    def update(self, number: Any, parts: int, columns: int) -> tuple[Any, AnyArray]:
        """An update's kernel, and space for some rows of a gradient for each part."""
        key = number, parts, columns
        if key not in self._known:
            kinds, _, block_update = _compiled()
            rows = block_update.rows_together(kinds.blocks_for(number, self._rounded), columns * number.itemsize)
            gradients = self._array("gradients", number, parts, rows, columns)
            self._keep(key, (block_update.update_kernel(number), gradients))
        known: tuple[Any, AnyArray] = self._known[key]
        return known

    def _keep(self, key: tuple[Any, ...], known: Any) -> None:
        if len(self._known) > MANY:  # thinned networks have different shapes in each step
            self._known.clear()
        self._known[key] = known

    def _array(self, name: str, dtype: Any, *shape: int) -> AnyArray:
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if name not in self._memory or self._memory[name].size < size:
            room = np.empty(size + CACHE_LINE, np.uint8)
            self._memory[name] = room[-room.ctypes.data % CACHE_LINE :]
            self._known.clear()  # they hold the old memory
        array: AnyArray = self._memory[name][:size].view(dtype).reshape(shape)
        return array


@functools.cache  # an import statement in each product would take longer than a small product
def _compiled() -> tuple[Any, Any, Any]:
    from thinnet.kernels import block_kinds, block_update, blocks

    return block_kinds, blocks, block_update


@functools.cache
def usable() -> bool:
    """Whether the processor has fused multiply-add for vectors, and the compiler knows it."""
    try:
        from thinnet.kernels.target import HAS_VECTORS
    except ImportError:  # then there are no kernels
        return False
    return HAS_VECTORS


def _again(rounded: bool) -> Products:
    """Rebuild it on unpickling, perhaps on a machine that lacks what the kernels need."""
    if amx_usable() if rounded else usable():
        return BlockedProducts(rounded)
    return RoundedProducts(_again(False)) if rounded else NumpyProducts()


@functools.cache
def amx_usable() -> bool:
    """Whether the processor has AMX, the compiler knows it, and Linux lets this process use it."""
    if not (has_amx() and usable()):
        return False
    from thinnet.kernels.target import HAS_TILES

    return HAS_TILES and int(ctypes.CDLL(None).syscall(ARCH_PRCTL, REQUEST_PERMISSION, TILES)) == 0
