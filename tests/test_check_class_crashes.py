"""The checker on classes that stop with an error: what is certain is a fault, the rest is shown with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from test_check import check
from thinnet.check import check_path

LAYERS = """
import numpy as np


class Affine:
    def __init__(self, W, b):
        self.W = W
        self.b = b

    def forward(self, x):
        self.x = x
        return x.dot(self.W) + self.b

    def backward(self, dout):
        self.dW, self.db = self.x.T.dot(dout), dout.sum(axis=0)
        return dout.dot(self.W.T)


class Dropout:
    def __init__(self, ratio=0.5):
        self.ratio = ratio

    def forward(self, x, train=True):
        if not train:
            return x
        self.mask = (np.random.rand(*x.shape) > self.ratio).astype(x.dtype) / (1 - self.ratio)
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask


class BatchNormalization:
    def __init__(self, gamma, beta, momentum=0.9):
        self.gamma, self.beta, self.momentum, self.running_mean = gamma, beta, momentum, None

    def forward(self, x, train=True):
        if self.running_mean is None:
            self.running_mean, self.running_var = np.zeros(x.shape[1]), np.zeros(x.shape[1])
        mean, var = self.running_mean, self.running_var
        if train:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        self.std = np.sqrt(var + 1e-5)
        self.hat = (x - mean) / self.std
        return self.gamma * self.hat + self.beta

    def backward(self, dout):
        self.dgamma, self.dbeta = np.sum(dout * self.hat, axis=0), dout.sum(axis=0)
        g = dout * self.gamma
        return (g - g.mean(axis=0) - self.hat * np.mean(g * self.hat, axis=0)) / self.std
"""


def test_the_right_classes_pass() -> None:
    report = check(LAYERS)
    assert not report.verdicts, str(report)
    assert {one.state for one in report.functions} == {"right"}


@pytest.mark.parametrize(
    ("old", "function", "attribute"),
    [
        ("        self.W = W\n", "Affine.forward", "W"),
        ("        self.b = b\n", "Affine.forward", "b"),
        ("        self.ratio = ratio", "Dropout.forward", "ratio"),
        ("        self.x = x\n", "Affine.backward", "x"),
    ],
)
def test_what_a_class_does_not_keep_is_a_fault_where_it_is_read(old: str, function: str, attribute: str) -> None:
    report = check(LAYERS.replace(old, "        pass\n", 1))
    ((name, verdict, evidence),) = [
        (name, one.verdict, one.evidence) for name, one in report if one.severity == "fault"
    ]
    assert (name, verdict) == (function, "crashed")
    assert f"has no attribute '{attribute}', in layers.py, line" in evidence


def test_the_fix_is_to_keep_it(tmp_path: Path) -> None:
    (tmp_path / "layers.py").write_text(LAYERS.replace("        self.W = W\n", ""), encoding="utf-8")
    (fault,) = [one for _, one in check_path(tmp_path / "layers.py") if one.severity == "fault"]
    assert "return x.dot(self.W) + self.b" in fault.evidence
    assert fault.mend.startswith("Nothing has set self.W before this line: the constructor must keep what it is given")


def test_a_normalization_that_stops_is_shown_with_its_line_even_if_its_statistics_start_in_forward() -> None:
    report = check(LAYERS.replace("x.mean(axis=0), x.var(axis=0)", "x.mean(axis=1), x.var(axis=0)"))
    assert report.ok, str(report)  # it may be meant for examples in columns
    told = dict(report)
    forward = told["BatchNormalization.forward"]
    assert "stops when called with an array of shape (6, 5): ValueError: operands could not be" in forward.evidence
    assert forward.mend.startswith("If this call is as you meant it, fix the line shown.")
