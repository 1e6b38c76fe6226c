"""Mean and spread, and Student's paired t-test, compared with SciPy."""

from __future__ import annotations

import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from thinnet.errors import MissingExtraError
from thinnet.statistics import paired_difference, rounded, spread

values = st.floats(-1, 1).map(lambda value: round(value, 3))


@given(st.lists(st.tuples(values, values), min_size=2, max_size=20))
def test_the_paired_test_is_scipys(pairs: list[tuple[float, float]]) -> None:
    ones, others = zip(*pairs, strict=True)
    if max(a - b for a, b in pairs) - min(a - b for a, b in pairs) > 1e-6:
        expected = stats.ttest_rel(ones, others)
        found = paired_difference(ones, others)
        assert found.p == pytest.approx(expected.pvalue, abs=1e-7)
        assert found.mean == pytest.approx(sum(ones) / len(ones) - sum(others) / len(others))


def test_without_scipy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.special", None)
    with pytest.raises(MissingExtraError, match=r"a paired t-test needs the package 'scipy'.*thinnet\[report\]"):
        paired_difference([0.5, 0.7], [0.2, 0.6])
    assert paired_difference([0.5], [0.2]).count == 1


def test_what_few_numbers_cannot_say_is_left_out() -> None:
    assert f"{spread([0.5]):.2f}" == "0.50"
    assert str(paired_difference([0.5], [0.25])) == "+0.250"
    assert math.isnan(paired_difference([0.5], [0.25]).p)


def test_equal_differences_are_no_evidence() -> None:
    """Otherwise two seeds that each gain one row of fifty would count as certain."""
    same = paired_difference([0.3, 0.7], [0.2, 0.6])  # equal up to rounding
    assert math.isnan(same.p)
    assert str(same) == "+0.100 ± 0.000 (standard error of 2 paired differences; no test: all differences are alike)"
    assert paired_difference([0.5, 0.75], [0.5, 0.75]).p == 1


def test_halves_are_rounded_away_from_zero_however_floats_hold_them() -> None:
    assert [rounded(value) for value in (0.9625, 0.0125, -0.0125, 0.5)] == ["0.963", "0.013", "-0.013", "0.500"]
    assert rounded(96.25, ".1f") == "96.3"
    assert f"{spread([0.962, 0.963])}" == "0.963 ± 0.001"
    assert str(paired_difference([0.0125], [0.0])) == "+0.013"


@given(st.integers(0, 2000))
def test_a_fraction_and_its_percentage_agree(right: int) -> None:
    assert float(rounded(right / 2000)) * 100 == pytest.approx(float(rounded(100 * right / 2000, ".1f")))
