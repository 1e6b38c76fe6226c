"""The checker on sources for Python 2 or older NumPy: translated, patched, or not checked, with the reason."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import check_sources as sources
from test_check_files import check, write
from thinnet import python2
from thinnet.check import check_path

pytestmark = pytest.mark.usefixtures("quick_workers")


def test_python_2_is_read(tmp_path: Path) -> None:
    lines = [
        "import numpy as np",
        "def relu_forward(x):",
        "\tprint 'max', x.shape,",
        "        for k, v in {1: 2}.iteritems():",
        "            print k",
        "        try:",
        "            pass",
        "        except ValueError, error:",
        "            raise KeyError, 'k'",
        "        return np.maximum(x, 0), x",
    ]
    report = check(tmp_path, "\n".join(lines))
    assert report.ok, str(report)
    assert report.verdicts == {"old-python"}
    assert "in layers.py, line 3: Missing parentheses in call to 'print'" in str(report)
    assert "max (4, 5)" in report.functions[0].printed


def test_tabs_beside_spaces_are_named_with_their_line(tmp_path: Path) -> None:
    text = "import numpy as np\ndef relu_forward(x):\n\tout = np.maximum(0, x)\n        return out, x\n"
    report = check(tmp_path, text)
    assert report.ok, str(report)
    assert "in layers.py, line 4: inconsistent use of tabs and spaces in indentation" in str(report)
    assert "indent with spaces only" in str(report)


OLD_LAYERS = {  # all are correct in Python 2, whether or not the file shows signs of it
    "division": ("out = x.reshape(x.shape[0], -1).dot(w)", "out = x.reshape(x.shape[0], x.size / x.shape[0]).dot(w)"),
    "division of a number of NumPy's": (
        "out = x.reshape(x.shape[0], -1).dot(w)",
        "out = x.reshape(x.shape[0], np.prod(x.shape) / x.shape[0]).dot(w)",
    ),
    "division in a slice": ("dx = dout * (x > 0)", "dx = dout * (x > 0); dx[: 8 / 2] = dx[: 8 / 2]"),
    "an indexed zip": ("out = np.maximum(0, x)", "out = np.maximum(zip([0], [1])[0][0], x)"),
    "an indexed map": ("out = np.maximum(0, x)", "out = np.maximum(map(float, [0])[0], x)"),
    "keys": ("out = np.maximum(0, x)", "out = np.maximum({0: 1}.keys()[0], x)"),
    "a method next": ("out = np.maximum(0, x)", "out = np.maximum(iter([0]).next(), x)"),
    "a list of a range": ("N = x.shape[0]\n    margins", "N = (range(3) + [x.shape[0]])[-1]\n    margins"),
}


@pytest.mark.parametrize("how", OLD_LAYERS)
def test_what_only_python_2_runs_is_translated_or_not_checked(how: str, tmp_path: Path) -> None:
    text = sources.swap(sources.LAYERS, dict([OLD_LAYERS[how]]))
    report = check(tmp_path, text + "\ndef note():\n    print 'two'\n")
    assert report.count("right") == 11, str(report)
    assert report.verdicts == {"old-python"}
    report = check(tmp_path, text)  # nothing shows which Python it is for
    assert not report.faults
    assert report.ok
    assert report.count("not checked") in (1, 2)
    assert "it is right in Python 2, but stops in Python 3 with" in str(report)


@pytest.mark.parametrize("how", ["division", "an indexed zip"])  # one for arithmetic, one for lists
def test_a_fault_in_what_only_python_2_runs_is_found(how: str, tmp_path: Path) -> None:
    text = sources.swap(sources.LAYERS, dict([OLD_LAYERS[how]]))
    report = check(tmp_path, text.replace("dx = dout * (x > 0)", "dx = dout"))
    assert report.faults == {"wrong-gradient"}
    assert check(tmp_path, text + "\nname = f'{3}'\n").faults == {"crashed"}


FLOATS = ["np.zeros(np.sqrt(x.size))", "np.zeros(x.size * 1.0)", "x.reshape(len(x), np.sqrt(x.shape[1] ** 2))"]


@pytest.mark.parametrize("size", FLOATS)
def test_a_size_that_no_python_makes_whole_is_a_fault(size: str, tmp_path: Path) -> None:
    report = check(tmp_path, sources.swap(RELU, {"    out = ": f"    {size}\n    out = "}))
    assert report.verdicts == {"crashed"}, str(report)
    assert "must be an integer" in str(report)


RELU = """\
import numpy as np
def relu_forward(x):
    out = np.maximum(0, x)
    return out, x
"""


def test_other_old_spellings_of_python_2_are_translated(tmp_path: Path) -> None:
    for line in (
        "if {1: 2}.has_key(3): return None",
        "N = reduce(lambda a, b: a * b, x.shape)",
        "import cPickle; cPickle.dumps(3)",
        "for i in xrange(3): pass",
        "assert 1 <> 2 and `3` == '3' and 0777 == 511 and 10L == 10",
        "exec 'a = 3'",
        "(lambda (a, b): a)((1, 2))",
        "assert isinstance(u'a', unicode)",
    ):
        report = check(tmp_path, sources.swap(RELU, {"    out = ": f"    {line}\n    out = "}))
        assert report.count("right") == 1, f"{line}: {report}"
        assert report.verdicts == {"old-python"}, line


@pytest.mark.parametrize(
    "start",
    [
        "from six.moves import cPickle as pickle, xrange",
        "from past.builtins import xrange",
        "try:\n    import cPickle as pickle\nexcept ImportError:\n    import pickle",
        "from __future__ import division, print_function",
    ],
)
def test_a_source_for_both_pythons_is_taken_for_python_3(start: str, tmp_path: Path) -> None:
    text = start + "\n" + sources.swap(sources.LAYERS, {"np.maximum(0, x)": "np.maximum(1 / 2 - 0.5, x)"})
    report = check(tmp_path, text)
    assert report.count("right") == 11
    assert not report.verdicts


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("out = np.maximum(0, x)", "out = np.maximum(np.float(0), x)"),
        ("out = np.maximum(0, x)", "out = np.maximum(np.asscalar(np.zeros(1)), x)"),
        ("out = np.maximum(0, x)", "out = np.maximum(np.array(x.tolist(), copy=False), 0)"),
        ("x.reshape(x.shape[0], -1).dot(w)", "np.reshape(x, newshape=(x.shape[0], np.product(x.shape[1:]))).dot(w)"),
        ("dx = dout * (x > 0)", "dx = dout * (x > 0).astype(np.int)"),
        ("-logp[np.arange(N), y].sum()", "-logp[[np.arange(N), y]].sum()"),
        ("    dx[np.arange(N), y] -= 1", "    right = [range(N), y]\n    dx[right] -= 1"),
        ("dx = dout * (x > 0)", "dx = dout * (x > 0) + np.zeros(None)"),
    ],
)
def test_what_numpy_has_taken_out_is_put_back_and_told(old: str, new: str, tmp_path: Path) -> None:
    report = check(tmp_path, sources.swap(sources.LAYERS, {old: new}))
    assert report.count("right") == 11, str(report)
    assert report.verdicts == {"old-numpy"}


OLD_CALLS = [
    "-(x <= 0) * x",
    "np.maximum(x, 0) * (1 + 0 * x.ptp())",
    "np.maximum(np.reshape(a=x, newshape=x.shape), 0)",
    "np.maximum(x, 0) * np.sum(one for one in [1.0])",
    "np.maximum(x, 0) * float(np.ones(1))",
]


@pytest.mark.parametrize("new", OLD_CALLS)
def test_what_stops_only_in_todays_numpy_is_not_checked(new: str, tmp_path: Path) -> None:
    report = check(tmp_path, sources.swap(sources.LAYERS, {"out = np.maximum(0, x)": f"out = {new}"}))
    assert not report.faults
    try:  # the oldest supported NumPy still runs some of them
        with warnings.catch_warnings(action="ignore"):
            eval(new, {"np": np, "x": np.ones((2, 3))})
        stops = False
    except Exception:
        stops = True
    assert report.count("not checked") == (2 if stops else 0)
    assert ("relu_forward is written for an older NumPy" in str(report)) == stops


def test_without_the_translator_python_2_is_not_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "fissix/__init__.py", "raise ImportError('gone')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "fissix.refactor", None)
    python2._tool.cache_clear()
    old = write(tmp_path, "hw/old.py", "print 'two'\n" + sources.LAYERS)
    report = check_path(old)
    assert report.count("not checked") == 11
    assert 'pip install "thinnet[check]"' in " ".join(str(report).split())
    write(tmp_path, "hw/new.py", "from old import relu_forward as relu\n" + sources.OPTIM)
    assert check_path(tmp_path / "hw" / "new.py").count("not checked") == 5
    assert check(tmp_path, "def relu_forward(x):\n    return x x\n").faults == {"cannot-import"}
