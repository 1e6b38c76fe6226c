"""The checker on classes for activations, convolution and pooling, and on classes that it cannot check."""

from __future__ import annotations

from pathlib import Path

import pytest

import check_oblong
from check_sources import swap
from test_check import check
from test_check_files import write
from thinnet.check import check_path

SMOOTH = """
import numpy as np


class Sigmoid:
    def forward(self, x):
        self.out = 1 / (1 + np.exp(-x))
        return self.out

    def backward(self, dout):
        return dout * self.out * (1 - self.out)


class Tanh:
    def forward(self, x):
        self.out = np.tanh(x)
        return self.out

    def backward(self, dout):
        return dout * (1 - self.out**2)
"""
IMAGES = """
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


class Conv2D:
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        self.W = np.random.randn(out_channels, in_channels, kernel_size, kernel_size)
        self.b, self.stride, self.padding = np.zeros(out_channels), stride, padding

    def forward(self, x):
        k, s, p = self.W.shape[2], self.stride, self.padding
        self.shape = x.shape
        padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        self.view = sliding_window_view(padded, (k, k), axis=(2, 3))[:, :, ::s, ::s]
        return np.einsum("ncpqkl,fckl->nfpq", self.view, self.W) + self.b[:, None, None]

    def backward(self, dout):
        k, s, p = self.W.shape[2], self.stride, self.padding
        self.dW = np.einsum("nfpq,ncpqkl->fckl", dout, self.view)
        self.db = dout.sum(axis=(0, 2, 3))
        N, C, H, W = self.shape
        padded = np.zeros((N, C, H + 2 * p, W + 2 * p))
        for i, j in np.ndindex(*dout.shape[2:]):
            part = np.einsum("nf,fckl->nckl", dout[:, :, i, j], self.W)
            padded[:, :, i * s : i * s + k, j * s : j * s + k] += part
        return padded[:, :, p : p + H, p : p + W]


class MaxPool2D:
    def __init__(self, pool_size=2, stride=2):
        self.k, self.l, self.s = pool_size, pool_size, stride

    def windows(self, x):
        for i, j in np.ndindex((x.shape[2] - self.k) // self.s + 1, (x.shape[3] - self.l) // self.s + 1):
            yield i, j, np.s_[:, :, i * self.s : i * self.s + self.k, j * self.s : j * self.s + self.l]

    def forward(self, x):
        self.x = x
        out = np.zeros((*x.shape[:2], (x.shape[2] - self.k) // self.s + 1, (x.shape[3] - self.l) // self.s + 1))
        for i, j, window in self.windows(x):
            out[:, :, i, j] = x[window].max(axis=(2, 3))
        self.out = out
        return out

    def backward(self, dout):
        dx = np.zeros_like(self.x)
        for i, j, window in self.windows(self.x):
            largest = self.x[window] == self.out[:, :, i, j][:, :, None, None]
            share = largest / largest.sum(axis=(2, 3), keepdims=True)
            dx[window] += share * dout[:, :, i, j][:, :, None, None]
        return dx
"""
CHANNELS_LAST = """
class MaxPooling:
    def __init__(self, size):
        self.k = size

    def groups(self, x):
        (N, H, W, C), k = x.shape, self.k
        return x[:, : H // k * k, : W // k * k].reshape(N, H // k, k, W // k, k, C)

    def forward(self, x):
        self.x, seen = x, self.groups(x)
        out = seen.max(axis=(2, 4))
        self.largest = seen == out[:, :, None, :, None]
        return out

    def backward(self, dout):
        dx = np.zeros_like(self.x)
        self.groups(dx)[...] += self.largest / self.largest.sum(axis=(2, 4), keepdims=True) * dout[:, :, None, :, None]
        return dx
"""
GIVEN = {
    "in_channels, out_channels, kernel_size, stride=1, padding=0": "W, b, stride=1, pad=0",
    "        self.W = np.random.randn(out_channels, in_channels, kernel_size, kernel_size)\n": "",
    "np.zeros(out_channels), stride, padding": "b, stride, pad\n        self.W = W",
    "class Conv2D": "class Convolution",
}
FORMS = {
    "activations": (SMOOTH, {}),
    "sizes given": (IMAGES, {}),
    "filters given": (IMAGES, GIVEN),
    "without padding": (IMAGES, {", padding=0": "", "stride, padding\n": "stride, 0\n"}),
    "height and width": (
        IMAGES,
        {"pool_size=2, stride": "pool_h, pool_w, stride", "pool_size, pool_size, stride": "pool_h, pool_w, stride"},
    ),
    "channels that stand last": (IMAGES[: IMAGES.index("class MaxPool2D")] + CHANNELS_LAST, {}),
    "without a stride": (IMAGES, {"pool_size=2, stride=2": "pool_size", "pool_size, stride": "pool_size, pool_size"}),
    "filters by another name": (
        IMAGES,
        {"self.W": "self.filters", "self.b": "self.bias", "self.dW": "self.d_filters", "self.db": "self.d_bias"},
    ),
}


@pytest.mark.parametrize("how", FORMS)
def test_right_classes_of_all_forms_are_right(how: str) -> None:
    report = check(swap(*FORMS[how]))
    assert report.count("right") == len(report.functions) == 4, str(report)
    assert not report.verdicts


@pytest.mark.parametrize(
    ("text", "old", "new", "told"),
    [
        (SMOOTH, "1 / (1 + np.exp(-x))", "1 / (1 + np.exp(x))", "the output is sigmoid(-x)"),
        (SMOOTH, "np.tanh(x)", "1 / (1 + np.exp(-x))", "the output is sigmoid(x)"),
        (SMOOTH, "dout * self.out * (1 - self.out)", "self.out * (1 - self.out)", "dx lacks the factor dout"),
        (IMAGES, "dout.sum(axis=(0, 2, 3))", "dout.mean(axis=(0, 2, 3))", "db is 0.01333 times what it should be"),
        (IMAGES, "k] += part", "k] = part", "windows-not-added"),
        (IMAGES, "+ self.b[:, None, None]", "", "the output lacks the bias"),
        (IMAGES, "x[window].max", "x[window].mean", "the output is the mean of each window"),
    ],
)
def test_a_mistake_in_a_class_is_told(text: str, old: str, new: str, told: str) -> None:
    report = check(swap(text, {old: new}))
    said = [f"{one.verdict}: {one.evidence}" for _, one in report if one.severity == "fault"]
    assert len(said) == 1, str(report)
    assert told in said[0]


@pytest.mark.usefixtures("quick_workers")
def test_classes_for_other_layers_are_named_and_not_checked(tmp_path: Path) -> None:
    text = SMOOTH.replace("class Sigmoid", "class Softmax").replace("class Tanh", "class Flatten")
    for report in (check(text), check_path(write(tmp_path, "layers.py", text))):
        assert [(one.name, one.state) for one in report.functions] == [
            ("Softmax", "not checked"),
            ("Flatten", "not checked"),
        ]
        assert "and this is none of them" in " ".join(str(report).split())


@pytest.mark.parametrize(
    "changes",
    [
        {"self.W = np.random": "self.W = np.ones((4, 4)); self.V = np.random"},
        {"kernel_size, stride=1, padding=0": "kernel_size, stride=1, padding='same'"},
        {"in_channels, out_channels, kernel_size": "image, more, other"},
        {"+ self.b[:, None, None]": "[:, 0, 0] + self.b"},
    ],
)
def test_a_convolution_of_another_form_is_not_accused(changes: dict[str, str]) -> None:
    report = check(swap(IMAGES, {"class MaxPool2D": "class Other", **changes}))
    assert not report.faults, str(report)
    assert {one.state for one in report.functions} == {"not checked"}


def test_a_file_with_classes_for_other_layers_alone_is_not_imported(tmp_path: Path) -> None:
    text = "import time\n\nwhile True:\n    time.sleep(1)\n\n\nclass Recurrent:\n    def forward(self, x): ...\n"
    report = check_path(write(tmp_path, "net.py", f"{text}    def backward(self, dout): ...\n"))
    assert [(one.name, one.state) for one in report.functions] == [("Recurrent", "not checked")]


def test_a_backward_that_is_a_slope_is_not_accused() -> None:
    slopes = SMOOTH.replace("self.out = ", "out = ").replace("return self.out", "return out")
    slopes = slopes.replace("dout * self.out * (1 - self.out)", "self.forward(dout) * (1 - self.forward(dout))")
    slopes = slopes.replace("dout * (1 - self.out**2)", "1 - np.tanh(dout) ** 2")
    slopes += "\n\nclass ReLU:\n    def forward(self, x):\n        return np.maximum(x, 0)\n\n"
    report = check(slopes + "    def backward(self, x):\n        return np.where(x > 0, 1, 0)\n")
    assert not report.faults, str(report)
    assert [one.state for one in report.functions] == ["right", "not checked"] * 3
    wrong = check(slopes + "    def backward(self, dout):\n        return dout * (dout > 0)\n")
    assert wrong.faults == {"wrong-gradient"}


def test_filters_of_a_class_that_takes_height_and_width_need_not_be_square() -> None:
    assert check(check_oblong.CONV).ok, str(check(check_oblong.CONV))
    exchanged = check_oblong.CONV.replace("kh, kw = self.W.shape[2:]", "kw, kh = self.W.shape[2:]")
    report = check(exchanged)
    assert report.faults == {"height-and-width-exchanged"}, str(report)
    assert [name for name, one in report if one.severity == "fault"] == ["Conv2D.backward"]
