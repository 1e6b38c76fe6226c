"""The checker on slips that NumPy's or Python's errors do not explain: each gets its cause and its own advice."""

from __future__ import annotations

from pathlib import Path

import pytest

import check_dropouts as dropouts
import check_images
import check_sources as sources
from test_check import check
from test_check_files import check as check_file
from thinnet.check import Report

pytestmark = pytest.mark.usefixtures("quick_workers")

RELU, RELU_BACK = "out = np.maximum(0, x)", "dx = dout * (x > 0)"
AFFINE, DB = "out = x.reshape(x.shape[0], -1).dot(w) + b", "db = np.sum(dout, axis=0)"
PAD = "np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), "
MATRIX, FLOATS = "Use arrays instead of np.matrix", "of floats"
SVM = "return margins.sum() / N, dsvm / N"


def told(report: Report) -> str:
    return " ".join(f"{name} {one.verdict}: {one.evidence} {one.mend}" for name, one in report)


@pytest.mark.parametrize(
    ("old", "new", "evidence", "mend"),
    [
        (RELU_BACK, f"{RELU_BACK},", "wrong-return: relu_backward must return dx alone, got a tuple of one value", "without a comma"),
        (RELU_BACK, "dx = [dout * (x > 0)]", "wrong-return: relu_backward must return dx alone, got a list of one", "without brackets"),
        (AFFINE, f"out = np.matrix({AFFINE[6:]})", "affine_forward wrong-return: the output is an np.matrix", MATRIX),
        (AFFINE, "out = x.reshape(x.shape[0], -1).dot(w + b)", "affine_forward wrong-output: the output has the bias added to w", "Compare with"),
        (DB, "db = np.matrix(dout).sum(axis=0)", "affine_backward wrong-return: db is an np.matrix", MATRIX),
        ("return margins.sum() / N, dsvm / N", "return margins.sum() / N, np.mat(dsvm / N) if 0 else np.matrix(dsvm / N)", "dx is an np.matrix", MATRIX),
        (AFFINE, "out = np.zeros((len(x), w.shape[1]), dtype=int); out[:] = x.reshape(len(x), -1).dot(w) + b", "the output is cut to whole numbers, in an array of int", FLOATS),
        (AFFINE, f"{AFFINE}; out = out.astype(int)", "the output is cut to whole numbers, in an array of int", FLOATS),
        (AFFINE, f"{AFFINE}; out = np.round(out)", "the output is rounded to whole numbers: at", FLOATS),
        (AFFINE, f"{AFFINE}; out = out // 1", "the output is rounded down to whole numbers: at", FLOATS),
        (AFFINE, f"{AFFINE}; out = (3 * out).astype(int)", "elements are wrong, in an array of int", FLOATS),
        (RELU_BACK, "dx = np.zeros_like(x, dtype=int); dx[x > 0] = dout[x > 0]", "dx is cut to whole numbers, in an array of int", FLOATS),
        (RELU, "out = np.max(x, 0)", "shape-changed: the output has the largest value of each column, as from np.max", "Write np.maximum(0, x)"),
        (RELU, "out = (x > 0) * 1; out *= x", "crashed: UFuncTypeError", "writes float64 into an array of int"),
        (AFFINE, "out = x.reshape(len(x), x.size / len(x)).dot(w) + b", "crashed: TypeError: 'float'", "divide with //"),
        (RELU, "out = np.maximum(x, 0); out[:len(x) / 2]", "crashed: TypeError: slice indices", "divide with //"),
        (RELU, "out = np.maximum(x, 0); out[len(x) / 2]", "crashed: IndexError", "divide with //"),
        ("logp[np.arange(N), y].sum()", "logp[np.arange(N), y * 1.0].sum()", "crashed: IndexError", "y.astype(int)"),
        (SVM, "return margins.mean(), dsvm / N", "the loss is divided by the 5 classes as well as by the 7 rows", ""),
        (SVM, "return margins.sum() / N, dsvm / dsvm.size", "dx is divided by the 5 classes as well as by the 7 rows", ""),
        ("    dx /= N", "    dx /= x.size", "gradient-scaled: dx is divided by the 5 classes as well as by the 7 rows", ""),
        ("-logp[np.arange(N), y].sum() / N", "-logp[np.arange(N), y].sum() / x.size", "the loss is divided by the 5 classes as well as by the 7 rows", ""),
    ],
)  # fmt: skip
def test_a_slip_in_a_layer_is_told_by_its_cause(old: str, new: str, evidence: str, mend: str) -> None:
    text = told(check(sources.swap(sources.LAYERS, {old: new})))
    assert evidence in text
    assert mend in text


@pytest.mark.parametrize(
    ("line", "mend"),
    [
        ("out = np.max(0, x)", "write np.maximum(a, b) for the larger of each two elements"),
        ("out = max(0, x)", "write np.maximum(a, b), which compares element by element"),
        ("out = np.maximum(x, 0) if x > 0 else x", "use np.where or a mask"),
    ],
)
def test_a_maximum_of_the_wrong_kind_is_told_by_its_line(line: str, mend: str, tmp_path: Path) -> None:
    assert mend in told(check_file(tmp_path, sources.swap(sources.LAYERS, {RELU: line})))


@pytest.mark.parametrize(
    ("line", "mend"),
    [
        ("out = np.maximum(x, 0); out[:len(x) / 2]", "For Python 3, divide with // instead of /"),
        ("out = np.maximum(x, 0) * -(x > 0) * -1", "Update the line shown for Python 3 and today's NumPy"),
    ],
)
def test_what_older_versions_run_is_not_wrong_and_told_how_to_write_now(line: str, mend: str, tmp_path: Path) -> None:
    report = check_file(tmp_path, sources.swap(sources.LAYERS, {RELU: line}))
    assert not report.faults, str(report)
    assert mend in told(report)


@pytest.mark.parametrize(
    ("pad", "evidence"),
    [
        ("np.pad(x, ((pad, pad), (pad, pad)), ", "conv_forward_naive crashed: ValueError: operands could not be"),
        ("np.pad(x, pad, ", "conv_forward_naive padding-wrong: ValueError: operands could not be"),
    ],
)
def test_padding_along_other_axes_is_told(pad: str, evidence: str) -> None:
    forward, backward = check_images.IMAGES.split("def conv_backward_naive")
    text = told(check("def conv_backward_naive".join([sources.swap(forward, {PAD: pad}), backward])))
    assert evidence in text
    assert "np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))" in text


@pytest.mark.parametrize(
    ("old", "new", "mend"),
    [
        ('pad = conv_param["stride"], conv_param["pad"]\n    N, C, H, W = x.shape\n    F, _, HH, WW = w.shape\n    P', 'pad = conv_param["stride"], conv_param["padding"]\n    N, C, H, W = x.shape\n    F, _, HH, WW = w.shape\n    P', "conv_param has 'stride' and 'pad'"),
        ('K, L, stride = pool_param["pool_height"]', 'K, L, stride = pool_param["height"]', "pool_param has 'pool_height', 'pool_width'"),
    ],
)  # fmt: skip
def test_an_option_that_images_do_not_have_is_told(old: str, new: str, mend: str) -> None:
    assert mend in told(check(check_images.IMAGES.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("key", "mend"),
    [
        ("seed", "Only some callers pass a seed. Write: if 'seed' in dropout_param"),
        ("rate", "dropout_param has 'p' and 'mode'"),
    ],
)
def test_an_option_that_dropout_does_not_have_is_told(key: str, mend: str) -> None:
    text = dropouts.dropout({"    mask = None\n": f"    mask = dropout_param['{key}']\n"}, "drop")
    assert mend in told(check(text, "drop"))


def test_filters_that_must_be_square_are_not_held_against_code_that_says_so(tmp_path: Path) -> None:
    forward = "    F, _, HH, WW = w.shape\n    P"
    for refusal in ("assert HH == WW", "if HH != WW: raise ValueError('only square filters')"):
        changed = {forward: forward.replace("\n", f"\n    {refusal}\n    WW = HH\n")}
        report = check(sources.swap(check_images.IMAGES, changed))
        assert report.ok, str(report)
    changed = {forward: forward.replace("\n", "\n    if HH != WW: raise Exception('not yet')\n    WW = HH\n")}
    report = check_file(tmp_path, sources.swap(check_images.IMAGES, changed))
    assert report.ok, str(report)


IN_PLACE = {
    'config["m"] = b1 * config["m"] + (1 - b1) * dw': 'config["m"] *= b1; config["m"] += (1 - b1) * dw',
    'config["v"] = b2 * config["v"] + (1 - b2) * dw ** 2': 'config["v"] *= b2; config["v"] += (1 - b2) * dw ** 2',
}


def test_a_state_of_whole_numbers_or_of_one_array_is_told() -> None:
    whole = {'config["velocity"] = v\n': 'config["velocity"] = v.astype(int)\n'}
    one = {'config.setdefault("v", np.zeros_like(w))': 'config.setdefault("v", config["m"])', **IN_PLACE}
    text = told(check(sources.swap(sources.OPTIM, {**whole, **one})))
    assert "sgd_momentum wrong-update: config['velocity'] is an array of int" in text
    assert "adam wrong-update: config['m'] and config['v'] are the same array" in text
    assert check(sources.swap(sources.OPTIM, IN_PLACE)).ok


def test_a_dropout_that_returns_a_tuple_of_one_is_told() -> None:
    report = check(dropouts.dropout({"        return dout * mask\n": "        return dout * mask,\n"}, "drop"), "drop")
    assert "wrong-return: dropout_backward must return dx alone, got a tuple of one value: array" in told(report)


def test_a_mask_in_dropout_param_is_told_to_belong_into_the_cache() -> None:
    changes = {
        "return out, (dropout_param, mask)": "dropout_param['mask'] = mask; return out, dropout_param",
        "dropout_param, mask = cache": "dropout_param, mask = cache, cache['mask']",
    }
    report = check(dropouts.dropout(changes, "keep"), "keep")
    assert report.faults == {"cache-of-another-layer"}
    assert "or a dictionary that all layers share, such as dropout_param" in told(report)


DROPOUT_CLASS = """
class Dropout:
    def __init__(self, p=0.5):
        self.p, self.training = p, True

    def forward(self, x):
        if not self.training:
            return x
        self.mask = (np.random.rand(*x.shape) >= self.p) / (1 - self.p)
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask
"""
MOVING = """
class Linear:
    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.randn(n_in, n_out), np.zeros(n_out)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW, self.db = self.x.T @ dout, dout.sum(axis=0)
        dx = dout @ self.W.T
        self.W -= 0.1 * self.dW
        self.b -= 0.1 * self.db
        return dx
"""


def test_classes_that_keep_their_mask_or_move_their_weights_are_right() -> None:
    report = check("import numpy as np\n" + DROPOUT_CLASS + MOVING)
    assert report.ok, str(report)
    assert report.count("right") == 4


@pytest.mark.parametrize(
    ("changes", "evidence", "mend"),
    [
        ({"self.mask": "Dropout.mask"}, "cache-of-another-layer: after two calls of Dropout.forward of two objects, Dropout.backward", "not in a global variable, a class attribute"),
        ({"np.random.rand(*x.shape)": "np.random.rand(x.shape)"}, "crashed: TypeError: 'tuple' object", "with a star"),
        ({"        dx = dout @ self.W.T\n": "", "return dx": "return dout @ self.W.T"}, "wrong-gradient: dx is computed with weights that have already been updated", "Derive this"),
    ],
)  # fmt: skip
def test_a_slip_in_a_class_is_told(changes: dict[str, str], evidence: str, mend: str) -> None:
    text = told(check("import numpy as np\n" + sources.swap(DROPOUT_CLASS + MOVING, changes)))
    assert evidence in text
    assert mend in text
