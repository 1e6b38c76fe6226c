"""The checker on image layers: it reports planted faults by name and nothing else, and correct code passes."""

from __future__ import annotations

import numpy as np
import pytest

import check_images
from check_sources import swap
from test_check import check, ids
from thinnet.check.compare import Difference, difference


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


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("top, left = i * stride, j * stride", "top, left = i * stride, j", "that of stride 1 in one direction"),
        (
            "1 + (W + 2 * pad - WW) // stride\n",
            "1 + (W + 2 * pad - WW) // stride; P, Q = P - 2 * pad // stride, Q - 2 * pad // stride\n",
            "the output has the size of one without padding",
        ),
        (
            "pad:pad + H, pad:pad + W]",
            "1:-1, 1:-1]",
            "with stride 2 and pad 2: dx is cut by 1 on each side, where pad is 2",
        ),
        (
            "pad:pad + H, pad:pad + W]",
            "1:1 + H, 1:1 + W]",
            "padding-not-removed with stride 2 and pad 2: dx is cut out of the wrong place",
        ),
        (
            "for j in range(out.shape[3])",
            "for j in range(min(out.shape[2:]))",
            "elements are wrong, those at [:, :, :, 2], where it is zero",
        ),
        (
            "i * stride + K, j * stride:j * stride + L].max",
            "(i + 1) * stride, j * stride:(j + 1) * stride].max",
            "the output is that of windows of stride x stride",
        ),
        (
            "np.unravel_index(np.argmax(window), window.shape)",
            "divmod(np.argmax(window), K)",
            "with windows of 2 x 3 and images of 5 x 6: ",
        ),
    ],
)
def test_a_mistake_in_a_convolution_is_told_by_what_it_is(old: str, new: str, told: str) -> None:
    assert told in " ".join(f"{one.verdict} {one.evidence}" for _, one in check(swap(check_images.IMAGES, {old: new})))


def test_images_that_come_out_square_are_told_so() -> None:
    found = difference("the output", np.ones((2, 3, 4, 4)), np.ones((2, 3, 4, 5)))
    assert found == Difference(
        "shape-changed", "the output has shape (2, 3, 4, 4), expected (2, 3, 4, 5): it is square"
    )


def test_a_group_without_variance_needs_an_epsilon() -> None:
    text = swap(check_images.IMAGES, {'gn_param.get("eps", 1e-5)': "0"})
    assert [(name, one.verdict) for name, one in check(text)] == [("spatial_groupnorm_forward", "epsilon-missing")]
