"""The kernel of `thinnet.masks`: Philox4x32-10, sixteen counters at a time."""

from typing import Any

import numpy as np
from numba import uint32, uint64

from thinnet.kernels.compile import allocating_kernel, inline
from thinnet.masks import GROUP, LANES, MULTIPLIERS, ROUNDS, WEYL, drop_threshold
from thinnet.typing import AnyArray, BoolArray

_MULTIPLIER0, _MULTIPLIER1 = np.uint64(MULTIPLIERS[0]), np.uint64(MULTIPLIERS[1])
_WEYL0, _WEYL1 = np.uint32(WEYL[0]), np.uint32(WEYL[1])
_HIGH = np.uint64(32)


@inline()
def philox(c0: Any, c1: Any, c2: Any, c3: Any, key0: np.uint32, key1: np.uint32) -> tuple[Any, Any, Any, Any]:
    """The kernel of `thinnet.masks.philox`, for one counter."""
    c0, c1, c2, c3, k0, k1 = uint32(c0), uint32(c1), uint32(c2), uint32(c3), uint32(key0), uint32(key1)
    for _ in range(ROUNDS):
        product0 = uint64(c0) * _MULTIPLIER0
        product1 = uint64(c2) * _MULTIPLIER1
        c0 = uint32(uint32(product1 >> _HIGH) ^ c1 ^ k0)
        c2 = uint32(uint32(product0 >> _HIGH) ^ c3 ^ k1)
        c1 = uint32(product1)
        c3 = uint32(product0)
        k0 = uint32(k0 + _WEYL0)
        k1 = uint32(k1 + _WEYL1)
    return c0, c1, c2, c3


@inline()
def group_bits(bits: AnyArray, group: int, row: int, step: int, layer: int, key0: np.uint32, key1: np.uint32) -> None:
    """Fill `bits`, (64,) uint32, with the random bits of the 64 columns of a group in one row.

    The loop over lanes has no branch and a fixed length, so the compiler turns it into vector instructions: sixteen
    counters are scrambled side by side.
    """
    for lane in range(LANES):
        c0, c1, c2, c3 = philox(group * LANES + lane, row, step, layer, key0, key1)
        bits[lane] = c0
        bits[LANES + lane] = c1
        bits[2 * LANES + lane] = c2
        bits[3 * LANES + lane] = c3


@allocating_kernel()
def fill_bits(out: AnyArray, key0: np.uint32, key1: np.uint32, step: int, layer: int, first_row: int) -> None:
    """The kernel of `thinnet.masks.random_bits`: fill `out`, (N, D) uint32."""
    bits = np.empty(GROUP, np.uint32)
    rows, columns = out.shape
    for row in range(rows):
        for group in range((columns + GROUP - 1) // GROUP):
            group_bits(bits, group, first_row + row, step, layer, key0, key1)
            base = group * GROUP
            for j in range(min(GROUP, columns - base)):
                out[row, base + j] = bits[j]


def keep_units(rate: float, num_units: int, *, seed: int, step: int = 0, layer: int = 0) -> BoolArray:
    """The kernel of `thinnet.masks.keep_units`."""
    bits = np.empty((1, num_units), np.uint32)
    fill_bits(bits, np.uint32(seed & 0xFFFFFFFF), np.uint32(seed >> 32), step, layer, 0)
    keep: BoolArray = bits[0] >= drop_threshold(rate)
    return keep
