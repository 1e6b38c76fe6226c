"""The page of all verdicts: it is the one that its command makes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from thinnet.check.verdicts import page


def test_the_page_of_verdicts_is_up_to_date() -> None:
    assert (Path(__file__).parents[1] / "docs" / "verdicts.md").read_text(encoding="utf-8") == page()


def test_the_command_that_makes_the_page_says_nothing_else() -> None:
    command = [sys.executable, "-W", "error", "-m", "thinnet.check.verdicts"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert (done.stdout, done.stderr) == (page(), "")
