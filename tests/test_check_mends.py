"""Following the checker's fixes to the letter corrects planted faults."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import check_dropouts as dropouts
import check_nets as nets
import check_sources as sources
from test_check import check, check_net, ids
from thinnet.check import VERDICTS, Report, check_path
from thinnet.check.findings import finding

LINE = re.compile(r"mask = \(np\.random\.rand\(\*x\.shape\) < (?P<keep>.+?)\)\.astype\(x\.dtype\) / (?P=keep)(?=[;,.])")
WHOLE = [row for row in dropouts.DROPOUT_FAULTS if LINE.search(VERDICTS[row[0]].mend)]
TRAINING = re.compile(r'(    if mode == "train":\n).*(    else:\n).*?\n', re.DOTALL)


def mend_of(report: Report, verdict: str) -> str:
    return next(one.mend for _, one in report if one.verdict == verdict)


@pytest.mark.parametrize("means", ["drop", "keep"])
@pytest.mark.parametrize(("verdict", "changes"), WHOLE, ids=ids(WHOLE))
def test_a_mask_drawn_as_the_mend_says_is_right(verdict: str, changes: dict[str, str], means: str) -> None:
    text = dropouts.dropout(changes, means)
    line = LINE.search(mend_of(check(text, means), verdict))
    assert line
    mended = TRAINING.sub(
        lambda match: f"{match[1]}        {line[0]}\n        out = x * mask\n{match[2]}        out = x\n", text
    )
    mended = re.sub(
        r"    if dropout_param.*?    return dout.*$",
        f"    {dropouts.BACK} if dropout_param['mode'] == 'train' else dout\n",
        mended,
        flags=re.DOTALL,
    )
    mended = mended.replace("out = out.astype(x.dtype, copy=False)", "pass")
    assert mended != text
    assert not check(mended, means).verdicts


SWAPPED: list[tuple[dict[str, str], str, str]] = [
    ({"< KEEP) / KEEP": "> KEEP) * 1.0"}, "not-scaled-in-training", "by 1 for p = 0.3 and 0.8, expected {}: p is"),
    ({"< KEEP) / KEEP": "> KEEP) * 2.0"}, "scaled-by-wrong-probability", "by 2 and 2 for p = 0.3 and 0.8; expected {}"),
    ({"< KEEP) / KEEP": "> KEEP) * 1.0", "out = x\n": "out = x * KEEP\n"}, "classic-scaling", "is x times {}"),
]


@pytest.mark.parametrize("means", ["drop", "keep"])
@pytest.mark.parametrize(("changes", "verdict", "told"), SWAPPED, ids=[row[1] for row in SWAPPED])
def test_with_p_swapped_the_numbers_for_the_scale_are_those_of_the_fix(
    changes: dict[str, str], verdict: str, told: str, means: str
) -> None:
    report = check(dropouts.dropout(changes, means), means)
    found = {one.verdict: one for _, one in report}
    assert [*found][:2] == ["keep-and-drop-swapped", verdict], str(report)
    keep = {"drop": (0.7, 0.2), "keep": (0.3, 0.8)}[means]
    numbers = [share if verdict == "classic-scaling" else 1 / share for share in keep]
    assert told.format(" and ".join(f"{one:.4g}" for one in numbers)) in found[verdict].evidence
    if verdict != "classic-scaling":
        assert f"< {dropouts.KEEP[means]}).astype(x.dtype) / {dropouts.KEEP[means]}; then" in found[verdict].mend


# The verdict, a line of the net, the fault planted there, the fix that is reported, and the line after that fix.
FORWARD = "                h, do = dropout_forward(h, self.dropout_param)\n"
CALL = "h, cache = dropout_forward(h, self.dropout_param)"
NETS: list[tuple[str, str, str, str, str]] = [
    (
        "active-at-test",
        'self.dropout_param["mode"] = mode',
        "self.dropout_param[mode] = mode",
        "with mode = 'test' if y is None else 'train', set self.dropout_param['mode'] = mode",
        "mode = 'test' if y is None else 'train'; self.dropout_param['mode'] = mode",
    ),
    (
        "batch-statistics-at-test",
        '        for bn_param in self.bn_params:\n            bn_param["mode"] = mode\n',
        "        for bn_param in self.bn_params:\n            bn_param[mode] = mode\n",
        "for bn_param in self.bn_params: bn_param['mode'] = mode",
        "        for bn_param in self.bn_params: bn_param['mode'] = mode\n",
    ),
    (
        "batch-statistics-at-test",
        "self.bn_params[i - 1])",
        "bn_param={'mode': 'train'} if BATCH else {}) if BATCH else layernorm_forward(h, self.params['gamma%d' % i], "
        "self.params['beta%d' % i], {})",
        "Pass self.bn_params[i] to batchnorm_forward of hidden layer i, counted from 0",
        "self.bn_params[[1, 2].index(i)])",
    ),
    (
        "dropout-result-unused",
        FORWARD,
        FORWARD.replace("h, do", "out, do"),
        CALL,
        FORWARD.replace("h, do", "h, cache") + "                do = cache\n",
    ),
    (
        "dropout-called-twice",
        FORWARD,
        FORWARD.replace("h, do", "out, do") + FORWARD.replace("h, do", "h, _"),
        f"Call it once and take both: {CALL}",
        f"                {CALL}; do = cache\n",
    ),
    (
        "bn-param-shared",
        "self.bn_params[i - 1])",
        "self.bn_params[0])",
        "Pass self.bn_params[i] to batchnorm_forward of hidden layer i, counted from 0",
        "self.bn_params[[1, 2].index(i)])",
    ),
    (
        "running-statistics-reset",
        "        for bn_param in self.bn_params:\n",
        "        self.bn_params = [{} for _ in self.bn_params]\n        for bn_param in self.bn_params:\n",
        "in the constructor only; in loss set nothing in them but their 'mode'",
        "        for bn_param in self.bn_params:\n            assert len(bn_param) <= 3\n",
    ),
    (
        "regularization-scaled",
        'loss += 0.5 * self.reg * np.sum(self.params["W%d" % i] ** 2)',
        'loss += self.reg * np.sum(self.params["W%d" % i] ** 2)',
        "0.5 * reg * np.sum(W * W) in the loss",
        'W, reg = self.params["W%d" % i], self.reg; loss += 0.5 * reg * np.sum(W * W)',
    ),
    (
        "initial-values",
        "weight_scale * np.random.randn(dims[i], dims[i + 1])",
        "np.random.randn(dims[i], dims[i + 1])",
        "W = weight_scale * np.random.randn(inputs, outputs)",
        "weight_scale * np.random.randn(*(dims[i], dims[i + 1]))",
    ),
]


@pytest.mark.parametrize(("verdict", "place", "fault", "words", "mended"), NETS, ids=ids(NETS))
def test_a_net_mended_as_it_says_is_right(verdict: str, place: str, fault: str, words: str, mended: str) -> None:
    report = check_net(nets.net({place: fault}, "cs231n-2017"), "cs231n-2017")
    assert report.faults == {verdict}, str(report)
    assert words in mend_of(report, verdict)
    report = check_net(nets.net({place: mended}, "cs231n-2017"), "cs231n-2017")
    assert report.ok, str(report)


def test_a_net_without_dropout_mended_as_it_says_is_right() -> None:
    changes = {nets.FORWARD_DROPOUT: "", nets.BACKWARD_DROPOUT: ""}
    report = check_net(nets.net(changes, "cs231n-2021"), "cs231n-2021")
    mend = mend_of(report, "dropout-never-called")
    there, back = re.findall(r"\w+(?:, \w+)? = dropout_\w+\(.*?\)", mend)
    when = "            if self.use_dropout:\n                "
    changes = {
        nets.FORWARD_DROPOUT: f"            cache = None\n{when}{there}\n            do = cache\n",
        nets.BACKWARD_DROPOUT: f"            cache = do\n{when}{back}\n",
    }
    assert check_net(nets.net(changes, "cs231n-2021"), "cs231n-2021").ok


def test_backward_of_classic_scaling_at_test_mended_as_it_says_is_right() -> None:
    verdict, changes = dropouts.DROPOUT_NOTES[-1]
    assert verdict == "classic-scaling"
    report = check(dropouts.dropout({**changes, "    return dout\n": "    return dout \n"}, "keep"), "keep")
    assert report.verdicts == {"classic-scaling", "no-backward-at-test"}
    assert "dout * p where it returned x * p" in mend_of(report, "no-backward-at-test")
    assert check(dropouts.dropout(changes, "keep"), "keep").verdicts == {"classic-scaling"}


@pytest.mark.parametrize(
    ("function", "first", "fault"),
    [
        ("softmax_loss", "    shifted = x - x.max", "    x -= x.max(axis=1, keepdims=True)\n    shifted = x - x.max"),
        ("svm_loss", "    N = x.shape[0]\n    margins", "    x += 1\n    N = x.shape[0]\n    margins"),
        ("relu_forward", "    out = np.maximum(0, x)", "    x[x < 0] = 0; out = x"),
    ],
)
def test_a_function_that_changes_its_argument_mended_as_it_says_is_right(function: str, first: str, fault: str) -> None:
    report = check(sources.swap(sources.LAYERS, {first: fault}))
    assert report.faults == {"input-mutated"}
    copy = re.search(r"x = x\.copy\(\)", mend_of(report, "input-mutated"))
    assert copy
    assert f"{function} changed x" in str(report)
    assert check(sources.swap(sources.LAYERS, {first: f"    {copy[0]}\n{fault}"})).ok


def test_a_backward_that_returns_nothing_in_test_mode_is_told_so() -> None:
    text = dropouts.dropout({"        return dout * mask\n    return dout\n": "        return dout * mask\n"}, "drop")
    assert "after a forward pass in test mode: dropout_backward returns None" in str(check(text, "drop"))


@pytest.mark.parametrize(
    ("old", "new", "mend"),
    [
        ("x.reshape(x.shape[0], -1).dot(w)", "x.dot(w)", "flatten each row first: x.reshape(x.shape[0], -1)."),
        ("dout.dot(w.T)", "dout.dot(w)", "transpose one of them, or swap them."),
        (
            "x.reshape(x.shape[0], -1).dot(w)",
            "x.reshape(x.shape[0], -1).dot(w.T)",
            "transpose one of them, or swap them.",
        ),
        ("x.reshape(x.shape[0], -1).dot(w)", "np.matmul(x, w)", "flatten each row first: x.reshape(x.shape[0], -1)."),
        ("return out, (x, w, b)", "return out, (x, w)", "backward must unpack everything that forward puts"),
        ('ln_param.get("eps", 1e-5)', 'ln_param["eps"]', "Callers need not pass 'eps'"),
        ("    lmu = x", "    if ln_param['mode'] == 'test': return x\n    lmu = x", "Layer normalization has no modes"),
        ("out = np.maximum(0, x)", "if len(x) > 9: out = x", "Give out a value on every path to the line"),
        ("out = np.maximum(0, x)", "out = y", "Fix the line shown."),
        ("out = np.maximum(0, x)", "out = x - x.max(axis=1)", "with keepdims=True the result has shape (N, 1)"),
        ("out = np.maximum(0, x)", "out = np.random.rand(x.shape)", "with a star: np.random.rand(*x.shape)"),
    ],
)
def test_the_fix_of_a_crash_speaks_of_what_crashed(old: str, new: str, mend: str) -> None:
    report = check(sources.swap(sources.LAYERS, {old: new}))
    assert [mend in one.mend for _, one in report if one.verdict == "crashed"] == [True], str(report)


def test_a_crash_in_a_compiled_part_of_a_library_names_the_line_that_called_it(tmp_path: Path) -> None:
    path = tmp_path / "layers.py"
    path.write_text(sources.swap(sources.LAYERS, {"out = np.maximum(0, x)": "out = np.random.rand(x.shape)"}))
    [told] = [one.evidence for _, one in check_path(path) if one.verdict == "crashed"]
    assert re.search(r"in layers\.py, line \d+: out = np\.random\.rand\(x\.shape\)$", told)


@pytest.mark.parametrize(
    ("changes", "verdict", "mend"),
    [
        ({'mode = "test" if y is None else': 'mode = "test" if y == None else'}, "crashed", "write `y is None`"),
        ({"if self.normalization and i": "if self.normalization == 'batchnorm' and i"}, "crashed", "for layer normal"),
        ({'"p": ARGUMENT': '"p": 0.5'}, "wrong-rate", "Pass the argument on as it is"),
    ],
)
def test_the_fix_of_a_net_speaks_of_what_is_wrong(changes: dict[str, str], verdict: str, mend: str) -> None:
    report = check_net(nets.net(changes, "cs231n-2018"), "cs231n-2018")
    assert [mend in one.mend for _, one in report if one.verdict == verdict] == [True], str(report)


@pytest.mark.parametrize(
    ("fault", "mend"),
    [
        ("    x.shape = (-1,)\n", "rows = x.reshape(len(x), -1), and do not assign to x.shape"),
        ("    x[0, 0] += 1\n", "x = x.copy()"),
    ],
)
def test_the_fix_of_a_changed_argument_speaks_of_how_it_changed(fault: str, mend: str) -> None:
    report = check(sources.swap(sources.LAYERS, {"    out = np.maximum(0, x)": f"{fault}    out = np.maximum(0, x)"}))
    assert mend in mend_of(report, "input-mutated")


def test_the_fix_of_a_changed_option_names_it() -> None:
    change = "    dropout_param['p'] = 1 - dropout_param['p']\n    mask = None\n"
    report = check(dropouts.dropout({"    mask = None\n": change}, "drop"), "drop")
    assert "Do not assign to dropout_param['p']" in mend_of(report, "input-mutated")


def test_no_fix_speaks_of_a_line_where_none_is_named() -> None:
    for error in ("TypeError: something", "ValueError: shapes (4, 3) and (4, 3) not aligned"):
        assert "the line shown" in finding("crashed", f"{error}, in layers.py, line 3: a = b").mend
        assert "where it stops" in finding("crashed", f"{error}, called as the courses do").mend


def test_what_is_not_given_in_one_mode_is_told_with_the_mode() -> None:
    at_test = "    else:\n        out = gamma * (x - running"
    report = check(sources.swap(sources.LAYERS, {at_test: at_test.replace("else:", "elif mode == 'later':")}))
    told = [one for name, one in report if name == "batchnorm_forward"]
    assert [one.evidence for one in told] == ["batchnorm_forward returns None, None in mode 'test'"], str(report)
    assert "in each mode" in told[0].mend


def test_what_waits_for_another_function_names_it() -> None:
    report = check(sources.swap(sources.LAYERS, {"out = np.maximum(0, x)": "out = y"}))
    assert mend_of(report, "not-checked") == "Fix relu_forward first; then this is checked too."
