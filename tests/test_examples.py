"""The notebooks in examples/ run without errors, and README's examples run in order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from course_seeds import num_pictures, printed

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
NUM_PICTURES = {"cs231n_dropout": 2, "nndl_dropout": 3}  # at least

# Slow code, and its replacement here with fewer images, seeds and epochs, which is enough to see that it runs.
SHORTER = {
    "cs231n_dropout": {
        "cifar = get_CIFAR10_data()": "cifar = get_CIFAR10_data(500, 200, 200)",
        "[20, 30], input_dim=15": "[3, 2], input_dim=15",  # the loss is computed twice for each parameter
        "FullyConnectedNet([500], dropout=dropout)": "FullyConnectedNet([50], dropout=dropout)",
        "thinnet.FullyConnectedNet([500], 3072": "thinnet.FullyConnectedNet([50], 3072",
        "SEEDS = range(5)": "SEEDS = range(2)",
        "num_masks=50": "num_masks=2",
        "num_epochs=25": "num_epochs=2",
        "epochs=25, verbose=False": "epochs=2, verbose=False",
    },
    "nndl_dropout": {
        "cifar = get_CIFAR10_data()": "cifar = get_CIFAR10_data(2020, 200, 200)",
        "FullyConnectedNet([100, 100, 100], dropout=keep)": "FullyConnectedNet([20, 20, 20], dropout=keep)",
        "thinnet.FullyConnectedNet([100, 100, 100], 3072": "thinnet.FullyConnectedNet([20, 20, 20], 3072",
        "FullyConnectedNet([500, 500, 500], use_batchnorm": "FullyConnectedNet([50, 50, 50], use_batchnorm",
        "[20, 30], input_dim=15": "[3, 2], input_dim=15",
        "SEEDS, LONG = range(5), 60": "SEEDS, LONG = range(2), 3",
        "for epoch in (25, LONG):": "for epoch in (2, LONG):",
        "for _ in range(100):": "for _ in range(2):",
        "num_epochs=25": "num_epochs=2",
        # The last training, which shows step 201; in the line format of the notebook file.
        'num_epochs=num_epochs,\\n",\n    "    batch_size=100': 'num_epochs=num_epochs,\\n",\n    "    batch_size=10',
    },
    "README": {
        "score(ThinNetClassifier(dropout=0.5, ": "score(ThinNetClassifier(dropout=0.5, max_iter=5, ",
        "net = ThinNetClassifier(dropout=0.5, ": "net = ThinNetClassifier(dropout=0.5, max_iter=5, ",
    },
}


def shorter(text: str, name: str) -> str:
    """The text with less training."""
    for long, short in SHORTER[name].items():
        assert text.count(long) == 1, long
        text = text.replace(long, short)
    return text


def shortened(notebook: Path, folder: Path) -> Path:
    """The notebook with less training, in this folder."""
    text = shorter(notebook.read_text(encoding="utf-8"), notebook.stem)
    (folder / notebook.name).write_text(text, encoding="utf-8")
    return folder / notebook.name


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_with_warnings_as_errors(notebook: Path, cifar10_root: Path, tmp_path: Path) -> None:
    """On real images; the long last training of the second notebook is cut to one epoch."""
    output = tmp_path / "executed.ipynb"
    command = [sys.executable, "-W", "error", "-m", "thinnet", "course", "run", str(shortened(notebook, tmp_path))]
    environment = os.environ | {"THINNET_DATA": str(cifar10_root), "THINNET_EXAMPLE_EPOCHS": "1"}
    done = subprocess.run(
        [*command, "--output", str(output)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert num_pictures(output) >= NUM_PICTURES[notebook.stem]
    assert all("Traceback" not in text for text in printed(output))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_committed_notebook_shows_its_outputs_and_no_paths(notebook: Path) -> None:
    document: Any = nbformat.read(notebook, as_version=4)
    codes = [cell for cell in document.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in codes] == list(range(1, len(codes) + 1))
    assert not any(output.output_type == "error" for cell in codes for output in cell.outputs)
    assert num_pictures(notebook) >= NUM_PICTURES[notebook.stem]
    text = "\n".join(cell.source for cell in document.cells) + "\n".join(printed(notebook))
    assert not re.search(r"/(home|root|work|tmp|Users)/", text)


def test_readme_examples_run_in_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one interpreter, in order, as if a reader pasted them."""
    readme = shorter((ROOT / "README.md").read_text(encoding="utf-8"), "README")
    code = "\n".join(re.findall(r"```python\n(.*?)```", readme, re.DOTALL))
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})  # warnings are errors here too
    printed = capsys.readouterr().out
    accuracy = float(re.search(r"test accuracy: ([0-9.]+)", printed)[1])  # type: ignore[index]
    assert accuracy > 0.95
    assert "largest error" in printed
