"""The kinds of matrix products to test, and matrices in many memory layouts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

from thinnet import kernels
from thinnet.bfloat16 import rounded
from thinnet.products import blocked
from thinnet.products.blocked import BlockedProducts
from thinnet.products.numpy import NumpyProducts
from thinnet.products.rounded import RoundedProducts
from thinnet.teams import ONE_THREAD
from thinnet.typing import AnyArray, FloatArray

LAYOUTS = ["rows", "columns", "part of rows", "part of columns", "every other"]
GENERATOR = np.random.default_rng(0)


class Kind(NamedTuple):
    """A way to multiply matrices of one dtype."""

    name: str
    make: Any
    dtype: str
    rounds: bool = False

    @property
    def rounding(self) -> float:
        """The allowed error of a sum, relative to the sum of absolute values."""
        return 1e-6 if self.dtype == "float32" else 1e-14

    def seen(self, x: AnyArray) -> AnyArray:
        """The numbers that are actually multiplied."""
        return rounded(x) if self.rounds else x

    def drawn(self, *shape: int) -> FloatArray:
        return GENERATOR.standard_normal(shape).astype(self.dtype)


kernels.available()  # removes kernels compiled from older files
needs_vectors = pytest.mark.skipif(not blocked.usable(), reason="no kernels, or this processor has no AVX2")
needs_amx = pytest.mark.skipif(not blocked.amx_usable(), reason="this processor has no AMX that can be used")
OWN: list[Any] = [
    pytest.param(Kind("float32", BlockedProducts, "float32"), marks=needs_vectors, id="float32"),
    pytest.param(Kind("float64", BlockedProducts, "float64"), marks=needs_vectors, id="float64"),
    pytest.param(Kind("AMX", lambda: BlockedProducts(rounded=True), "float32", True), marks=needs_amx, id="AMX"),
]
KINDS: list[Any] = [
    *OWN,
    pytest.param(Kind("rounded", lambda: RoundedProducts(NumpyProducts()), "float32", True), id="rounded"),
    pytest.param(Kind("numpy", NumpyProducts, "float32"), id="numpy"),
]


@pytest.fixture(autouse=True, scope="module")
def small_ones_too() -> Iterator[None]:
    """Let our own kernels also multiply small matrices, which are otherwise left to NumPy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocked, "SMALL", 0)
        yield


def laid_out(x: FloatArray, layout: str) -> FloatArray:
    """The same numbers in another memory layout, with NaN around them."""
    if "columns" in layout:
        return laid_out(x.T, layout.replace("columns", "rows")).T
    rows, columns = x.shape
    apart = 2 if layout == "every other" else 1
    room = np.full((rows + 4, columns * apart + (0 if layout == "rows" else 7)), np.nan, x.dtype)
    part: FloatArray = room[2 : 2 + rows, : columns * apart : apart]
    part[...] = x
    return part


class Parts:
    """A team of one thread that splits work into parts like five threads."""

    size, enough = 5, 0
    run = staticmethod(ONE_THREAD.run)


def in_parts(multiply: BlockedProducts) -> BlockedProducts:
    multiply.team = Parts()
    return multiply
