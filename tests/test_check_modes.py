"""The checker on mode strings that are neither 'train' nor 'test'."""

from __future__ import annotations

from pathlib import Path

import pytest

import check_dropouts as dropouts
import check_nets as nets
import check_sources as sources
from test_check import check, check_net
from test_check_files import check as check_file

NET_MODE = 'mode = "test" if y is None else "train"'


def swapped(text: str, function: str, old: str, new: str) -> str:
    """A source with a replacement in only one function."""
    before, name, after = text.partition(f"def {function}(")
    assert old in after
    return before + name + after.replace(old, new, 1)


@pytest.mark.parametrize(
    ("function", "old", "new", "told"),
    [
        ("dropout_forward", '== "train"', '== "Train"', "it has 'Train' where the mode is 'train'"),
        ("dropout_forward", '== "train"', '== "trian"', "it has 'trian' where the mode is 'train'"),
        ("dropout_backward", '== "train"', '== "training"', "it has 'training' where the mode is 'train'"),
        ("batchnorm_forward", '== "train"', 'in ("TRAIN", "fit")', "it has 'TRAIN' where the mode is 'train'; it "),
        ("batchnorm_forward", "    else:\n", '    elif mode == "tset":\n', "it has 'tset' where the mode is 'test'"),
        ("batchnorm_forward", "    else:\n", '    elif mode == "eval":\n', "it has 'eval' where the mode is 'test'"),
    ],
)  # fmt: skip
def test_a_misspelled_mode_is_the_one_fault_that_is_told(function: str, old: str, new: str, told: str) -> None:
    text = sources.LAYERS + dropouts.dropout({}, "drop")
    report = check(swapped(text, function, old, new), "drop")
    assert [(name, one.verdict) for name, one in report if one.severity == "fault"] == [(function, "misspelled-mode")]
    assert told in next(one.evidence for _, one in report if one.verdict == "misspelled-mode")


def test_the_line_of_a_misspelled_mode_is_told(tmp_path: Path) -> None:
    text = swapped(sources.LAYERS, "batchnorm_forward", '== "train"', '== "Train"')
    report = check_file(tmp_path, text)
    evidence = next(one.evidence for _, one in report if one.verdict == "misspelled-mode")
    line = text.split("\n").index('    if mode == "Train":') + 1
    gone = "with the right mode, this is gone: the output is normalized"
    assert f'in line {line}: if mode == "Train":; {gone}' in evidence


@pytest.mark.parametrize("mode", ['"Test" if y is None else "Train"', '"eval" if y is None else "train"'])
def test_a_net_that_gives_a_mode_which_no_layer_knows_is_told(mode: str) -> None:
    report = check_net(nets.net({NET_MODE: f"mode = {mode}"}, "cs231n-2018"), "cs231n-2018")
    assert report.faults == {"misspelled-mode"}, str(report)


def test_what_is_wrong_beside_a_misspelled_mode_is_told_too() -> None:
    text = swapped(sources.LAYERS, "batchnorm_forward", '== "train"', '== "Train"')
    report = check(swapped(text, "batchnorm_forward", "(running_var + eps)", "(running_var)"))
    assert {one.verdict for name, one in report if name == "batchnorm_forward"} == {
        "misspelled-mode",
        "epsilon-missing",
    }


def test_another_text_for_the_mode_that_changes_nothing_is_not_told() -> None:
    text = swapped(sources.LAYERS, "batchnorm_forward", "    else:\n", '    elif mode in ("test", "eval"):\n')
    assert check(text).ok
    report = check(swapped(text, "batchnorm_forward", "x.mean(axis=0)", "x.sum(axis=0)"))
    assert "misspelled-mode" not in report.verdicts


DROPOUT_CLASS = """\
import numpy as np


class Dropout:
    def __init__(self, p=0.5INIT):
        self.p, self.mode = p, OWN

    def forward(self, xGIVEN):
        self.mask = (np.random.rand(*x.shape) < 1 - self.p) / (1 - self.p) if MODE == "train" else 1
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask
"""
FORMS = [  # of the mode: what the constructor takes, what it keeps, what forward takes, and what forward compares
    (', mode="train"', "mode", "", "self.mode"),
    ("", '"train"', "", "self.mode"),
    ("", "None", ', mode="train"', "mode"),
]


@pytest.mark.parametrize("form", FORMS)
def test_a_class_that_does_not_know_its_own_default_mode_is_told(form: tuple[str, str, str, str]) -> None:
    text = DROPOUT_CLASS
    for name, own in zip(("INIT", "OWN", "GIVEN", "MODE"), form, strict=True):
        text = text.replace(name, own)
    assert check(text).ok
    assert check(text.replace('"train"', '"Train"')).ok  # its own word for it
    report = check(text.replace('== "train"', '== "Train"'))
    assert report.faults == {"misspelled-mode"}, str(report)
    assert "it has 'Train' where the mode is 'train'" in str(report)
    assert [one.mend for name, one in report if name == "Dropout.backward"] == [
        "Fix forward first; then this is checked too."
    ]
