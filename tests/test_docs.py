"""The examples of the pages in docs/ run in order, and say what is true of the code."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor

from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor

ROOT = Path(__file__).parents[1]
PAGES = [page for page in sorted((ROOT / "docs").glob("*.md")) if "```python" in page.read_text(encoding="utf-8")]
TABLE = (ROOT / "docs" / "sklearn.md").read_text(encoding="utf-8").partition("## Coming from MLPClassifier")[2]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_the_examples_of_a_page_run_with_warnings_as_errors(page: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    script = tmp_path / "page.py"
    script.write_text("\n".join(blocks), encoding="utf-8")
    command = [sys.executable, "-W", "error", str(script)]
    done = subprocess.run(command, env={**os.environ}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("peer", [MLPClassifier, MLPRegressor])
def test_each_parameter_that_a_migrant_knows_has_a_row(peer: type) -> None:
    for name in inspect.signature(peer).parameters:
        assert f"`{name}" in TABLE or f"{name}=" in TABLE, name


@pytest.mark.parametrize("estimator", [ThinNetClassifier, ThinNetRegressor])
def test_each_parameter_of_ours_has_a_row(estimator: type) -> None:
    for name in inspect.signature(estimator).parameters:
        assert f"`{name}" in TABLE, name
