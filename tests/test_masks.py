"""The random bits: the published generator, the documented layout, purity, and statistics.

The statistical tests use fixed seeds, so each either always passes or always fails.  With random seeds, a perfect
generator would fail a given test with probability below 1e-6: it computes at most 200 p-values, and bounds each by 1e-9
(which is |z| < 6.1 for a two-sided normal test).
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from thinnet import ArgumentError
from thinnet.masks import drop_threshold, keep_mask, philox, random_bits
from thinnet.typing import AnyArray, BoolArray

LEAST_P = 1e-9
MOST_Z = 6.1
FULL = 0xFFFFFFFF
RATES = (0.001, 0.1, 0.3, 0.5, 0.75, 0.999)

# From Random123's kat_vectors, philox4x32 with 10 rounds: counter, key, words.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((FULL,) * 4, (FULL,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def scalar_philox(counter: tuple[int, ...], key: tuple[int, int]) -> list[int]:
    """Philox4x32-10 as in the paper, with Python integers."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * c0, 2**32)
        high1, low1 = divmod(0xCD9E8D57 * c2, 2**32)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return [c0, c1, c2, c3]


def scalar_word(seed: int, step: int, layer: int, row: int, column: int) -> int:
    """The word of one unit, as described in the docstring of `thinnet.masks`."""
    counter = (16 * (column // 64) + column % 16, row, step, layer)
    return scalar_philox(counter, (seed % 2**32, seed // 2**32))[column % 64 // 16]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_philox_gives_the_published_words(
    counter: tuple[int, int, int, int], key: tuple[int, int], words: tuple[int, ...]
) -> None:
    c0, c1, c2, c3 = (np.uint64(word) for word in counter)
    assert [int(word) for word in philox((c0, c1, c2, c3), key)] == list(words)
    assert scalar_philox(counter, key) == list(words)


WORD = st.integers(0, FULL)


@settings(max_examples=100)
@given(counter=st.tuples(WORD, WORD, WORD, WORD), key=st.tuples(WORD, WORD))
def test_philox_is_that_of_the_paper(counter: tuple[int, int, int, int], key: tuple[int, int]) -> None:
    c0, c1, c2, c3 = (np.uint64(word) for word in counter)
    assert [int(word) for word in philox((c0, c1, c2, c3), key)] == scalar_philox(counter, key)


COUNTERS = {
    "seed": st.integers(0, 2**64 - 1),
    "step": WORD,
    "layer": WORD,
    "first_row": st.integers(0, FULL - 10),
}


@settings(max_examples=60)
@given(columns=st.integers(0, 200), rows=st.integers(0, 3), **COUNTERS)
@example(columns=200, rows=2, seed=2**64 - 1, step=FULL, layer=FULL, first_row=FULL - 1)
def test_the_bits_lie_as_documented(columns: int, rows: int, seed: int, step: int, layer: int, first_row: int) -> None:
    bits = random_bits((rows, columns), seed=seed, step=step, layer=layer, first_row=first_row)
    assert bits.shape == (rows, columns)
    assert bits.dtype == np.uint32
    positions = itertools.product(range(first_row, first_row + rows), range(columns))
    expected = [scalar_word(seed, step, layer, row, column) for row, column in positions]
    np.testing.assert_array_equal(bits.ravel(), np.array(expected, np.uint32))


@settings(max_examples=60)
@given(
    data=st.data(),
    rate=st.floats(0, 1, exclude_max=True),
    rows=st.integers(1, 20),
    columns=st.integers(1, 200),
    **COUNTERS,
)
def test_a_part_of_a_mask_is_the_mask_of_the_part(
    data: Any, rate: float, rows: int, columns: int, seed: int, step: int, layer: int, first_row: int
) -> None:
    first_row = min(first_row, FULL - 30)
    whole = keep_mask(rate, (rows, columns), seed=seed, step=step, layer=layer, first_row=first_row)
    top = data.draw(st.integers(0, rows))
    height, width = data.draw(st.integers(0, rows - top)), data.draw(st.integers(0, columns))
    part = keep_mask(rate, (height, width), seed=seed, step=step, layer=layer, first_row=first_row + top)
    np.testing.assert_array_equal(part, whole[top : top + height, :width])
    assert part.dtype == np.bool_


@settings(max_examples=200)
@given(rate=st.floats(0, 1, exclude_max=True))
@example(rate=math.nextafter(1, 0))
@example(rate=0.5)
@example(rate=2**-33)
def test_the_threshold_honors_the_rate_to_the_last_bit_of_a_word(rate: float) -> None:
    threshold = int(drop_threshold(rate))
    assert 0 <= threshold <= FULL
    assert abs(threshold / 2**32 - rate) <= 2**-32


@pytest.mark.parametrize("rate", [0.0, *RATES])
def test_a_unit_stays_where_its_word_reaches_the_threshold(rate: float) -> None:
    bits = random_bits((50, 70), seed=3, step=1)
    np.testing.assert_array_equal(keep_mask(rate, (50, 70), seed=3, step=1), bits >= drop_threshold(rate))
    assert keep_mask(0.0, (50, 70), seed=3).all()


def test_a_word_equal_to_the_threshold_keeps_its_unit() -> None:
    bits = random_bits((4, 8), seed=3)
    for index in np.ndindex(bits.shape):
        keep = keep_mask(int(bits[index]) / 2**32, (4, 8), seed=3)
        assert keep[index]
        assert not keep_mask((int(bits[index]) + 1) / 2**32, (4, 8), seed=3)[index]


def test_numpy_integers_of_any_width_are_taken() -> None:
    expected = random_bits((3, 70), seed=7, step=7, layer=7, first_row=7)
    for kind in (np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64):
        n: Any = kind(7)
        np.testing.assert_array_equal(random_bits((3, 70), seed=n, step=n, layer=n, first_row=n), expected)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("seed", -1, r"seed must be an integer from 0 to 2\*\*64 - 1, got -1\. Use a whole number"),
        ("seed", 2**64, "seed must be an integer from 0 to .*, got 18446744073709551616"),
        ("seed", 1.0, r"seed must be an integer from 0 to .*, got 1\.0 \(float\)"),
        ("seed", None, r"seed must be an integer from 0 to .*, got None"),
        ("step", 2**32, r"step must be an integer from 0 to 4294967295, got 4294967296\. Steps count from 0"),
        ("layer", -1, r"layer must be an integer from 0 to .*, got -1\. Layers count from 0"),
        ("first_row", 2**32, r"first_row must be an integer from 0 to .*, got 4294967296\. Rows count from 0"),
        ("step", True, r"step must be an integer from 0 to .*, got True \(bool\)"),
    ],
)
def test_coordinates_outside_their_limits_are_refused(name: str, value: Any, text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        keep_mask(0.5, (2, 2), **{"seed": 0, name: value})


@pytest.mark.parametrize("rate", [1.0, -1e-9, math.nan, math.inf, "0.5"])
def test_a_rate_outside_its_limits_is_refused(rate: Any) -> None:
    with pytest.raises(ArgumentError, match=r"rate must be a number in \[0, 1\), got "):
        keep_mask(rate, (2, 2), seed=0)


# Statistics


def two_sided(kept: int, total: int, chance: float) -> float:
    """The two-sided probability of a count at least as extreme as `kept`."""
    binomial = stats.binom(total, chance)
    return float(2 * min(binomial.cdf(kept), binomial.sf(kept - 1)))


@pytest.mark.parametrize("rate", RATES)
def test_the_rate_is_honored(rate: float) -> None:
    """Over a million units of a whole mask, and over each column modulo 64 (one lane of one word)."""
    keep = keep_mask(rate, (1000, 1024), seed=11, step=5)
    assert two_sided(int(keep.sum()), keep.size, 1 - rate) > LEAST_P
    for lane in range(64):
        part = keep[:, lane::64]
        assert two_sided(int(part.sum()), part.size, 1 - rate) > LEAST_P, lane


@pytest.mark.parametrize("rate", RATES)
def test_each_row_and_each_column_keeps_its_share(rate: float) -> None:
    keep = keep_mask(rate, (100, 100), seed=12)
    for axis in (0, 1):
        for count in keep.sum(axis=axis):
            assert two_sided(int(count), 100, 1 - rate) > LEAST_P


def z_of_correlation(a: AnyArray, b: AnyArray, rate: float) -> float:
    """The correlation of two masks in standard errors: about normal if n · rate² is large."""
    centered = (a - (1 - rate)) * (b - (1 - rate))
    return float(centered.sum() / (rate * (1 - rate) * math.sqrt(centered.size)))


@functools.cache
def large_mask(rate: float) -> BoolArray:
    return keep_mask(rate, (1024, 1024), seed=13, step=2)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.75])
@pytest.mark.parametrize("lag", [1, 2, 3, 15, 16, 17, 32, 48, 63, 64, 65, 128])
def test_units_some_columns_or_rows_apart_are_independent(lag: int, rate: float) -> None:
    keep = large_mask(rate)
    assert abs(z_of_correlation(keep[:, lag:], keep[:, :-lag], rate)) < MOST_Z
    assert abs(z_of_correlation(keep[lag:], keep[:-lag], rate)) < MOST_Z
    assert abs(z_of_correlation(keep[lag:, lag:], keep[:-lag, :-lag], rate)) < MOST_Z


APART = {
    "one seed": {"seed": 1},
    "a seed's high word": {"seed": 2**32},
    "one step": {"step": 1},
    "a thousand steps": {"step": 1000},
    "one layer": {"layer": 1},
    "layer and step swapped": {"step": 3, "layer": 1},
}


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.75])
@pytest.mark.parametrize("apart", APART)
def test_masks_of_other_coordinates_are_independent(apart: str, rate: float) -> None:
    base = {"seed": 0, "step": 1, "layer": 3} if "swapped" in apart else {"seed": 0, "step": 0, "layer": 0}
    first = keep_mask(rate, (1000, 1000), **base)
    second = keep_mask(rate, (1000, 1000), **{**base, **APART[apart]})
    assert (first != second).any()
    assert abs(z_of_correlation(first, second, rate)) < MOST_Z


def test_masks_of_equal_seeds_steps_and_layers_are_equal_and_all_others_differ() -> None:
    positions = list(itertools.product((0, 1, 2**32), (0, 1), (0, 1), (0, 1)))
    masks = [keep_mask(0.5, (8, 64), seed=s, step=t, layer=k, first_row=r).tobytes() for s, t, k, r in positions]
    again = [keep_mask(0.5, (8, 64), seed=s, step=t, layer=k, first_row=r).tobytes() for s, t, k, r in positions]
    assert masks == again
    assert len(set(masks)) == len(positions)


def lined_up(along: str) -> BoolArray:
    """Half a million units in groups of four along one coordinate, at rate one half: (..., 4)."""
    if along == "columns":
        return keep_mask(0.5, (500, 1024), seed=21).reshape(-1, 4)
    if along == "words":
        return keep_mask(0.5, (500, 1024), seed=21).reshape(500, 16, 4, 16).swapaxes(2, 3).reshape(-1, 4)
    if along == "rows":
        return keep_mask(0.5, (500, 1024), seed=21).reshape(125, 4, 1024).swapaxes(1, 2).reshape(-1, 4)
    name = along.removesuffix("s")
    return np.stack([keep_mask(0.5, (500, 256), **{"seed": 21, name: i}) for i in range(4)], axis=-1).reshape(-1, 4)


@pytest.mark.parametrize("along", ["columns", "words", "rows", "steps", "layers", "seeds"])
def test_all_patterns_of_four_units_are_equally_frequent(along: str) -> None:
    patterns = lined_up(along) @ np.array([1, 2, 4, 8])
    assert stats.chisquare(np.bincount(patterns, minlength=16)).pvalue > LEAST_P


@pytest.mark.parametrize("order", ["rows", "columns"])
def test_the_number_of_runs_is_that_of_coin_tosses(order: str) -> None:
    """Wald and Wolfowitz: given k heads among n tosses, the number of runs is about normal."""
    keep = keep_mask(0.5, (1000, 1024), seed=22)
    tosses = (keep if order == "rows" else keep.T).ravel()
    n, heads = tosses.size, int(tosses.sum())
    runs = 1 + int((tosses[1:] != tosses[:-1]).sum())
    mean = 1 + 2 * heads * (n - heads) / n
    variance = (mean - 1) * (mean - 2) / (n - 1)
    assert abs(runs - mean) / math.sqrt(variance) < MOST_Z


def test_each_bit_is_a_fair_coin_and_independent_of_the_others() -> None:
    numbers = random_bits((512, 1024), seed=23)
    bits = np.unpackbits(numbers.reshape(-1, 1).view(np.uint8), axis=1)
    assert bits.shape[1] == 32
    for bit in range(32):
        assert two_sided(int(bits[:, bit].sum()), len(bits), 0.5) > LEAST_P
    signs = 2 * bits.astype(np.float32) - 1
    correlations = np.abs(signs.T @ signs - len(bits) * np.eye(32)) / math.sqrt(len(bits))
    assert correlations.max() < 6.5  # 496 pairs: p < 496 · 8e-11


def test_the_bits_are_spread_evenly_as_numbers() -> None:
    bits = random_bits((512, 1024), seed=24)
    counts = np.bincount(bits.ravel() >> np.uint32(24), minlength=256)
    assert stats.chisquare(counts).pvalue > LEAST_P
