"""Products of numbers rounded to bfloat16, by the processor's instructions for tiles of them: AMX."""

from __future__ import annotations

import ctypes
import functools
import math
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from thinnet.products.base import Factors, Products
from thinnet.products.processor import has_amx
from thinnet.teams import CACHE_LINE, parts_for
from thinnet.typing import AnyArray, FloatArray

ITEM = 4  # bytes of a float32
MANY = 1000  # rooms for products of different shapes
ARCH_PRCTL, REQUEST_PERMISSION, TILES = 158, 0x1023, 18  # of Linux on x86-64


class AmxProducts:
    """Both factors are rounded while they are brought into tiles; sums are taken in float32.

    The bits of a product depend on its values and its shape alone.

    Args:
        inner: multiplies in full precision; its threads share the work.
    """

    def __init__(self, inner: Products) -> None:
        self._inner, self.name, self.team, self._rooms = inner, inner.name, inner.team, _Rooms()

    def __reduce__(self) -> tuple[Any, ...]:
        return AmxProducts, (self._inner,)

    def matmul(self, a: AnyArray, b: AnyArray, out: FloatArray) -> None:
        """out = a · b, of float32; `out` shares no memory with the others."""
        if not (a.size and b.size):
            out[...] = 0
            return
        if ITEM not in out.strides:  # its numbers lie apart both ways
            product = np.empty(out.shape, out.dtype)
            self.matmul(a, b, product)
            out[...] = product
            return
        if out.strides[1] != ITEM:  # written the way round in which `out` lies in memory
            a, b, out = b.T, a.T, out.T
        a = a if ITEM in a.strides else np.ascontiguousarray(a)
        b = b if ITEM in b.strides else np.ascontiguousarray(b)
        parts = parts_for(self.team, a.size + b.size + out.size)
        self.team.run(_compiled()[0].multiply, parts, a, b, out, self._rooms.product(parts, a.shape[1], min(out.shape)))

    def update(self, rule: int, buffers: Sequence[FloatArray], numbers: FloatArray, factors: Factors) -> None:
        """One step of a rule along a gradient that is a product, by the kernel that makes it.

        Args:
            rule: as for `thinnet.kernels.optimizers`.
            buffers: the matrix, row by row, and two arrays of the rule's state of it, empty where it has less.
            numbers: the rule's hyperparameters.
            factors: of the gradient.
        """
        below, above, W, penalty = factors
        parts = parts_for(self.team, W.size)
        room, gradients = self._rooms.product(parts, *above.shape), self._rooms.gradients(parts, above.shape[1])
        work = _compiled()[1].update_by_product
        self.team.run(work, parts, below, above, tuple(buffers), rule, numbers, penalty, room, gradients)


class _Rooms(threading.local):
    """Memory of each thread, used again and again; all of it begins at cache lines."""

    def __init__(self) -> None:
        self._memory: dict[str, AnyArray] = {}
        self._known: dict[tuple[Any, ...], Any] = {}

    def product(self, parts: int, depth: int, shorter: int) -> tuple[AnyArray, ...]:
        """What a product may write to on the way."""
        key = "product", parts, depth, shorter
        if len(self._known) > MANY:  # thinned networks have other shapes in each step
            self._known.clear()
        if key not in self._known:
            amx = _compiled()[0]
            tiles = self._array("tiles", np.uint8, amx.room_size(depth, shorter))
            panels = self._array("panels", np.uint8, parts, amx.PANELS)
            self._known[key] = tiles, panels, self._array("edges", np.float32, parts, amx.SIDE, amx.SIDE), amx.SHAPES
        room: tuple[AnyArray, ...] = self._known[key]
        return room

    def gradients(self, parts: int, columns: int) -> AnyArray:
        """Some rows of a gradient for each part."""
        key = "gradients", parts, columns
        if key not in self._known:
            rows = _compiled()[1].rows_together(columns)
            self._known[key] = self._array("gradients", np.float32, parts, rows, columns)
        gradients: AnyArray = self._known[key]
        return gradients

    def _array(self, name: str, dtype: Any, *shape: int) -> AnyArray:
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if name not in self._memory or self._memory[name].size < size:
            room = np.empty(size + CACHE_LINE, np.uint8)
            self._memory[name] = room[-room.ctypes.data % CACHE_LINE :]
            self._known.clear()  # which have what there was before
        array: AnyArray = self._memory[name][:size].view(dtype).reshape(shape)
        return array


@functools.cache  # an import statement in each product takes longer than a small one
def _compiled() -> tuple[Any, Any]:
    """The kernels, which are compiled when they are imported."""
    from thinnet.kernels import amx, amx_update

    return amx, amx_update


@functools.cache
def usable() -> bool:
    """Whether the processor has the instructions, the compiler knows them, and Linux lets this process use them."""
    if not has_amx():
        return False
    try:
        from numba.core.registry import cpu_target
    except ImportError:  # then there are no kernels
        return False
    features = cpu_target.target_context.codegen().magic_tuple()[2]
    if not all(f"+{name}" in features.split(",") for name in ("amx-tile", "amx-bf16", "avx512bf16", "avx512bw")):
        return False
    return int(ctypes.CDLL(None).syscall(ARCH_PRCTL, REQUEST_PERMISSION, TILES)) == 0
