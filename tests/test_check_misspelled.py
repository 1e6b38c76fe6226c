"""The checker on misspelled names and attributes: an error in that line, with the intended name."""

from __future__ import annotations

import pytest

import check_dropouts as dropouts
import check_nets as nets
import check_sources as sources
from test_check import check, check_net

CLASSES = """
import numpy as np


class Linear:
    def __init__(self, n, m):
        self.W = np.random.randn(n, m)
        self.b = np.zeros(m)

    def forward(self, x):
        self.x = x
        return x.dot(self.W) + self.b

    def backward(self, dout):
        self.dW, self.db = self.x.T.dot(dout), dout.sum(axis=0)
        return dout.dot(self.W.T)


class ReLU:
    def __init__(self):
        self.mask = None

    def forward(self, x):
        self.mask = x > 0
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask
"""


ROWS: list[tuple[str, str, str]] = [
    ("return x * self.mask", "return x * self.msk", "'ReLU' object has no attribute 'msk' (did you mean 'mask'?)"),
    ("return x * self.mask", "return x * slef.mask", "name 'slef' is not defined (did you mean 'self'?)"),
    ("return x * self.mask", "return x * mask", "name 'mask' is not defined (did you mean 'self.mask'?)"),
    ("return x * self.mask", "return x * kept", "NameError: name 'kept' is not defined"),
    ("x.dot(self.W)", "x.dot(self.w)", "'Linear' object has no attribute 'w' (did you mean 'W'?)"),
    ("x.dot(self.W)", "x.dott(self.W)", "'numpy.ndarray' object has no attribute 'dott' (did you mean 'dot'?)"),
    ("x.dot(self.W)", "np.affine_of(x, self.W)", "module 'numpy' has no attribute 'affine_of'"),
    ("np.random.randn(n, m)", "np.random.rand_n(n, m)", "has no attribute 'rand_n' (did you mean 'randn'?)"),
    ("dout.dot(self.W.T)", "dout.dot(self.W.t)", "'numpy.ndarray' object has no attribute 't' (did you mean 'T'?)"),
]


@pytest.mark.parametrize(("old", "new", "told"), ROWS)
def test_a_misspelled_name_in_a_class_is_an_error_in_its_line(old: str, new: str, told: str) -> None:
    before, _, after = CLASSES.partition(old)
    report = check(f"{before}{new}{after}")
    [found] = [one for _, one in report if one.severity == "fault"]
    line = before.count("\n") + 1
    assert (found.verdict, f"{told}, in layers.py, line {line}: " in found.evidence) == ("crashed", True), str(found)


@pytest.mark.parametrize("missing", ["x > self.threshold", "x.value > 0", "(x > 0) & (self.mode == 'train')"])
def test_what_others_may_give_a_class_is_not_held_against_it(missing: str) -> None:
    report = check(CLASSES.replace("self.mask = x > 0", f"self.mask = {missing}"))
    assert report.ok
    assert [one.state for one in report.functions if "ReLU" in one.name] == ["not checked"] * 2


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("def dropout_forward", "def dropuot_forward", "; did you mean dropuot_forward?"),
        ("def dropout_forward", "def Dropout_forwrd", "; did you mean Dropout_forwrd?"),
        ("def dropout_forward", "def dropout_relu_forward", ""),
        ("def dropout_forward", "dropuot_forward = 1\ndef forward", ""),
    ],
)
def test_a_function_whose_name_is_misspelled_is_found_for_the_one_that_needs_it(old: str, new: str, told: str) -> None:
    report = check(dropouts.dropout({}, "keep").replace(old, new), "keep")
    [(name, found)] = report
    assert (name, found.verdict) == ("dropout_backward", "not-checked")
    assert found.evidence == f"it needs dropout_forward, which is not there{told}"
    name = told[15:-1]
    assert found.mend.startswith(f"Rename {name} to dropout_forward; then" if told else "If dropout_forward is yours")


def test_it_is_told_of_functions_and_nets_too() -> None:
    report = check(sources.swap(sources.LAYERS, {"np.maximum(0, x)": "np.maxium(0, x)"}))
    assert "has no attribute 'maxium' (did you mean 'maximum'?), in layers.py" in " ".join(str(report).split())
    report = check_net(nets.net({"return loss, grads": "return loss, gards"}, "cs231n-2018"), "cs231n-2018")
    assert "name 'gards' is not defined (did you mean 'grads'?)" in " ".join(str(report).split())
