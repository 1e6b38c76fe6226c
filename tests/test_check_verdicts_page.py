"""The page of all verdicts matches the output of its script."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def test_the_page_of_verdicts_is_up_to_date() -> None:
    command = [sys.executable, "-W", "error", str(DOCS / "figures" / "verdicts.py")]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert (done.stdout, done.stderr) == ((DOCS / "verdicts.md").read_text(encoding="utf-8"), "")
