"""The checker on Adam: how its step is counted, and where."""

from __future__ import annotations

import pytest

import check_sources as sources
from test_check import check


@pytest.mark.parametrize("how", sources.RIGHT_ADAMS)
def test_right_adams_pass_in_every_order_of_counting(how: str) -> None:
    report = check(sources.swap(sources.OPTIM, sources.RIGHT_ADAMS[how]))
    assert report.ok, str(report)
    assert not report.verdicts


@pytest.mark.parametrize(
    "changes",
    [
        {'"t"': '"iteration"'},
        {sources.COUNT: "    global count\n    count += 1\n    t = count\n", "def adam(": "count = 0\ndef adam("},
    ],
    ids=["by another name", "in a global"],
)
def test_a_step_that_adam_counts_outside_of_t_is_noted(changes: dict[str, str]) -> None:
    report = check(sources.swap(sources.OPTIM, changes))
    assert report.ok, str(report)
    assert report.verdicts == {"step-kept-elsewhere"}
    assert "with t = 5 given" in str(report)


def test_what_is_wrong_with_adams_t_is_told_apart() -> None:
    late = {sources.COUNT: '    t = config["t"]\n    config["t"] += 1\n', 'setdefault("t", 0)': 'setdefault("t", 1)'}
    assert check(sources.swap(sources.OPTIM, late)).faults == {"step-counted-late"}  # right from an empty config
    unread = {sources.COUNT: "    t = 1\n"}
    assert check(sources.swap(sources.OPTIM, unread)).faults == {"power-forgotten", "step-not-counted"}
    twice = {'    t = config["t"]\n': '    t = config["t"] + 1\n'}
    assert check(sources.swap(sources.OPTIM, twice)).faults == {"step-counted-twice"}
