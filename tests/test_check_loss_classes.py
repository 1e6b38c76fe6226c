"""Classes that compute a softmax together with its loss: how they are called, and what is wrong with them."""

from pathlib import Path

import pytest

from check_sources import swap
from test_check import check
from test_check_files import write
from thinnet.check import check_path

BOOK = """
import numpy as np

class SoftmaxWithLoss:
    def __init__(self):
        self.y = None
        self.t = None

    def forward(self, x, t):
        self.t = t
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.y = e / e.sum(axis=1, keepdims=True)
        if t.ndim == 1:
            t = np.eye(x.shape[1])[t]
        return -np.sum(t * np.log(self.y + 1e-7)) / len(x)

    def backward(self, dout=1):
        if self.t.ndim == 2:
            return dout * (self.y - self.t) / len(self.t)
        dx = self.y.copy()
        dx[np.arange(len(dx)), self.t] -= 1
        return dx * dout / len(dx)
"""
PARTS = """
import numpy as np

class Softmax:
    def forward(self, inputs):
        e = np.exp(inputs - np.max(inputs, axis=1, keepdims=True))
        self.output = e / np.sum(e, axis=1, keepdims=True)

class Activation_Softmax_Loss_CategoricalCrossentropy:
    def __init__(self):
        self.activation = Softmax()

    def forward(self, inputs, y_true):
        self.activation.forward(inputs)
        self.output = self.activation.output
        return np.mean(-np.log(np.clip(self.output[range(len(inputs)), y_true], 1e-7, 1 - 1e-7)))

    def backward(self, dvalues, y_true):
        self.dinputs = dvalues.copy()
        self.dinputs[range(len(dvalues)), y_true] -= 1
        self.dinputs = self.dinputs / len(dvalues)
"""
STATELESS = """
import numpy as np

class SoftmaxCrossEntropyLoss(object):
    def __init__(self, name):
        self.name = name

    def _softmax(self, input):
        e = np.exp(input - input.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def forward(self, input, target):
        return -np.sum(target * np.log(self._softmax(input) + 1e-9)) / len(input)

    def backward(self, input, target):
        return (self._softmax(input) - target) / len(input)
"""
COLUMNS = """
import numpy as np

class SoftmaxCrossEntropy:
    def forward(self, labels, logits):
        shifted = logits - logits.max(axis=0)
        logs = shifted - np.log(np.exp(shifted).sum(axis=0))
        self.p, self.labels = np.exp(logs), labels
        return -(labels * logs).sum() / logits.shape[1], self.p

    def backward(self):
        return (self.p - self.labels) / self.labels.shape[1]
"""
ONE_HOT = BOOK.replace("self.t.ndim == 2", "True")  # in backward only
RIGHT = {"book": BOOK, "one-hot": ONE_HOT, "parts": PARTS, "stateless": STATELESS, "columns": COLUMNS}


SHORT = """
import numpy as np

class SoftmaxWithLoss:
    def forward(self, x, t):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.p, self.t = e / e.sum(axis=1, keepdims=True), t
        return -np.sum(t * np.log(self.p + 1e-9)) / len(x)

    def backward(self, dout=1):
        return (self.p - self.t) / len(self.t)
"""
DEF, DX = "def backward(self, dout=1)", "return (self.p - self.t) / len(self.t)"
RIGHT |= {
    "stored by another name": swap(SHORT, {DX: "self.dlogits = (self.p - self.t) / len(self.t)"}),
    "one of two": swap(SHORT, {DX: "return (self.p - self.t) / len(self.t), None"}),
    "in a list": swap(SHORT, {DX: "return [(self.p - self.t) / len(self.t)]"}),
    "accuracy first": swap(SHORT, {"return -np": "return 0.25, -np"}),
    "probabilities beside labels": swap(
        SHORT,
        {
            DEF: "def backward(self, y, t)",
            DX: "return (y - t) / len(t)",
            "self.p,": "self.y, self.p,",
            "= e /": "= 2 * [e /",
            "keepdims=True), t": "keepdims=True)] + [t]",
        },
    ),
    "probabilities as inputs": swap(PARTS, {"(self, dvalues, y_true)": "(self, inputs, y_true)", "dvalues": "inputs"}),
    "a gradient beside labels": swap(
        SHORT, {DEF: "def backward(self, dvalues, y)", DX: "return dvalues * (self.p - y) / len(y)"}
    ),
    "labels of another name": swap(
        SHORT,
        {
            "(self, x, t)": "(self, x, real)",
            ", t\n": ", real\n",
            "sum(t *": "sum(real *",
            DEF: "def backward(self, real)",
            DX: "return (self.p - real) / len(real)",
        },
    ),
    "scores last": swap(SHORT, {"(self, x, t)": "(self, onehot, x)", ", t\n": ", onehot\n", "sum(t *": "sum(onehot *"}),
    "labels in a column": swap(
        SHORT,
        {
            "= e /": "= np.eye(x.shape[1])[t[:, 0]], e /",
            "self.p, self.t": "t, self.p, self.t",
            "keepdims=True), t\n": "keepdims=True), np.eye(x.shape[1])[t[:, 0]]\n",
        },
    ),
    "smoothed": swap(
        SHORT,
        {
            "    def forward": "    def __init__(self, smooth=0.1):\n        self.smooth = smooth\n\n    def forward",
            "self.p, self.t =": "t = t * (1 - self.smooth) + self.smooth / 5\n        self.p, self.t =",
        },
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_losses_are_right_however_they_are_called(name: str) -> None:
    report = check(RIGHT[name])
    assert report.ok, str(report)
    assert "not-checked" not in report.verdicts, str(report)


WRONG = {
    "half": (BOOK, "return dx * dout / len(dx)", "return dx * dout / len(dx) / 2", "gradient-scaled", "half of"),
    "no one": (
        BOOK,
        "dx[np.arange(len(dx)), self.t] -= 1",
        "pass",
        "wrong-gradient",
        "with labels that are class numbers, dx",
    ),
    "all rows": (PARTS, "dinputs[range(len(dvalues)), y_true]", "dinputs[:, y_true]", "wrong-gradient", "[:, y]"),
    "over all": (BOOK, "e.sum(axis=1, keepdims=True)", "e.sum()", "wrong-axis", "over everything"),
    "summed": (STATELESS, "+ 1e-9)) / len(input)", "+ 1e-9))", "wrong-output", "the loss is summed over the 7 rows"),
    "no maximum": (COLUMNS, "logits - logits.max(axis=0)", "logits", "unstable", "1000"),
    "sign": (COLUMNS, "(self.p - self.labels)", "(self.labels - self.p)", "gradient-sign", "of the wrong sign"),
    "misspelled": (BOOK, "return dx * dout / len(dx)", "return dx / self.t.chape[0]", "crashed", "chape"),
    "one of two forms": (BOOK, "dout * (self.y - self.t)", "dout * (self.t - self.y)", "gradient-sign", "with one-hot"),
    "first batch": (
        SHORT,
        "self.p, self.t =",
        "self.p, self.t = getattr(self, 'p', e / e.sum(axis=1, keepdims=True)), t #",
        "wrong-output",
        "second batch",
    ),
    "grows": (
        SHORT,
        DX,
        "self.dx = getattr(self, 'dx', 0) + (self.p - self.t) / len(self.t); return self.dx",
        "wrong-gradient",
        "second batch",
    ),
    "labels changed": (
        BOOK,
        "return dx * dout / len(dx)",
        "self.t[0] = -2; return dx * dout / len(dx)",
        "input-mutated",
        "y[0]",
    ),
    "transposed": (
        SHORT,
        DX,
        "return (self.p - self.t).T / len(self.t)",
        "shape-changed",
        "dx has shape (5, 7), expected (7, 5)",
    ),
    "labels not kept": (SHORT, "self.p, self.t =", "self.t = None; self.p, _ =", "crashed", "NoneType"),
    "not written": (BOOK, "return dx * dout / len(dx)", "pass", "unimplemented", "None"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_losses_are_told_why(name: str) -> None:
    text, right, wrong, verdict, told = WRONG[name]
    report = check(swap(text, {right: wrong}))
    assert report.faults == {verdict}, str(report)
    (found,) = [one for function in report.functions for one in function.findings if one.severity == "fault"]
    assert told in found.evidence
    assert "softmax_loss" not in found.evidence + found.mend, found


UNDIVIDED = {
    "gradient": ({" / self.labels.shape[1]": ""}, "gradient-scaled", "summed over the batch of 7"),
    "both": ({" / self.labels.shape[1]": "", " / logits.shape[1]": ""}, "wrong-output", "the loss and dx are summed"),
}


@pytest.mark.parametrize("name", UNDIVIDED)
def test_whether_to_divide_by_the_rows_is_up_to_a_class(name: str) -> None:
    changes, verdict, told = UNDIVIDED[name]
    report = check(swap(COLUMNS, changes))
    assert report.ok, str(report)
    assert report.verdicts == {verdict}
    assert told in " ".join(str(report).split())


def test_scores_that_a_loss_changes_are_a_note() -> None:
    report = check(
        swap(SHORT, {"e = np.exp(x - x.max": "x -= x.max(axis=1, keepdims=True)\n        e = np.exp(x - x.max"})
    )
    assert report.ok, str(report)
    assert report.verdicts == {"input-mutated"}


def test_a_logarithm_of_zero_times_zero_is_a_note() -> None:
    report = check(swap(STATELESS, {" + 1e-9": ""}))
    assert report.ok, str(report)
    assert report.verdicts == {"log-of-zero"}
    assert "2000 above the others, the loss is nan" in " ".join(str(report).split())


UNCLEAR = {
    "one row": "def forward(self, x, t):\n        assert x.ndim == 1\n\n    def backward(self):\n        return 0",
    "ten": "def forward(self, x, t):\n        return np.eye(10)[t] * x\n\n    def backward(self):\n        return 0",
    "no labels": "def forward(self, x):\n        return x\n\n    def backward(self, y_true):\n        return y_true",
    "rows": "def forward(self, x, t):\n        return x[:, 0]\n\n    def backward(self):\n        return 1",
    "more": "def forward(self, x, t):\n        return 1.0\n\n    def backward(self, mask, t):\n        return mask",
}


@pytest.mark.parametrize("name", UNCLEAR)
def test_losses_that_are_called_in_an_unknown_way_are_not_judged(name: str) -> None:
    report = check(f"import numpy as np\n\nclass SoftmaxWithLoss:\n    {UNCLEAR[name]}\n")
    assert report.verdicts == {"not-checked"}, str(report)


def test_a_loss_of_another_kind_is_none_of_them() -> None:
    report = check(BOOK.replace("class SoftmaxWithLoss", "class TimeSoftmaxWithLoss"))
    assert report.verdicts == {"not-checked"}
    assert "softmax loss are checked, and this is none of them" in str(report)


def test_an_object_with_the_name_of_a_function_is_no_function(tmp_path: Path) -> None:
    report = check_path(write(tmp_path, "losses.py", BOOK + "\n\nsoftmax_loss = SoftmaxWithLoss()\n"))
    assert report.ok, str(report)
    assert "softmax_loss is a SoftmaxWithLoss, not a function" in " ".join(str(report).split())


def test_a_loss_can_be_expected_and_has_a_line(tmp_path: Path) -> None:
    report = check_path(write(tmp_path, "losses.py", BOOK), expected=["SoftmaxWithLoss"])
    assert [(function.name, function.line) for function in report.functions] == [("SoftmaxWithLoss", 4)]
    assert report.ok
