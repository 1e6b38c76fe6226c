"""The checker on gradients of classes: found under many names, missing if there are none, otherwise not judged."""

from __future__ import annotations

import pytest

from check_sources import swap
from test_check import check
from test_check_class_forms import COLUMNS, IN_DICTS

# Names as in the handout of 11-785.
BY_LOSS = """
import numpy as np


class Linear:
    def __init__(self, in_features, out_features):
        self.W, self.b = np.zeros((out_features, in_features)), np.zeros((out_features, 1))

    def forward(self, A):
        self.A = A
        return A @ self.W.T + self.b.T

    def backward(self, dLdZ):
        self.dLdW, self.dLdb = dLdZ.T @ self.A, dLdZ.sum(axis=0)[:, None]
        return dLdZ @ self.W


class BatchNorm1d:
    def __init__(self, num_features, alpha=0.9):
        self.alpha, self.eps = alpha, 1e-8
        self.BW, self.Bb = np.ones((1, num_features)), np.zeros((1, num_features))
        self.running_M, self.running_V = np.zeros((1, num_features)), np.ones((1, num_features))

    def forward(self, Z, eval=False):
        M, V = (self.running_M, self.running_V) if eval else (Z.mean(axis=0), Z.var(axis=0))
        if not eval:
            self.running_M = self.alpha * self.running_M + (1 - self.alpha) * M
            self.running_V = self.alpha * self.running_V + (1 - self.alpha) * V
        self.std = np.sqrt(V + self.eps)
        self.NZ = (Z - M) / self.std
        return self.BW * self.NZ + self.Bb

    def backward(self, dLdBZ):
        self.dLdBW, self.dLdBb = (dLdBZ * self.NZ).sum(axis=0), dLdBZ.sum(axis=0)
        g = dLdBZ * self.BW
        return (g - g.mean(axis=0) - self.NZ * (g * self.NZ).mean(axis=0)) / self.std
"""
IN_TUPLE = {'self.grads["W"] =': "dW =", '        self.grads["b"] =': "        self.grads = dW,"}
NOWHERE = "is neither returned nor stored in an attribute"


@pytest.mark.parametrize("text", [BY_LOSS, swap(IN_DICTS.partition("class LayerNorm")[0], IN_TUPLE)])
def test_gradients_are_looked_for_under_more_names(text: str) -> None:
    assert {one.state for one in check(text).functions} == {"right"}, str(check(text))
    for old in filter(text.__contains__, ("dLdZ.T @", "(dLdBZ * self.NZ).sum", 'self.cache["x"].T')):
        assert check(text.replace(old, f"2 * {old}")).faults == {"gradient-scaled"}


@pytest.mark.parametrize(
    ("text", "old", "new", "told"),
    [
        (BY_LOSS, ", self.dLdb = dLdZ.T @ self.A, dLdZ.sum(axis=0)[:, None]", " = dLdZ.T @ self.A", f"db {NOWHERE}"),
        (BY_LOSS, "self.dLdBW, self.dLdBb =", "self.dLdBW, unused =", f"dbeta {NOWHERE}"),
        (COLUMNS, "self.dW, self.db =", "self.dW, db =", f"db {NOWHERE}"),
        (IN_DICTS, '        self.grads["b"] = grad.sum(axis=0)\n', "", "db is zero"),
    ],
)
def test_a_gradient_that_a_class_leaves_nowhere_is_missing(text: str, old: str, new: str, told: str) -> None:
    report = check(swap(text, {old: new}))
    assert told in " ".join(str(report).split()), str(report)
    assert not report.ok


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("self.dLdW, self.dLdb =", "self.dLdW, self.pull =", "db is not found under a usual name"),
        ("self.dLdW, self.dLdb =", "self.dLdZ = dLdZ; later =", "dw is not found under a usual name; db is not found"),
    ],
)
def test_gradients_that_are_not_found_are_not_judged(old: str, new: str, told: str) -> None:
    report = check(swap(BY_LOSS, {old: new}))
    assert [one.state for one in report.functions] == ["right", "not checked", "right", "right"], str(report)
    assert told in " ".join(str(report).split())


def test_gradients_that_are_exchanged_are_told_by_name() -> None:
    report = check(swap(BY_LOSS, {"self.dLdBW, self.dLdBb =": "self.dLdBb, self.dLdBW ="}))
    assert report.faults == {"wrong-return"}, str(report)
    assert "what it gives for dx, dgamma, dbeta is dx, dbeta, dgamma" in " ".join(str(report).split())


RETURNED = """
import numpy as np


class BatchNorm:
    def __init__(self, size, eps=1e-5, momentum=0.9):
        self.gamma, self.beta, self.eps, self.momentum = np.ones(size), np.zeros(size), eps, momentum
        self.running_mean, self.running_var = np.zeros(size), np.ones(size)

    def forward(self, x, training=True):
        mean, var = (x.mean(axis=0), x.var(axis=0)) if training else (self.running_mean, self.running_var)
        if training:
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        self.spread = np.sqrt(var + self.eps)
        self.normed = (x - mean) / self.spread
        return self.gamma * self.normed + self.beta

    def backward(self, dout):
        shift, scale = dout.sum(axis=0), (dout * self.normed).sum(axis=0)
        dx = self.gamma / self.spread * (dout - shift / len(dout) - self.normed * scale / len(dout))
        return dx, scale, shift


class Linear:
    def __init__(self, rows, columns):
        self.W, self.b = np.zeros((rows, columns)), np.zeros(columns)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        return dout @ self.W.T, self.x.T @ dout, dout.sum(axis=0)
"""


def test_a_class_may_return_its_gradients_in_an_order_of_its_own() -> None:
    for order, noted in (("dx, scale, shift", False), ("dx, shift, scale", True), ("scale, shift, dx", False)):
        report = check(swap(RETURNED, {"return dx, scale, shift": f"return {order}"}))
        assert [one.state for one in report.functions] == ["right"] * 4, str(report)
        assert ("another-order" in report.verdicts) == noted
        assert not noted or "it returns dx, dbeta, dgamma; the courses return dx, dgamma, dbeta" in str(report)
    right = "dout @ self.W.T, self.x.T @ dout, dout.sum(axis=0)"
    for order in (
        "dout @ self.W.T, dout.sum(axis=0), self.x.T @ dout",
        "self.x.T @ dout, dout.sum(axis=0), dout @ self.W.T",
    ):
        report = check(swap(RETURNED, {right: order}))
        assert [one.state for one in report.functions] == ["right"] * 4, str(report)


def test_gradients_in_another_order_are_judged_too() -> None:
    report = check(swap(RETURNED, {"return dx, scale, shift": "return 2 * dx, shift, scale"}))
    assert not report.ok, str(report)


@pytest.mark.parametrize("old", ["self.spread = np.sqrt", "self.gamma, self.beta, self.eps, self.momentum = np.ones"])
def test_a_class_that_stops_is_wrong_and_called_by_its_own_names(old: str) -> None:
    report = check(swap(RETURNED, {old: old.replace("np.", "npp.")}))
    assert [one.state for one in report.functions] == ["wrong", "not checked", "right", "right"], str(report)
    text = " ".join(str(report).split())
    assert "NameError: name 'npp' is not defined" in text
    assert "it needs BatchNorm.forward" in text
    assert "batchnorm_forward" not in text
