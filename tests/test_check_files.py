"""The checker on files and folders: child processes, limits, old and missing packages, and all the outputs."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

import check_sources as sources
from thinnet.check import Limits, Report, check_path
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
    assert {one.means for one in report.readings.values()} == {"keep"}


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


@pytest.mark.parametrize("arguments", [["--timeout", "0"], ["--memory", "a"], ["--points", "adam"], ["--dialect", "p"]])
def test_wrong_options_have_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["check", "layers.py", *arguments])
    assert end.value.code == 2
    assert arguments[0] in capsys.readouterr().err
