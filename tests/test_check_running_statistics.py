"""The checker on what batch normalization takes for running statistics that bn_param does not have yet."""

from __future__ import annotations

import pytest

import check_sources as sources
from test_check import check

MEAN = '"running_mean", np.zeros(D, dtype=x.dtype))'
VAR = '"running_var", np.zeros(D, dtype=x.dtype))'
UPDATE = "momentum * running_var + (1 - momentum) * var"


@pytest.mark.parametrize(
    "changes",
    [
        {VAR: '"running_var", np.ones(D))'},
        {VAR: '"running_var", x.var(axis=0))'},
        {VAR: '"running_var", x.var(axis=0))', MEAN: '"running_mean", x.mean(axis=0))'},
        {UPDATE: f"{UPDATE} * N / (N - 1)"},
        {UPDATE: f"{UPDATE} * N / (N - 1)", VAR: '"running_var", np.ones(D))'},
    ],
)
def test_usual_ways_to_start_are_right(changes: dict[str, str]) -> None:
    report = check(sources.swap(sources.LAYERS, changes))
    assert not report.verdicts, str(report)


@pytest.mark.parametrize(
    ("old", "start", "told"), [(MEAN, "2.5", "mean, it starts at 2.5"), (VAR, "7", "var, it starts at 7")]
)
def test_others_are_told_with_their_value(old: str, start: str, told: str) -> None:
    new = old.replace("np.zeros(D, dtype=x.dtype)", f"{start} + np.zeros(D)")
    ((_, found),) = check(sources.swap(sources.LAYERS, {old: new}))
    assert (found.verdict, f"has no running_{told}, expected 0" in found.evidence) == ("running-statistics-wrong", True)
