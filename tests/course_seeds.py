"""The code cells of the two course notebooks that the project must run, turned back into notebooks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

SEEDS = Path(__file__).parents[2] / "shared" / "seeds"
CS231N, NNDL = SEEDS / "000_ca07147233e49ceb.txt", SEEDS / "001_4ba5dd4a7746b33b.txt"

# How many fenced blocks after each "In [n]:" of the second text are code; the rest are outputs.
NNDL_BLOCKS = {2: 1, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1, 8: 2, 9: 1, 11: 2, 12: 1}


def seed_text(path: Path) -> str:
    """The text of a seed; skips the test if it is missing."""
    if not path.exists():
        pytest.skip(f"the course notebooks are not here: no {path.relative_to(SEEDS.parents[1])} beside the project")
    return path.read_text(encoding="utf-8")


def cs231n_cells() -> list[str]:
    """The code cells of the first seed, which are its blocks marked as Python."""
    return re.findall(r"```python\n(.*?)```", seed_text(CS231N), re.DOTALL)


def nndl_cells() -> list[str]:
    """The code cells of the second seed, with its two extraction errors fixed."""
    sections = re.split(r"^In \[(\d+)\]:$", seed_text(NNDL), flags=re.MULTILINE)
    cells = []
    for number, section in zip(map(int, sections[1::2]), sections[2::2], strict=True):
        blocks = re.findall(r"```\n(.*?)```", section, re.DOTALL)
        cells.append("".join(blocks[: NNDL_BLOCKS[number]]))
    stray = {
        "(out_test == 0).mean())\n)\n": "(out_test == 0).mean())\n",
        "verbose=False,\n        e, h=": "verbose=False, h=",
    }
    for slip, mended in stray.items():
        assert sum(cell.count(slip) for cell in cells) == 1
        cells = [cell.replace(slip, mended) for cell in cells]
    return cells


def write_notebook(path: Path, cells: list[str], **metadata: Any) -> None:
    """Write a notebook with these code cells."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata=metadata)
    nbformat.write(notebook, path)


def printed(path: Path) -> list[str]:
    """What each code cell of an executed notebook printed."""
    notebook: Any = nbformat.read(path, as_version=4)
    return [
        "".join(output.text for output in cell.outputs if output.output_type == "stream")
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def num_pictures(path: Path) -> int:
    """The number of images in an executed notebook."""
    notebook: Any = nbformat.read(path, as_version=4)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return sum("image/png" in output.get("data", {}) for output in outputs)
