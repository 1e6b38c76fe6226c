"""The command `thinnet check`: its output formats, its exit status, and Gradescope results for any submission."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import check_dropouts as dropouts
import check_sources as sources
from test_check_files import write
from thinnet.cli import main

pytestmark = pytest.mark.usefixtures("quick_workers")


def test_the_command_writes_all_forms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = {dropouts.BACK: "print('<b>&\\x1b[31m'); raise ValueError('<script>alert(1)</script>\\x00')"}
    path = write(tmp_path, "<layers>.py", dropouts.dropout(changes, "keep"))
    files = {name: tmp_path / name for name in ("html", "junit", "gradescope")}
    options = [word for name, file in files.items() for word in (f"--{name}", str(file))]
    assert main(["check", str(path), "--dialect", "nndl", *options, "--points", "dropout_forward=4", "--prints"]) == 1
    out, err = capsys.readouterr()
    assert err == f"wrote {', '.join(str(file) for file in files.values())}\n"
    assert "dropout_forward              right" in out
    line = next(i for i, text in enumerate(path.read_text().splitlines(), 1) if text.startswith("def dropout_backward"))
    assert f"dropout_backward             WRONG  line {line}\n" in out
    assert "      crashed\n" in out
    assert "2 functions: 1 right, 1 wrong" in out
    assert "\x1b" not in out  # no terminal, so no colors; and no output of the checked code

    page = files["html"].read_text()
    assert "<script>" not in page
    assert "<b>" not in page
    assert f"<span>wrong, line {line}</span>" in page
    assert "&lt;script&gt;" in page
    HTMLParser().feed(page)

    suite = ElementTree.parse(files["junit"]).getroot()
    assert suite.attrib == {"tests": "2", "failures": "1", "errors": "0", "skipped": "0"}
    failure = suite.find(".//failure")
    assert failure is not None
    assert failure.attrib["type"] == "crashed"
    assert failure.text is not None
    assert failure.text.startswith(f"line {line}\n")

    results = json.loads(files["gradescope"].read_text())
    assert results["score"] == 4
    assert [(one["score"], one["max_score"], one["status"]) for one in results["tests"]] == [
        (4, 4, "passed"),
        (0, 1, "failed"),
    ]
    assert results["tests"][1]["output"].startswith(f"line {line}\n")


def test_the_command_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "layers.py", dropouts.dropout({}, "drop", "We drop each unit with probability p."))
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
        (
            ["layers.py", "--memory", "150"],
            "--memory must be an integer >= 300, got 150. Python and NumPy need this much; 2048 is usual.",
        ),
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


RIGHT = dropouts.dropout({}, "keep", "We keep each unit with probability p.")
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
    """The command's status, and what it wrote for Gradescope; the JUnit file must be readable too."""
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
    if "loop" in name:  # allow no extra time for starting up
        monkeypatch.setattr("thinnet.check.runner.START", 0.0)
    content, told = SUBMISSIONS[name]
    (tmp_path / "handed_in").mkdir()
    path = tmp_path / "handed_in" / "layers.py"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    seconds = "0.5" if "loop" in name else "60"
    status, results = grades(path, tmp_path, *expect, "--timeout", seconds)
    assert status in (1, 2) or name == "an import that fails"
    output = " ".join(test["output"] for test in results["tests"])
    if name != "an import that fails":  # a missing package does not stop the other checks
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
    assert ("nothing was checked: " in results["output"]) == (place not in ("folder", "notes.txt") or not expect)
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
