"""The checker on layers written outside the courses: other forms of classes, and standalone functions."""

from __future__ import annotations

import pytest

from check_sources import swap
from test_check import check

LEAVING = """
import numpy as np


class Layer_Dropout:
    def __init__(self, rate):
        self.rate = 1 - rate

    def forward(self, inputs, training):
        self.inputs = inputs
        if not training:
            self.output = inputs.copy()
            return
        self.binary_mask = np.random.binomial(1, self.rate, size=inputs.shape) / self.rate
        self.output = inputs * self.binary_mask

    def backward(self, dvalues):
        self.dinputs = dvalues * self.binary_mask
"""
TRAIN_FLAG = """
import numpy as np


class Dropout1d(object):
    def __init__(self, p=0.5):
        self.p = p

    def __call__(self, *args, **kwargs):
        return self.forward(*args, **kwargs)

    def forward(self, x, train=True):
        if not train:
            return x
        self.mask = np.random.binomial(1, 1 - self.p, x.shape)
        return x * self.mask / (1 - self.p)

    def backward(self, delta):
        return delta * self.mask / (1 - self.p)
"""
IMAGES = """
import numpy as np


class Dropout2d(object):
    def __init__(self, p=0.5):
        self.p = p

    def forward(self, x, eval=False):
        if eval:
            return x
        n, c, h, w = x.shape
        self.mask = (np.random.rand(n, c, 1, 1) >= self.p) / (1 - self.p)
        return x * self.mask

    def backward(self, dz):
        return dz * self.mask
"""
FUNCTION = """
import numpy as np


def dropout_layer(X, dropout):
    assert 0 <= dropout <= 1
    if dropout == 1:
        return np.zeros_like(X)
    mask = np.random.rand(*X.shape) > dropout
    return mask * X / (1.0 - dropout)
"""
ONLY_TRAINING = {"forward(self, inputs, training)": "forward(self, inputs)", "not training": "False"}

RIGHT = {
    "leaves its results": (LEAVING, {}),
    "leaves its results and has a default": (LEAVING, {"training)": "training=True)"}),
    "has no test mode": (LEAVING, ONLY_TRAINING),
    "an attribute for the mode": (
        LEAVING,
        {"inputs, training)": "inputs)", "not training": "not self.training", "= 1 - rate": "= 1 - rate; self.training = True"},
    ),
    "an attribute for the mode that others set": (
        LEAVING,
        {"inputs, training)": "inputs)", "not training": "not getattr(self, 'training', True)"},
    ),
    "other names": (LEAVING, {"self.output": "self.out", "self.dinputs": "self.dx"}),
    "train=": (TRAIN_FLAG, {}),
    "eval=": (TRAIN_FLAG, {"train=True": "eval=False", "not train": "eval"}),
    "p in the call": (TRAIN_FLAG, {"self, p=0.5": "self", "self.p = p": "pass", "x, train": "x, p, train", "if not": "self.p = p\n        if not"}),
    "images": (IMAGES, {}),
    "images, repeated": (IMAGES, {"(n, c, 1, 1)": "(n, c)", "/ (1 - self.p)": "/ (1 - self.p) + 0", "return x * self.mask": "self.mask = self.mask[:, :, None, None].repeat(h, 2).repeat(w, 3); return x * self.mask"}),
    "channels": (IMAGES.replace("Dropout2d", "SpatialDropout"), {}),
    "channels that stand last": (IMAGES.replace("Dropout2d", "SpatialDropout2D"), {"n, c, h, w": "n, h, w, c", "(n, c, 1, 1)": "(n, 1, 1, c)"}),
    "a function": (FUNCTION, {}),
    "a function that keeps": (FUNCTION, {"X, dropout)": "X, keep_prob)", "dropout <=": "keep_prob <=", "dropout == 1": "keep_prob == 0", "> dropout": "< keep_prob", "1.0 - dropout": "keep_prob"}),
    "a function with the mask": (FUNCTION, {"X / (1.0 - dropout)": "X / (1.0 - dropout), mask"}),
    "a function with a mode": (FUNCTION, {"dropout):": "dropout, training=True):", "if dropout == 1": "if not training:\n        return X\n    if dropout == 1"}),
}  # fmt: skip


@pytest.mark.parametrize("how", RIGHT)
def test_what_is_right_elsewhere_is_right(how: str) -> None:
    text, changes = RIGHT[how]
    report = check(swap(text, changes))
    assert report.ok, str(report)
    assert not report.count("not checked"), str(report)
    assert report.verdicts <= {"dtype-changed"}


@pytest.mark.parametrize(
    ("verdict", "text", "old", "new"),
    [
        ("mask-not-applied-in-backward", LEAVING, "dvalues * self.binary_mask", "dvalues"),
        ("not-scaled-in-training", LEAVING, "inputs.shape) / self.rate", "inputs.shape)"),
        ("active-at-test", LEAVING, "if not training", "if False"),
        ("unimplemented", LEAVING, "self.dinputs = dvalues * self.binary_mask", "raise NotImplemented"),
        ("unimplemented", LEAVING, "self.dinputs = dvalues * self.binary_mask", "pass"),
        ("dialect-contradiction", LEAVING, "self.rate = 1 - rate", "self.rate = rate"),
        ("crashed", LEAVING, "* self.binary_mask\n\n", "* binary_mask\n\n"),
        ("crashed", LEAVING, "dvalues * self.binary_mask", "dvalues * self.binary_maks"),
        ("scaled-by-wrong-probability", LEAVING, "inputs.shape) / self.rate", "inputs.shape) / (1 - self.rate)"),
        ("new-mask-in-backward", TRAIN_FLAG, "delta * self.mask", "delta * np.random.binomial(1, 1 - self.p, delta.shape)"),
        ("scaled-differently-in-backward", TRAIN_FLAG, "delta * self.mask / (1 - self.p)", "delta * self.mask / self.p"),
        ("channels-not-dropped-whole", IMAGES, "rand(n, c, 1, 1)", "rand(n, c, h, w)"),
        ("channels-not-dropped-whole", IMAGES.replace("Dropout2d", "ChannelDropout"), "rand(n, c, 1, 1)", "rand(n, c, h, w)"),
        ("mask-not-applied-in-backward", IMAGES.replace("n, c, h, w", "n, h, w, c").replace("n, c, 1, 1", "n, 1, 1, c"), "dz * self.mask", "dz"),
        ("input-mutated", IMAGES, "return x * self.mask", "x *= self.mask; return x"),
        ("mask-shared-across-batch", IMAGES, "rand(n, c, 1, 1)", "rand(1, c, 1, 1)"),
        ("scaled-differently-in-backward", IMAGES, "dz * self.mask", "dz * (self.mask > 0)"),
        ("not-scaled-in-training", FUNCTION, "mask * X / (1.0 - dropout)", "mask * X"),
        ("scaled-by-wrong-probability", FUNCTION, "X / (1.0 - dropout)", "X / dropout"),
        ("mask-shared-across-batch", FUNCTION, "rand(*X.shape)", "rand(X.shape[1])"),
        ("input-mutated", FUNCTION, "return mask", "X *= 1; X += 1; X -= 1; X[0] = 0\n    return mask"),
    ],
)  # fmt: skip
def test_what_is_wrong_elsewhere_is_found_by_name_and_nothing_else(verdict: str, text: str, old: str, new: str) -> None:
    report = check(swap(text, {old: new}))
    assert report.faults == {verdict}, str(report)


def test_a_courses_own_unscaled_backward_is_a_note() -> None:
    report = check(swap(TRAIN_FLAG, {"delta * self.mask / (1 - self.p)": "delta * self.mask"}))
    assert report.ok, str(report)
    assert "11-785" in str(report)
    assert "scaled-differently-in-backward" in report.verdicts
    wrong = swap(TRAIN_FLAG, {"delta * self.mask / (1 - self.p)": "delta * self.mask", "delta": "grad"})
    assert check(wrong).faults == {"scaled-differently-in-backward"}


@pytest.mark.parametrize("changes", [{"binomial(": "binomial(", "inputs.copy()": "np.asarray(inputs, np.float32)"}])
def test_a_class_that_computes_in_float32_is_right(changes: dict[str, str]) -> None:
    text = swap(LEAVING, {"self.inputs = inputs": "inputs = np.asarray(inputs, dtype=np.float32)", **changes})
    text = swap(text, {"inputs * self.binary_mask": "(inputs * self.binary_mask).astype(np.float32)"})
    report = check(text)
    assert report.ok, str(report)
    assert report.verdicts == {"dtype-changed"}


@pytest.mark.parametrize(
    "text",
    [
        "class Dropout:\n    def __init__(self, size): pass\n    def forward(self, x): return x\n    def backward(self, d): return d",
        "class Dropout:\n    def __init__(self, p): self.p = p\n    def forward(self, x): return x.data * 2\n"
        "    def backward(self, d): return d.mm(d)",
        "class Dropout:\n    def __init__(self, p): self.p = p\n    def forward(self, x): return x[:, :, 0, 0]\n"
        "    def backward(self, d): return d",
        "class Dropout:\n    def __init__(self, p): self.p = p.shape\n    def forward(self, x): return x\n"
        "    def backward(self, d): return d",
        "class Dropout:\n    def __init__(self, p): self.p = p\n    def forward(self, x): return x * (np.ones(self.shape) < self.p)\n"
        "    def backward(self, d): return d",
        "class Tensor: pass\nclass Dropout:\n    def __init__(self, p): self.p = p\n    def forward(self, x): return Tensor()\n"
        "    def backward(self, d): return d",
        "def dropout(x, level):\n    return [level] * len(x)",
        "def dropout(network, training):\n    network.drop(training)",
        "def dropout_layer(inputs, shape):\n    return inputs",
    ],
)
def test_what_cannot_be_called_is_not_accused(text: str) -> None:
    report = check("import numpy as np\n" + text)
    assert {one.state for one in report.functions} <= {"not checked"}, str(report)
    assert not report.ok


WHOLE = """
import numpy as np


def forward_propagation_with_dropout(X, parameters, keep_prob=0.5):
    np.random.seed(1)
    W1, b1, W2, b2, W3, b3 = (parameters[k] for k in ("W1", "b1", "W2", "b2", "W3", "b3"))
    Z1 = W1 @ X + b1
    A1 = np.maximum(Z1, 0)
    D1 = np.random.rand(*A1.shape) < keep_prob
    A1 = A1 * D1 / keep_prob
    Z2 = W2 @ A1 + b2
    A2 = np.maximum(Z2, 0)
    D2 = np.random.rand(*A2.shape) < keep_prob
    A2 = A2 * D2 / keep_prob
    Z3 = W3 @ A2 + b3
    A3 = 1 / (1 + np.exp(-Z3))
    return A3, (Z1, D1, A1, W1, b1, Z2, D2, A2, W2, b2, Z3, A3, W3, b3)


def backward_propagation_with_dropout(X, Y, cache, keep_prob):
    m = X.shape[1]
    Z1, D1, A1, W1, b1, Z2, D2, A2, W2, b2, Z3, A3, W3, b3 = cache
    dZ3 = A3 - Y
    dW3, db3 = dZ3 @ A2.T / m, dZ3.sum(axis=1, keepdims=True) / m
    dA2 = W3.T @ dZ3 * D2 / keep_prob
    dZ2 = dA2 * (A2 > 0)
    dW2, db2 = dZ2 @ A1.T / m, dZ2.sum(axis=1, keepdims=True) / m
    dA1 = W2.T @ dZ2 * D1 / keep_prob
    dZ1 = dA1 * (A1 > 0)
    dW1, db1 = dZ1 @ X.T / m, dZ1.sum(axis=1, keepdims=True) / m
    return {"dZ3": dZ3, "dW3": dW3, "db3": db3, "dA2": dA2, "dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1,
            "dW1": dW1, "db1": db1}
"""


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"rand(*A1.shape) < keep_prob": "rand(*A1.shape) >= 1 - keep_prob", "    np.random.seed(1)\n": ""},
        {"D1 = np.random.rand(*A1.shape) < keep_prob": "D1 = (np.random.rand(*A1.shape) < keep_prob).astype(int)"},
        {
            "A1 = A1 * D1 / keep_prob": "A1 *= D1; A1 /= keep_prob",
            "dA2 * (A2 > 0)": "np.multiply(dA2, np.int64(A2 > 0))",
        },
    ],
)
def test_right_functions_of_a_whole_net_pass(changes: dict[str, str]) -> None:
    report = check(swap(WHOLE, changes))
    assert report.ok, str(report)
    assert report.count("right") == 2
    assert not report.verdicts


@pytest.mark.parametrize(
    ("verdict", "old", "new"),
    [
        ("keep-and-drop-swapped", "rand(*A1.shape) < keep_prob", "rand(*A1.shape) > keep_prob"),
        ("wrong-rate", "rand(*A2.shape) < keep_prob", "rand(*A2.shape) < 0.5"),
        ("wrong-rate", "rand(*A2.shape) < keep_prob", "randn(*A2.shape) < keep_prob"),
        ("not-scaled-in-training", "A2 = A2 * D2 / keep_prob", "A2 = A2 * D2"),
        ("scaled-by-wrong-probability", "A1 = A1 * D1 / keep_prob", "A1 = A1 * D1 * keep_prob"),
        ("inactive-in-training", "A1 = A1 * D1 / keep_prob", "A1 = A1 / keep_prob"),
        ("mask-shared-across-batch", "rand(*A1.shape)", "rand(A1.shape[0], 1)"),
        ("values-changed", "A1 = A1 * D1 / keep_prob", "A1 = (A1 + 1) * D1 / keep_prob"),
        ("wrong-output", "A3 = 1 / (1 + np.exp(-Z3))", "A3 = Z3"),
        ("mask-not-applied-in-backward", "W3.T @ dZ3 * D2 / keep_prob", "W3.T @ dZ3"),
        ("mask-not-applied-in-backward", "W2.T @ dZ2 * D1 / keep_prob", "W2.T @ dZ2 / keep_prob"),
        ("mask-inverted-in-backward", "W3.T @ dZ3 * D2", "W3.T @ dZ3 * (1 - D2)"),
        ("scaled-differently-in-backward", "W2.T @ dZ2 * D1 / keep_prob", "W2.T @ dZ2 * D1"),
        ("scaled-differently-in-backward", "W2.T @ dZ2 * D1 / keep_prob", "W2.T @ dZ2 * D1 / (1 - keep_prob)"),
        ("wrong-gradient", "dZ1 = dA1 * (A1 > 0)", "dZ1 = dA1"),
        ("gradient-scaled", "dZ2 @ A1.T / m", "dZ2 @ A1.T"),
        ("unimplemented", "return A3, (Z1", "return None\n    return A3, (Z1"),
        ("crashed", "dA1 = W2.T", "dA1 = w2.T"),
    ],
)
def test_each_planted_fault_of_a_whole_net_is_found_and_nothing_else(verdict: str, old: str, new: str) -> None:
    report = check(swap(WHOLE, {old: new}))
    assert report.faults == {verdict}, str(report)


def test_a_whole_net_of_another_form_is_not_accused() -> None:
    other = {"return A3, (Z1, D1,": "return A3, (D1,", 'return {"dZ3": dZ3, "dW3": dW3,': "return {1: 2}\n    old = {"}
    report = check(swap(WHOLE, other))
    assert {one.state for one in report.functions} == {"not checked"}, str(report)


ONE_HOT_LOSS = """
import numpy as np


def softmax_loss(x, y):
    z = x - x.max(axis=1, keepdims=True)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return -(y * (z - np.log(np.exp(z).sum(axis=1, keepdims=True)))).sum() / len(x), (p - y) / len(x)
"""


def test_a_loss_of_one_hot_rows_is_of_another_course() -> None:
    report = check(ONE_HOT_LOSS)
    assert [one.state for one in report.functions] == ["not checked"], str(report)
    assert "softmax_loss takes one-hot rows" in str(report)
    wrong = check(ONE_HOT_LOSS.replace("-(y *", "-2 * (y *"))  # it may have been meant for class numbers
    assert wrong.faults == {"crashed"}, str(wrong)
    both = check(ONE_HOT_LOSS.replace("    z =", "    y = np.eye(x.shape[1])[y] if y.ndim == 1 else y\n    z ="))
    assert both.count("right") == 1, str(both)
