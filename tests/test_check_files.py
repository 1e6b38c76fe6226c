"""The checker on files and folders: child processes, limits, old and missing packages, and all the outputs."""

from __future__ import annotations

import json
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import check_sources as sources
from thinnet import python2
from thinnet.check import Limits, Report, check_path
from thinnet.check.writers import gradescope
from thinnet.cli import main
from thinnet.errors import ArgumentError

LIMITS = Limits(seconds=10, megabytes=1024)


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def check(folder: Path, text: str, dialect: str | None = None, limits: Limits = LIMITS) -> Report:
    return check_path(write(folder, "layers.py", text), dialect, limits=limits)


CRASHES = [row for row in sources.DROPOUT_FAULTS if row[0] in ("crashed", "out-of-memory", "missing-package")]


@pytest.mark.parametrize(("verdict", "changes"), CRASHES, ids=[f"{i}-{row[0]}" for i, row in enumerate(CRASHES)])
def test_what_ends_the_function_is_a_verdict_and_the_rest_is_checked(
    verdict: str, changes: dict[str, str], tmp_path: Path
) -> None:
    text = sources.dropout(changes, "keep") + "\n\ndef relu_forward(x):\n    return np.maximum(x, 0), x\n"
    report = check(tmp_path, text, "keep")
    assert {one.name: one.state for one in report.functions} == {
        "relu_forward": "right",
        "dropout_forward": "right",
        "dropout_backward": "wrong",
    }
    assert report.faults == {verdict}


def test_an_endless_loop_is_stopped_and_what_follows_is_checked(tmp_path: Path) -> None:
    text = sources.swap(sources.LAYERS, {"    out = np.maximum(0, x)\n": "    while True:\n        pass\n"})
    report = check(tmp_path, text, limits=Limits(seconds=3, megabytes=1024))
    states = {one.name: one.state for one in report.functions}
    assert states.pop("relu_forward") == "wrong"
    assert states.pop("relu_backward") == "not checked"  # it needs a cache from the loop
    assert set(states.values()) == {"right"}
    assert report.faults == {"timed-out"}


def test_an_import_that_does_not_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thinnet.check.runner.START", 0.0)
    text = "while True:\n    pass\ndef relu_forward(x):\n    return x, x\n"
    report = check(tmp_path, text, limits=Limits(seconds=0.2))
    assert report.faults == {"timed-out"}
    assert "the import was stopped after 0.2 s" in str(report)


def test_a_crash_of_python_itself_is_a_verdict(tmp_path: Path) -> None:
    text = sources.swap(sources.LAYERS, {"    out = np.maximum(0, x)\n": "    import ctypes; ctypes.string_at(0)\n"})
    report = check(tmp_path, text)
    assert report.faults == {"crashed"}
    assert "ended by the signal SIG" in str(report)
    assert [one.name for one in report.functions if one.state != "right"] == ["relu_forward", "relu_backward"]


def test_the_wrong_dialect_is_doubted(tmp_path: Path) -> None:
    report = check(tmp_path, sources.dropout({}, "keep", "We keep each neuron with probability p."), "cs231n-2017")
    assert report.faults == {"keep-and-drop-swapped"}
    assert "is it the right dialect?" in str(report).replace("\n                  ", " ")


@pytest.mark.parametrize("dialect", [None, "nndl", "nndl-2020", "nndl-drop"])
@pytest.mark.parametrize("does", ["drop", "keep"])
@pytest.mark.parametrize("says", ["drop", "keep", ""])
def test_in_nndl_a_docstring_speaks_before_the_dialect(
    says: str, does: str, dialect: str | None, tmp_path: Path
) -> None:
    """The course's years differ in what p means; what does as its docstring says is right in any dialect."""
    doc = f"We {says} each neuron output with probability p." if says else "Dropout."
    write(tmp_path, "nndl/layers.py", sources.dropout({}, does, doc))
    report = check_path(tmp_path, dialect)
    means = {"nndl-drop": "drop", None: ""}.get(dialect, "keep")
    if does == says or (not says and means in ("", does)):
        assert not report.verdicts, str(report)
        assert ("though the dialect" in str(report)) == (bool(means) and means != does)
    elif means == does or (not means and does == "keep"):
        assert report.ok, str(report)
        assert report.verdicts == {"dialect-contradiction"}  # a note
    else:
        assert report.faults == {"keep-and-drop-swapped" if means else "dialect-contradiction"}
        assert "nndl-drop" in str(report)


def test_prints_are_captured_and_cannot_disturb(tmp_path: Path) -> None:
    changes = {sources.BACK: 'print(\'{"event": "done"}\'); import os; os.write(1, b"{}"); return dout * mask'}
    report = check(tmp_path, sources.dropout(changes, "keep"))
    assert report.ok
    assert '{"event": "done"}' in report.functions[1].printed


def test_old_idioms_run_and_missing_packages_are_named(tmp_path: Path) -> None:
    text = "from past.builtins import xrange\nimport torchish.nn as nn\nfrom .fast_layers import *\n"
    text += sources.dropout(sources.RIGHT_DROPOUTS["loops"], "drop").replace(
        "np.zeros(x.shape)", "np.zeros(x.shape, np.float)"
    )
    report = check(tmp_path / "hw", text, "cs231n-2017")
    assert report.ok, str(report)
    notes = [one.evidence for _, one in report if one.verdict == "package-absent"]
    assert len(notes) == 1
    assert "torchish" in notes[0]


def test_absent_packages_may_decorate_and_be_derived_from(tmp_path: Path) -> None:
    lines = [
        "import numpy as np",
        "import torchish",
        "from torchish.nn import Module",
        "from numbish import jit",
        "device = torchish.device('cpu')",
        "class Net(Module):",
        "    pass",
        "@jit(nopython=True)",
        "def relu_forward(x):",
        "    return np.maximum(x, 0), x",
        "@jit",
        "def relu_backward(dout, cache):",
        "    return torchish.where(cache > 0, dout, 0)",
    ]
    report = check(tmp_path, "\n".join(lines))
    assert [one.state for one in report.functions] == ["right", "wrong"]
    assert report.faults == {"missing-package"}
    assert "torchish.where is used, and torchish is not there" in str(report)


@pytest.mark.parametrize(
    "start",
    [
        "import torch",
        "import tensorflow as tf\nimport numpy as np\nones = tf.ones(3)",
        "from jax import numpy as np",
        "import cupy as np",
        "from mxnet import nd\nimport numpy as np\nones = nd.ones(np.int_(3))",
        "try:\n    from keras.layers import *\nexcept ImportError:\n    pass\nimport numpy",
    ],
)
def test_code_for_another_framework_is_not_checked_and_does_no_harm(start: str, tmp_path: Path) -> None:
    write(tmp_path, "cs231n/layers.py", sources.LAYERS)
    text = f"{start}\ndef affine_forward(x, w, b):\n    return x.reshape(len(x), -1) @ w + b\n"
    text += "class Dropout:\n    def forward(self, x): return x\n    def backward(self, d): return d\n"
    write(tmp_path, "cs231n/other_layers.py", text)
    report = check_path(tmp_path)
    assert report.ok, str(report)
    assert [one.name for one in report.functions if one.state == "not checked"] == [
        "affine_forward",
        "Dropout.forward",
        "Dropout.backward",
    ]
    assert "is written for" in str(report)
    assert main(["check", str(tmp_path)]) == 0
    assert main(["check", str(tmp_path / "cs231n" / "other_layers.py")]) == 2
    write(tmp_path, "cs231n/layers.py", sources.LAYERS.replace("dx = dout * (x > 0)", "dx = dout"))
    assert main(["check", str(tmp_path)]) == 1


@pytest.mark.parametrize(
    "start", ["import torch", "try:\n    import cupy as np\nexcept ImportError:\n    pass\nimport numpy as np"]
)
def test_a_framework_that_is_imported_and_not_used_is_passed_over(start: str, tmp_path: Path) -> None:
    right = f"{start}\n{sources.LAYERS}"
    assert check(tmp_path, right).count("right") == 11
    assert check(tmp_path, right.replace("dx = dout * (x > 0)", "dx = dout")).faults == {"wrong-gradient"}


@pytest.mark.parametrize(
    "start",
    [
        "def L_model_forward_with_dropout(X, parameters, keep_prob=0.5):",
        "def L_model_backward_with_dropout(AL, Y, caches, keep_prob):",
        "def forward_prop(X, weights, L, keep_prob):",
        "def model_forward(X, params, dropout_rate, training=True):",
    ],
)
def test_a_function_of_a_whole_net_is_told_why_it_is_not_checked(
    start: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, "net.py", f"import numpy as np\n{start}\n    return X\n")
    assert main(["check", str(path)]) == 2
    assert "it computes a whole net and its dropout in one function" in " ".join(capsys.readouterr().out.split())
    write(tmp_path, "layers.py", sources.LAYERS)
    assert main(["check", str(tmp_path)]) == 0


def test_a_script_that_begins_with_data_that_are_not_there_is_not_accused(tmp_path: Path) -> None:
    report = check(tmp_path, "import numpy as np\nX = np.load('data.npy')\n" + sources.LAYERS)
    assert report.count("not checked") == 11
    assert "it reads a file that is not there when it is imported: FileNotFoundError" in " ".join(str(report).split())


def test_a_library_beside_a_missing_package_is_imported_once(tmp_path: Path) -> None:
    text = "import matplotlib.pyplot as plt\nimport pylab\nimport torchish\nimport numbish\n" + sources.LAYERS
    assert check(tmp_path, text).count("right") == 11


def test_a_file_of_another_course_that_is_not_there_is_not_held_against_anybody(tmp_path: Path) -> None:
    text = sources.swap(
        sources.LAYERS, {"np.maximum(0, x)": "relu(x)", "import numpy": "from reg_utils import *; import numpy"}
    )
    report = check(tmp_path, text.replace("import *", "import relu"))
    assert not report.faults
    assert "reg_utils.relu is used, and reg_utils is not there" in str(report)


def test_beside_a_function_for_a_framework_numpy_is_checked(tmp_path: Path) -> None:
    text = "import torch\n" + sources.dropout({"< KEEP) / KEEP": "< KEEP) * KEEP"}, "keep")
    report = check(tmp_path, text + "\ndef relu_forward(x):\n    return torch.relu(x), x\n", "keep")
    states = {one.name: one.state for one in report.functions}
    assert states == {"relu_forward": "not checked", "dropout_forward": "wrong", "dropout_backward": "not checked"}


def test_what_is_not_checked_costs_no_points_unless_they_are_named(tmp_path: Path) -> None:
    write(tmp_path, "one.py", sources.OPTIM)
    write(tmp_path, "two.py", "import torch\ndef adam(w, dw, config): return w, torch\ndef sgd(w): return torch")
    write(tmp_path, "three.py", "import torch\ndef relu_forward(x): return x.clamp(0), torch")
    report = check_path(tmp_path)
    worth = [
        (one["name"], one["score"], one["max_score"])
        for one in gradescope.results(report, {"adam": 3, "relu_forward": 2})["tests"]
        if "torch" in one["output"]
    ]
    assert sorted(worth) == [("adam", 0, 0), ("relu_forward", 0, 2), ("sgd", 0, 0)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def relu_forward(x):\n    return x x\n", "line 2: return x x"),
        ("1 / 0\ndef relu_forward(x):\n    return x, x\n", "division by zero"),
        ("import sys\nsys.exit(0)\ndef relu_forward(x):\n    return x, x\n", "SystemExit"),
        ("import os\nos._exit(0)\ndef relu_forward(x):\n    return x, x\n", "the process ended before"),
    ],
)
def test_a_file_that_cannot_be_imported_says_where(text: str, told: str, tmp_path: Path) -> None:
    report = check(tmp_path, text)
    assert [one.name for one in report.functions] == ["relu_forward"]
    assert report.faults == {"cannot-import"}
    assert told in str(report)


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
    assert "max (4, 5)" in report.functions[0].printed


OLD_LAYERS = {  # each is right in Python 2, in a file with a sign of it or without
    "division": ("out = x.reshape(x.shape[0], -1).dot(w)", "out = x.reshape(x.shape[0], x.size / x.shape[0]).dot(w)"),
    "division of a number of NumPy's": (
        "out = x.reshape(x.shape[0], -1).dot(w)",
        "out = x.reshape(x.shape[0], np.prod(x.shape) / x.shape[0]).dot(w)",
    ),
    "division in a slice": ("dx = dout * (x > 0)", "dx = dout * (x > 0); dx[: 8 / 2] = dx[: 8 / 2]"),
    "an indexed zip": ("out = np.maximum(0, x)", "out = np.maximum(zip([0], [1])[0][0], x)"),
    "an indexed map": ("out = np.maximum(0, x)", "out = np.maximum(map(float, [0])[0], x)"),
    "keys": ("out = np.maximum(0, x)", "out = np.maximum({0: 1}.keys()[0], x)"),
    "a list of a range": ("N = x.shape[0]\n    margins", "N = (range(3) + [x.shape[0]])[-1]\n    margins"),
}


@pytest.mark.parametrize("how", OLD_LAYERS)
def test_what_only_python_2_runs_is_translated_or_not_checked(how: str, tmp_path: Path) -> None:
    text = sources.swap(sources.LAYERS, dict([OLD_LAYERS[how]]))
    report = check(tmp_path, text + "\ndef note():\n    print 'two'\n")
    assert report.count("right") == 11, str(report)
    assert report.verdicts == {"old-python"}
    report = check(tmp_path, text)  # nothing says which Python it is for
    assert not report.faults
    assert report.ok
    assert report.count("not checked") in (1, 2)
    assert "it is right in Python 2, and stops in Python 3 with" in str(report)
    report = check(
        tmp_path, text.replace("dx = dout * (x > 0)", "dx = dout").replace("dx[: 8 / 2] = dx[: 8 / 2]", "pass")
    )
    assert report.faults == {"wrong-gradient"}
    assert check(tmp_path, text + "\nname = f'{3}'\n").faults == {"crashed"}


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
        text = sources.swap(
            sources.LAYERS, {"    out = np.maximum(0, x)\n": f"    {line}\n    out = np.maximum(0, x)\n"}
        )
        report = check(tmp_path, text)
        assert report.count("right") == 11, f"{line}: {report}"
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
    assert check(tmp_path, text).count("right") == 11
    assert not check(tmp_path, text).verdicts


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("out = np.maximum(0, x)", "out = np.maximum(np.float(0), x)"),
        ("out = np.maximum(0, x)", "out = np.maximum(np.asscalar(np.zeros(1)), x)"),
        ("out = np.maximum(0, x)", "out = np.maximum(np.array(x.tolist(), copy=False), 0)"),
        ("x.reshape(x.shape[0], -1).dot(w)", "np.reshape(x, newshape=(x.shape[0], np.product(x.shape[1:]))).dot(w)"),
        ("dx = dout * (x > 0)", "dx = dout * (x > 0).astype(np.int)"),
        ("dx = dout * (x > 0)", "dx = dout * (x > 0) + np.zeros(None)"),
    ],
)
def test_what_numpy_has_taken_out_is_put_back_and_told(old: str, new: str, tmp_path: Path) -> None:
    report = check(tmp_path, sources.swap(sources.LAYERS, {old: new}))
    assert report.count("right") == 11, str(report)
    assert report.verdicts == {"old-numpy"}


@pytest.mark.parametrize("new", ["-(x <= 0) * x", "np.maximum(x, 0) * (1 + 0 * x.ptp())"])
def test_what_stops_only_in_todays_numpy_is_not_checked(new: str, tmp_path: Path) -> None:
    report = check(tmp_path, sources.swap(sources.LAYERS, {"out = np.maximum(0, x)": f"out = {new}"}))
    assert not report.faults
    assert report.count("not checked") == 2
    assert "relu_forward is written for an older NumPy" in str(report)


def test_without_the_translator_python_2_is_not_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "fissix/__init__.py", "raise ImportError('gone')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "fissix.refactor", None)
    python2._tool.cache_clear()
    old = write(tmp_path, "hw/old.py", "print 'two'\n" + sources.LAYERS)
    report = check_path(old)
    assert report.count("not checked") == 11
    assert "pip install 'thinnet[check]'" in " ".join(str(report).split())
    write(tmp_path, "hw/new.py", "from old import relu_forward as relu\n" + sources.OPTIM)
    assert check_path(tmp_path / "hw" / "new.py").count("not checked") == 5
    assert check(tmp_path, "def relu_forward(x):\n    return x x\n").faults == {"cannot-import"}


@pytest.mark.parametrize("imports", ["from .layers import *", "from cs231n.layers import *", "from ..layers import *"])
def test_a_folder_with_the_courses_packages(imports: str, tmp_path: Path) -> None:
    write(
        tmp_path,
        "cs231n/layers.py",
        sources.LAYERS + sources.dropout({}, "keep", "We keep each neuron with probability p."),
    )
    inner = "cs231n/classifiers/fc_net.py" if ".." in imports else "cs231n/fc_net.py"
    net = sources.net({}, "cs231n-2018").replace("from .layers import *\nfrom .dropout import *", imports)
    write(tmp_path, inner, net)
    write(tmp_path, "cs231n/optim.py", sources.OPTIM)
    write(tmp_path, "cs231n/__pycache__/layers.py", "nothing is read here (")
    report = check_path(tmp_path)
    assert report.ok, str(report)
    assert len(report.functions) == 11 + 2 + 5 + 1
    assert {one.means for one in report.conventions.values()} == {"keep"}


def test_a_net_alone_stands_on_thinnets_own_layers(tmp_path: Path) -> None:
    net = sources.net({}, "cs231n-2018").replace(
        "from .layers import *\nfrom .dropout import *", "from cs231n.layers import *"
    )
    report = check_path(write(tmp_path, "fc_net.py", net))
    assert report.ok, str(report)


def test_faults_of_the_layers_are_not_held_against_the_net(tmp_path: Path) -> None:
    write(tmp_path, "nndl/layers.py", sources.LAYERS.replace("dx = dout * (x > 0)", "dx = dout"))
    write(tmp_path, "nndl/dropout.py", sources.dropout({sources.BACK: "return dout"}, "keep"))
    write(tmp_path, "nndl/fc_net.py", sources.net({}, "nndl"))
    report = check_path(tmp_path, "nndl")
    wrong = {one.name for one in report.functions if one.state == "wrong"}
    assert wrong == {"relu_backward", "dropout_backward"}, str(report)
    assert "follows-from-layers" in report.verdicts


def test_what_is_expected_and_absent_is_a_fault(tmp_path: Path) -> None:
    path = write(tmp_path, "layers.py", sources.OPTIM)
    assert check_path(path, expected=["adam"]).ok
    report = check_path(path, expected=["adam", "dropout_forward"])
    assert report.faults == {"function-missing"}
    assert check_path(write(tmp_path, "empty.py", ""), expected=["adam"]).faults == {"function-missing"}


def test_what_cannot_be_checked_is_refused(tmp_path: Path) -> None:
    for path, told in (
        (tmp_path / "none.py", "must exist"),
        (write(tmp_path, "empty.py", "x = 1"), "must define something to check"),
        (
            write(tmp_path, "broken.py", "def f(:"),
            "What cannot be read: SyntaxError: invalid syntax in broken.py, line 1",
        ),
        (write(tmp_path, "notebook.ipynb", "{}"), "must be a Python source"),
    ):
        with pytest.raises(ArgumentError, match=told):
            check_path(path)
    with pytest.raises(ArgumentError, match="expected must be one of"):
        check_path(tmp_path, expected=["dropout_forwards"])


def test_the_command_writes_all_forms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = {sources.BACK: "print('<b>&\\x1b[31m'); raise ValueError('<script>alert(1)</script>\\x00')"}
    path = write(tmp_path, "<layers>.py", sources.dropout(changes, "keep"))
    files = {name: tmp_path / name for name in ("html", "junit", "gradescope")}
    options = [word for name, file in files.items() for word in (f"--{name}", str(file))]
    assert main(["check", str(path), "--dialect", "nndl", *options, "--points", "dropout_forward=4", "--prints"]) == 1
    out = capsys.readouterr().out
    assert "dropout_forward              right" in out
    assert "dropout_backward             WRONG" in out
    assert "      crashed\n" in out
    assert "2 functions checked: 1 right, 1 wrong" in out
    assert "\x1b" not in out  # no terminal, no colors, and nothing from the code's prints

    page = files["html"].read_text()
    assert "<script>" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;" in page
    HTMLParser().feed(page)

    suite = ElementTree.parse(files["junit"]).getroot()
    assert suite.attrib == {"tests": "2", "failures": "1", "errors": "0", "skipped": "0"}
    failure = suite.find(".//failure")
    assert failure is not None
    assert failure.attrib["type"] == "crashed"

    results = json.loads(files["gradescope"].read_text())
    assert results["score"] == 4
    assert [(one["score"], one["max_score"], one["status"]) for one in results["tests"]] == [
        (4, 4, "passed"),
        (0, 1, "failed"),
    ]


def test_the_command_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "layers.py", sources.dropout({}, "drop", "We drop each unit with probability p."))
    assert main(["check", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is True
    assert [one["state"] for one in told["functions"]] == ["right", "right"]
    assert next(iter(told["dialects"].values()))["means"] == "drop"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["none.py"], "must exist"),
        (["layers.py", "--points", "adm=3"], "Did you mean 'adam'?"),
        (["layers.py", "--dialect", "p"], "dialect must be one of"),
        (["layers.py", "--html", "none/report.html"], "the folder for 'none/report.html' must exist"),
    ],
)
def test_a_wrong_command_has_status_2(
    arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "layers.py", sources.OPTIM)
    assert main(["check", *arguments]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--timeout", "0"], ["--memory", "a"], ["--points", "adam"]])
def test_wrong_options_have_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["check", "layers.py", *arguments])
    assert end.value.code == 2
    assert arguments[0] in capsys.readouterr().err


RIGHT = sources.dropout({}, "keep", "We keep each unit with probability p.")
SUBMISSIONS: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "must define something to check"),
    "only an import that fails": ("import no_such_package_at_all", "must define something to check"),
    "only sys.exit": ("import sys; sys.exit(3)", "must define something to check"),
    "a syntax error and no function": ("x = (", "SyntaxError"),
    "no text": (bytes(range(256)) * 20, "What cannot be read"),
    "an import that fails": ("import no_such_package_at_all.part\n" + RIGHT, ""),
    "an error at import": ("1 / 0\n" + RIGHT, "ZeroDivisionError"),
    "a syntax error": (RIGHT + "\nx = (", "SyntaxError"),
    "sys.exit": ("import sys; sys.exit(3)\n" + RIGHT, "SystemExit"),
    "os._exit": ("import os; os._exit(0)\n" + RIGHT, "the process ended"),
    "an endless loop": ("while True: pass\n" + RIGHT, "the import was stopped after"),
}


def grades(path: Path, folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """The command's status, and what it wrote for Gradescope; JUnit's form must be readable too."""
    results, junit = folder / "results.json", folder / "junit.xml"
    status = main(["check", str(path), "--gradescope", str(results), "--junit", str(junit), *options])
    ElementTree.parse(junit)
    read = json.loads(results.read_bytes().decode("utf-8"))
    assert read["score"] == sum(test["score"] for test in read["tests"])
    assert read["tests"]
    assert read["output"]
    assert sorted(one.name for one in folder.glob("*.json")) == ["results.json"]
    assert not list(folder.glob(".*"))
    return status, read


@pytest.mark.parametrize("expect", [[], ["--expect", "dropout_forward", "dropout_backward"]], ids=["", "expect"])
@pytest.mark.parametrize("name", SUBMISSIONS)
def test_gradescope_gets_results_whatever_was_handed_in(
    name: str, expect: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thinnet.check.runner.START", 3.0)  # an endless loop is cut off after that and a second more
    content, told = SUBMISSIONS[name]
    (tmp_path / "handed_in").mkdir()
    path = tmp_path / "handed_in" / "layers.py"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    seconds = "1" if "loop" in name else "60"
    status, results = grades(path, tmp_path, *expect, "--timeout", seconds)
    assert status in (1, 2) or name == "an import that fails"
    output = " ".join(test["output"] for test in results["tests"])
    if name != "an import that fails":  # packages that are absent are no reason to refuse the rest
        assert results["score"] == 0
        assert told in output or (expect and "function-missing" in output and "must define" in told)
    if expect:
        assert [test["name"] for test in results["tests"]] == expect[1:]


@pytest.mark.parametrize("expect", [[], ["--expect", "dropout_forward", "adam"]], ids=["", "expect"])
@pytest.mark.parametrize(
    ("place", "options", "told"),
    [
        ("none.py", [], "must exist"),
        ("folder", [], "must define something to check"),
        ("notes.txt", [], "must be a Python source"),
        ("layers.py", ["--dialect", "cs231m"], "dialect must be one of"),
    ],
)
def test_gradescope_gets_results_where_there_is_nothing_to_check(
    place: str, options: list[str], told: str, expect: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()
    write(tmp_path, "notes.txt", "nothing")
    write(tmp_path, "layers.py", RIGHT)
    _, results = grades(tmp_path / place, tmp_path, *options, *expect)
    assert results["score"] == 0
    assert [test["name"] for test in results["tests"]] == (expect[1:] or ["submission"])
    if place not in ("folder", "notes.txt") or not expect:
        assert told in results["tests"][0]["output"]
        assert told in capsys.readouterr().err


def test_gradescope_gets_results_where_the_checker_itself_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("out of luck \ud800")

    monkeypatch.setattr("thinnet.check.command.check_path", fail)
    with pytest.raises(RuntimeError, match="out of luck"):
        main(["check", str(tmp_path), "--gradescope", str(tmp_path / "results.json"), "--json"])
    results = json.loads((tmp_path / "results.json").read_bytes())
    assert results["score"] == 0
    assert "RuntimeError: out of luck" in results["tests"][0]["output"]
