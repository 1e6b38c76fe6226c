"""The schedules: their start, peak and end, and that they rise and fall in between."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thinnet import ArgumentError
from thinnet.schedules import SCHEDULES, Constant, Cosine, EpochDecay, OneCycle, Schedule

FRACTION = st.floats(0, 0.99)


def course(schedule: Schedule, total: int, per_epoch: int = 10) -> list[float]:
    return [schedule(step, steps_per_epoch=per_epoch, total_steps=total) for step in range(total)]


def rises(factors: list[float]) -> bool:
    return all(b > a for a, b in itertools.pairwise(factors))


def falls(factors: list[float]) -> bool:
    return rises(factors[::-1])


ANY: dict[str, Schedule] = {
    "constant": Constant(),
    "epoch_decay": EpochDecay(0.9),
    "cosine": Cosine(warmup=0.2, floor=0.1),
    "one_cycle": OneCycle(),
}


def test_the_table_holds_them_all() -> None:
    assert {name: type(schedule) for name, schedule in ANY.items()} == SCHEDULES


@pytest.mark.parametrize("name", ANY)
@pytest.mark.parametrize("total", [1, 2, 3, 10, 1000])
def test_factors_are_floats_between_zero_and_one(name: str, total: int) -> None:
    factors = course(ANY[name], total)
    assert all(type(factor) is float for factor in factors)
    assert all(0 <= factor <= 1 for factor in factors)


@pytest.mark.parametrize("name", ANY)
def test_a_schedule_is_a_value(name: str) -> None:
    """Equal arguments make equal schedules, and calls in any order do not change them."""
    schedule = ANY[name]
    forth = course(schedule, 50)
    back = [schedule(step, steps_per_epoch=10, total_steps=50) for step in reversed(range(50))]
    assert back[::-1] == forth
    assert hash(schedule) == hash(ANY[name])
    with pytest.raises((AttributeError, TypeError)):
        schedule.factor = schedule.floor = 0.5  # type: ignore[attr-defined]


def test_constant_is_one_throughout() -> None:
    assert course(Constant(), 30) == [1.0] * 30


@pytest.mark.parametrize("factor", [0.5, 0.95, 1.0, 1.1])
def test_epoch_decay_multiplies_after_each_epoch(factor: float) -> None:
    expected = [factor**epoch for epoch in range(4) for _ in range(7)]
    assert course(EpochDecay(factor), 28, per_epoch=7) == expected


@pytest.mark.parametrize(
    "schedule",
    [Cosine(), Cosine(warmup=0.5, floor=0.2), OneCycle(), OneCycle(warmup=0, start=0.5, floor=0.1)],
    ids=repr,
)
def test_a_training_of_one_step_is_at_the_full_rate(schedule: Schedule) -> None:
    assert course(schedule, 1) == [1.0]


@settings(max_examples=200)
@given(total=st.integers(3, 300), warmup=FRACTION, floor=FRACTION, start=FRACTION)
def test_one_cycle_rises_from_start_to_one_and_falls_to_floor(
    total: int, warmup: float, floor: float, start: float
) -> None:
    factors = course(OneCycle(warmup=warmup, start=start, floor=floor), total)
    peak = warmup * (total - 1)
    up, down = factors[: math.ceil(peak)], factors[math.ceil(peak) :]
    assert factors[-1] == pytest.approx(floor, abs=1e-12) or len(down) == 1
    assert factors[0] == pytest.approx(start if peak > 0 else 1, abs=1e-12)
    assert all(b >= a - 1e-15 for a, b in itertools.pairwise(up))
    assert all(b <= a + 1e-15 for a, b in itertools.pairwise(down))
    assert min(start, floor) - 1e-15 <= min(factors)
    assert max(factors) <= 1


@settings(max_examples=200)
@given(total=st.integers(3, 300), warmup=FRACTION, floor=FRACTION)
def test_cosine_rises_in_a_line_and_falls_to_floor(total: int, warmup: float, floor: float) -> None:
    factors = course(Cosine(warmup=warmup, floor=floor), total)
    peak = warmup * (total - 1)
    up, down = factors[: math.ceil(peak)], factors[math.ceil(peak) :]
    np.testing.assert_allclose(np.diff(up), np.full(max(len(up) - 1, 0), 1 / (peak + 1)), rtol=1e-9)
    assert factors[0] == (1 / (peak + 1) if peak > 0 else 1), "not 0, so that the first step counts"
    assert factors[-1] == pytest.approx(floor, abs=1e-12) or len(down) == 1
    assert all(b <= a + 1e-15 for a, b in itertools.pairwise(down))
    assert max(factors) <= 1


def test_the_peak_is_one_and_lies_where_warmup_ends() -> None:
    for schedule in (OneCycle(warmup=0.3), Cosine(warmup=0.3)):
        factors = course(schedule, 101)
        assert factors[30] == 1
        assert rises(factors[:31])
        assert falls(factors[30:])
        assert factors[-1] == pytest.approx(0, abs=1e-15)


def test_cosine_passes_half_way_at_half_the_time() -> None:
    factors = course(Cosine(floor=0.2), 101)
    assert factors[50] == pytest.approx(0.6, rel=1e-12)
    assert factors[25] == pytest.approx(0.2 + 0.8 * (1 + math.sqrt(0.5)) / 2, rel=1e-12)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: EpochDecay(0), r"factor must be a finite number > 0, got 0\. factor multiplies the learning rate"),
        (lambda: EpochDecay(math.nan), "factor must be a finite number > 0, got nan"),
        (lambda: EpochDecay("half"), r"factor must be a finite number > 0, got 'half' \(str\)"),  # type: ignore[arg-type]
        (lambda: Cosine(warmup=1), r"warmup must be a number in \[0, 1\), got 1\. warmup is the fraction of all steps"),
        (lambda: Cosine(floor=1.5), r"floor must be a number in \[0, 1\], got 1\.5\. floor is the final factor"),
        (lambda: OneCycle(warmup=-0.1), r"warmup must be a number in \[0, 1\), got -0\.1"),
        (lambda: OneCycle(start=2), r"start must be a number in \[0, 1\], got 2\. start is the first factor"),
        (lambda: OneCycle(floor=math.nan), r"floor must be a number in \[0, 1\], got nan"),
    ],
)
def test_arguments_outside_their_limits_are_refused(make: Callable[[], Any], text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        make()


@pytest.mark.parametrize("schedule", [Cosine(floor=0.1), OneCycle(floor=0.1)])
def test_the_last_factor_stays_after_the_last_step(schedule: Any) -> None:
    factors = [schedule(step, steps_per_epoch=5, total_steps=10) for step in (9, 10, 15, 100)]
    assert factors == pytest.approx([0.1] * 4)
