"""Notebook files: which are refused before they run, and which defects are tolerated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from course_seeds import printed, write_notebook
from thinnet.course.notebooks import run_notebook
from thinnet.errors import NotebookError

pytestmark = pytest.mark.usefixtures("closed_door", "quick_notebooks")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "which does not exist"),
        (b" \n", "it is empty"),
        (b"\xff\xfe\x00", "can't decode"),
        (b"[]", "its JSON is not a notebook"),
        (b"{}", "which cannot be read as one"),
        (b'{"cells": 3}', "its JSON is not a notebook"),
        (b'{"cells": [{}]}', "its JSON is not a notebook"),
        (b'{"cells": ["a"]}', "its JSON is not a notebook"),
        (b'{"cells": [], "metadata": 3}', "its JSON is not a notebook"),
        (b"null", "its JSON is not a notebook"),
        (b'{"cells": [], "nbformat": []}', "its JSON is not a notebook"),
        (b"\nprint('a script')", "line 2 is not JSON: it is text that begins with"),
        (b'{\n<<<<<<< HEAD\n "cells": []}', "line 2 is not JSON: it is text that begins with '<<<<<<< HEAD'"),
        (b'{"cells": [],\n', "line 2 is not JSON: the file ends before the notebook does"),
        (b"<!DOCTYPE html>\n<html>", "line 1 is not JSON: it is an HTML page. Get the notebook itself"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", r"Git LFS pointer, .* `git lfs pull`"),
    ],
)
def test_what_is_no_notebook_is_refused(content: bytes | None, why: str, tmp_path: Path) -> None:
    path = tmp_path / "n.ipynb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(NotebookError, match=rf"notebook must be an (existing )?.ipynb file.*n\.ipynb(?s:.*){why}"):
        run_notebook(path, dialect="nndl")


def test_a_folder_and_what_is_in_no_folder_are_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, why in ((tmp_path, "it is a folder"), (tmp_path / "file" / "n.ipynb", "There is no folder")):
        with pytest.raises(NotebookError, match=why) as caught:
            run_notebook(path)
        assert "Errno" not in str(caught.value)


@pytest.mark.parametrize("metadata", [{"language_info": {"name": "R"}}, {"kernelspec": {"language": "julia"}}])
def test_a_notebook_in_another_language_is_refused(metadata: dict[str, Any], tmp_path: Path) -> None:
    write_notebook(tmp_path / "n.ipynb", ["f(x) = 3x"])
    content = json.loads((tmp_path / "n.ipynb").read_text())
    content["metadata"] = metadata
    (tmp_path / "n.ipynb").write_text(json.dumps(content))
    with pytest.raises(NotebookError, match=r"notebook must be in Python, got .*, which is in (R|julia)\."):
        run_notebook(tmp_path / "n.ipynb")


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"metadata": {"kernelspec": None, "language_info": None}},
        {"metadata": None, "nbformat": None},
        {"nbformat": "4", "nbformat_minor": "5"},
    ],
)
def test_a_notebook_that_other_programs_wrote_carelessly_runs(metadata: dict[str, Any], tmp_path: Path) -> None:
    """A byte order mark, no metadata, cells without outputs or source, or with the same id, outputs
    without text, half a surrogate pair."""
    cell = {"cell_type": "code", "id": "a", "source": "print(1)"}
    note = {"cell_type": "markdown", "id": "b", "source": "a note"}
    empty = {"cell_type": "code", "source": None, "outputs": None, "metadata": None}
    stale = {"cell_type": "code", "source": "", "outputs": [{"output_type": "stream", "text": None}, {}]}
    half = {"cell_type": "code", "source": "print('\ud83d')"}
    content = {"nbformat": 4, "nbformat_minor": 5, "cells": [cell, note, cell, empty, stale, half], **metadata}
    (tmp_path / "n.ipynb").write_text(json.dumps(content), encoding="utf-8-sig")
    assert printed(run_notebook(tmp_path / "n.ipynb").output) == ["1\n", "1\n", "", "", "?\n"]


def test_an_output_that_cannot_be_is_refused_before_the_run(tmp_path: Path) -> None:
    notebook = tmp_path / "n.ipynb"
    write_notebook(notebook, ["raise SystemError('it ran')"])
    before = notebook.read_bytes()
    for output, text in (
        (notebook, "output must not be the notebook itself"),
        (tmp_path / "nowhere" / "x.ipynb", "output must be a file in a folder that can be written"),
        (tmp_path, "output must be a file in a folder that can be written"),
    ):
        with pytest.raises(NotebookError, match=text):
            run_notebook(notebook, dialect="nndl", output=output)
    assert notebook.read_bytes() == before
