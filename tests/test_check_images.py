"""The checker on layers of images: planted faults are found by name and nothing else is; right code passes."""

from __future__ import annotations

import pytest

import check_images
from check_sources import swap
from test_check import check, ids


@pytest.mark.parametrize("style", check_images.RIGHT)
def test_right_layers_pass_in_every_style(style: str) -> None:
    report = check(check_images.RIGHT[style])
    assert report.ok, str(report)
    assert not report.verdicts, str(report)


@pytest.mark.parametrize(("verdict", "function", "changes"), check_images.FAULTS, ids=ids(check_images.FAULTS))
def test_each_planted_fault_is_found_and_nothing_else(verdict: str, function: str, changes: dict[str, str]) -> None:
    report = check(swap(check_images.IMAGES, changes))
    assert report.faults == {verdict}, str(report)
    assert {name for name, one in report if one.severity == "fault"} == {function}, str(report)


@pytest.mark.parametrize(("verdict", "function", "changes"), check_images.NOTES, ids=ids(check_images.NOTES))
def test_what_is_only_worth_a_remark_is_a_note(verdict: str, function: str, changes: dict[str, str]) -> None:
    report = check(swap(check_images.IMAGES, changes))
    assert report.ok, str(report)
    assert [(name, one.verdict) for name, one in report] == [(function, verdict)]


def test_a_fault_of_batch_normalization_is_not_that_of_the_spatial_one() -> None:
    report = check(swap(check_images.IMAGES, {"- hat * (g * hat).mean(axis=0)": ""}))
    assert {(name, one.verdict) for name, one in report} == {
        ("batchnorm_backward", "missing-variance-term"),
        ("spatial_batchnorm_backward", "follows-from-layers"),
    }


@pytest.mark.parametrize("wrong", [", ddof=1)", ") * 20", ") + 0.3", ") ** 0.5"])
def test_a_wrong_variance_of_groups_is_a_fault_of_forward_alone(wrong: str) -> None:
    right = "groups.var(axis=(2, 3, 4), keepdims=True)"
    report = check(swap(check_images.IMAGES, {right: right.removesuffix(")") + wrong}))
    assert {(name, one.verdict) for name, one in report if one.severity == "fault"} == {
        ("spatial_groupnorm_forward", "wrong-output")
    }, str(report)
