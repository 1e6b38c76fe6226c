r"""The random bits of dropout, as a pure function of (seed, step, layer, row, column).

The bits come from Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random
numbers: as easy as 1, 2, 3" (SC 2011).  It has no state: it scrambles a 128-bit *counter* under a 64-bit *key* into
four 32-bit words, and passes the TestU01 batteries.  Here

    key     = seed (low word, high word)
    counter = (16 * (column // 64) + column % 16,  row,  step,  layer)
    word    = number (column % 64) // 16 of the four

so one counter serves four columns, sixteen apart: sixteen neighboring columns come from sixteen neighboring counters,
which suits vector instructions.  A unit is kept if its word is at least rate * 2**32, so the rate is exact to 2**-32.
The bits do not depend on how many rows or columns are requested, or on threads or processes.
"""

import os
from typing import Any

import numpy as np

from thinnet.checks import check_number
from thinnet.errors import ArgumentError
from thinnet.typing import BitsArray, BoolArray

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)  # added to the key between rounds
LOW = np.uint64(0xFFFFFFFF)
HIGH = np.uint64(32)

LANES = 16  # neighboring columns served by neighboring counters
GROUP = 4 * LANES  # columns served by one run of LANES counters
AUGMENTATION = 2**32 - 1  # the layer number of augmentation's counters; no net has that many layers


def keep_mask(
    rate: float, shape: tuple[int, int], *, seed: int, step: int = 0, layer: int = 0, first_row: int = 0
) -> BoolArray:
    """Which units to keep: True with probability 1 − rate, independently for each element.

    Args:
        rate: the fraction dropped, 0 <= rate < 1.
        shape: (N, D), the number of rows and columns.
        seed: 64 bits; different seeds give independent masks.
        step: the number of the training step, below 2**32.
        layer: the number of the dropout layer, below 2**32.
        first_row: if the batch is split, the row of the whole batch where this part begins.

    Returns:
        (N, D) array of bool, True where the unit is kept.

    Raises:
        ArgumentError: if a number is outside its limits.

    >>> whole = keep_mask(0.5, (4, 5), seed=1, step=7)
    >>> part = keep_mask(0.5, (2, 3), seed=1, step=7, first_row=2)
    >>> bool((whole[2:, :3] == part).all())
    True
    """
    threshold = drop_threshold(rate)
    return random_bits(shape, seed=seed, step=step, layer=layer, first_row=first_row) >= threshold


def keep_units(rate: float, num_units: int, *, seed: int, step: int = 0, layer: int = 0) -> BoolArray:
    """Which units to keep if the whole batch shares one mask: the first row of `keep_mask`, for any batch.

    Args:
        rate, seed, step, layer: as in `keep_mask`.
        num_units: D, how many units the layer has.

    Returns:
        (D,) array of bool, True where the unit is kept.

    Raises:
        ArgumentError: if a number is outside its limits.

    >>> keep_units(0.5, 6, seed=3)
    array([ True, False,  True, False,  True,  True])
    """
    mask: BoolArray = keep_mask(rate, (1, check_number("num_units", num_units)), seed=seed, step=step, layer=layer)[0]
    return mask


def fresh_seed() -> int:
    """A 63-bit seed from the operating system, used if none is given."""
    return int.from_bytes(os.urandom(8), "little") >> 1


def drop_threshold(rate: float) -> np.uint32:
    """The smallest 32-bit random number that keeps its unit: rate · 2**32, rounded."""
    return np.uint32(min(round(check_number("rate", rate) * 2**32), 2**32 - 1))


def random_bits(shape: tuple[int, int], *, seed: int, step: int = 0, layer: int = 0, first_row: int = 0) -> BitsArray:
    """The 32 uniform random bits of each unit that `keep_mask` uses, as an (N, D) uint32 array; same arguments."""
    given = {"seed": seed, "step": step, "layer": layer, "first_row": first_row}
    # Plain Python integers: NumPy's narrow ones would overflow in the arithmetic below.
    seed, step, layer, first_row = (check_number(name, value) for name, value in given.items())
    num_rows, num_columns = _shape(shape)
    groups = -(-num_columns // GROUP)
    rows = np.arange(first_row, first_row + num_rows, dtype=np.uint64)[:, None] & LOW
    columns = np.arange(groups * LANES, dtype=np.uint64)[None, :]
    words = philox((columns, rows, np.uint64(step), np.uint64(layer)), (seed & 0xFFFFFFFF, seed >> 32))
    by_lane = np.stack([np.broadcast_to(w, (num_rows, groups * LANES)) for w in words], axis=1)
    # (row, word, group, lane) -> (row, group, word, lane): the order of the columns
    ordered = by_lane.reshape(num_rows, 4, groups, LANES).swapaxes(1, 2).reshape(num_rows, groups * GROUP)
    return ordered[:, :num_columns].astype(np.uint32)


def philox(counter: tuple[Any, Any, Any, Any], key: tuple[int, int], rounds: int = ROUNDS) -> list[Any]:
    """Philox4x32: scramble four counter words with two key words; uint64 arrays are broadcast.

    >>> zero = np.uint64(0)
    >>> [hex(word) for word in philox((zero, zero, zero, zero), (0, 0))]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    c0, c1, c2, c3 = counter
    for number in range(rounds):
        k0, k1 = (np.uint64(key[i] + number * WEYL[i] & 0xFFFFFFFF) for i in (0, 1))
        product0, product1 = c0 * np.uint64(MULTIPLIERS[0]), c2 * np.uint64(MULTIPLIERS[1])
        c0, c1 = (product1 >> HIGH) ^ c1 ^ k0, product1 & LOW
        c2, c3 = (product0 >> HIGH) ^ c3 ^ k1, product0 & LOW
    return [c0, c1, c2, c3]


def _shape(shape: Any) -> tuple[int, int]:
    if not isinstance(shape, tuple | list) or len(shape) != 2:
        raise ArgumentError(f"shape must be a pair (rows, columns), got {shape!r}. Write (100, 500), for example.")
    return check_number("shape", shape[0]), check_number("shape", shape[1])
