"""`make faults` with a thousandth of its tries; and RELIABILITY.md is what it writes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

PROMISES = ROOT / "faults" / "promises.md"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the faults fork, which this system cannot")
def test_every_fault_is_borne(tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    command = [sys.executable, str(ROOT / "faults" / "run.py"), "--share", "0.001", "--output", str(report)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    written = report.read_text(encoding="utf-8")
    assert written.startswith(PROMISES.read_text(encoding="utf-8"))
    assert written.count("\n| ") == (ROOT / "RELIABILITY.md").read_text(encoding="utf-8").count("\n| ")


def test_the_page_has_the_promises_and_the_whole_of_the_tries() -> None:
    page = (ROOT / "RELIABILITY.md").read_text(encoding="utf-8")
    assert page.startswith(PROMISES.read_text(encoding="utf-8"))
    kills = re.search(r"\| (\d+) kills \|", page)
    assert kills
    assert int(kills[1]) >= 200
    assert page.count("| 100,000 |") == 4


def test_the_promises_name_tests_that_exist() -> None:
    named = re.findall(r"`(tests/\w+\.py)`", PROMISES.read_text(encoding="utf-8"))
    assert len(set(named)) >= 6
    for name in named:
        assert (ROOT / name).exists(), name
