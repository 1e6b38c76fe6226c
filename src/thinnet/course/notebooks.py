"""Runs a course's notebook, unmodified, in a real kernel in which the course door is open."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thinnet import python2
from thinnet.checks import check_choice, check_path
from thinnet.course.advice import advice, unknown_package
from thinnet.course.dialects import DRAWS
from thinnet.course.evidence import Own, choose_dialect
from thinnet.course.execution import execute
from thinnet.course.finder import checked_names
from thinnet.course.own_files import modules_with_dropout, own_courses
from thinnet.course.saying import MARK
from thinnet.data.files import LONGEST_HEAD, looked_for, looks_like
from thinnet.errors import NotebookError, require
from thinnet.layers.dropout import SCALINGS
from thinnet.storage.files import write_atomically
from thinnet.typing import AnyPath

SUFFIX = ".executed.ipynb"
RECORDS = ("execution", "executionInfo", "ExecuteTime", "outputId")  # metadata that an earlier run left in a cell


@dataclass(frozen=True)
class Run:
    """The result of running a notebook.

    Attributes:
        output: the file with the executed notebook.
        num_cells: how many code cells ran to their end.
        seconds: how long that took, on the wall clock.
        failure: where and why it stopped early, and what to do; None if it did not.
        notes: what was taken for granted or left out: the dialect and why, Python 2, commands that were not run.
    """

    output: Path
    num_cells: int
    seconds: float
    failure: str | None
    notes: tuple[str, ...] = ()


def run_notebook(
    notebook: AnyPath,
    *,
    dialect: str | None = None,
    scaling: str = "inverted",
    draw: str | None = None,
    packages: Sequence[str] = (),
    shell: bool = False,
    output: AnyPath | None = None,
    progress: bool = False,
) -> Run:
    """Execute a notebook in its own folder, with `cs231n` and `nndl` importable in a dialect, and write the result.

    The kernel runs the Python that runs Thinnet, whatever kernel the notebook names, and with the same warning
    filters. The notebook itself is not changed. The output has what this run produced and nothing else: what was
    recorded in the notebook is cleared first, and what a failed run printed so far is kept.

    A notebook in Python 2 is translated; ``google.colab`` does nothing; folders that are not there, magics that are
    unknown and shell commands that do more than look are left out. Each says so in its cell.

    Args:
        notebook: an ``.ipynb`` file.
        dialect: as for `thinnet.course.activate`; may be left out where all that fit give the same figures, or the
            notebook opens the door itself.
        scaling, draw, packages: as for `thinnet.course.activate`.
        shell: whether to run all shell commands (``!wget``, ``%pip``, ``%%bash``).
        output: where to write; by default ``<name>.executed.ipynb`` beside the notebook.
        progress: whether to show a bar over the cells on standard error.

    Raises:
        NotebookError: if the file is not a notebook.
        DialectError: if the dialect does not fit, or is left out where those that fit would give other figures.
        MissingExtraError: if the extra ``course`` is not installed.
    """
    for package in ("ipykernel", "nbclient", "nbformat"):
        require(package, extra="course", purpose="running a notebook")
    import nbformat

    notebook = check_path("notebook", notebook)
    document = _read(notebook)
    output = check_path("output", output or notebook.with_name(notebook.stem + SUFFIX))
    _check_output(output, notebook)
    check_choice("scaling", scaling, SCALINGS)
    check_choice("draw", draw, (None, *DRAWS))
    code, folder = Code.of(document), notebook.absolute().parent  # the folder of a symbolic link, not of its target
    notes = ["written for Python 2: translated into Python 3"] if code.old else []
    opening: dict[str, Any] = {"dialect": "", "scaling": scaling, "draw": draw, "packages": checked_names(packages)}
    opening |= {"commands": shell, "old": code.old, "features": tuple(sorted(code.features))}
    if dialect is not None or "thinnet.course" not in code.source:  # else the notebook opens the door itself
        unknown = unknown_package(code.source, (*packages, *os.listdir(folder)))
        own = Own(own_courses(folder), modules_with_dropout(folder, code.trees))
        opening["dialect"], why = choose_dialect(code.trees, dialect, own, _recorded(document), unknown)
        notes[:0] = [] if dialect or not why else [f"dialect {opening['dialect']}, {why}"]
    _clear(document)
    started = time.perf_counter()
    failure = execute(document, folder, opening, progress)
    seconds = time.perf_counter() - started
    write_atomically(output, nbformat.writes(document).encode())
    failure = failure and failure + advice(failure, code.source, code.trees)
    return Run(output, sum(map(_finished, document.cells)), seconds, failure, (*notes, *_said(document)))


def _read(path: Path) -> Any:
    import nbformat

    try:
        known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8-sig"), object_hook=_without_none)
        numbers = {name: int(known[name]) for name in ("nbformat", "nbformat_minor") if name in known}
        document: Any = {"nbformat": 4, **known, **numbers, "metadata": {**known.get("metadata", {})}}
        for cell in document.get("cells", []):
            missing: dict[str, Any] = {"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else {}
            cell.update({"metadata": {}, "source": "", **missing, **cell})
        with warnings.catch_warnings(action="ignore"):  # about duplicate ids
            _, document = nbformat.validator.normalize(document)  # cells in older files have no ids
        whole = json.dumps(document, ensure_ascii=False).encode(errors="replace")  # there may be lone surrogates
        document = nbformat.reads(whole.decode(), as_version=4)
    except (FileNotFoundError, NotADirectoryError):
        came = f"got {str(path)!r}, which does not exist. Check its path. {looked_for(path)}"
        raise NotebookError(f"notebook must be an existing .ipynb file, {came}") from None
    except (OSError, ValueError, AttributeError, TypeError, KeyError, nbformat.ValidationError) as error:
        raise NotebookError(
            f"notebook must be an .ipynb file in nbformat 4, got {str(path)!r}, which cannot be read as one: "
            f"{_why(error)}. Get the notebook itself, or save it again from Jupyter."
        ) from error
    metadata = {"language_info": {}, "kernelspec": {}} | document.metadata
    kernel = metadata["language_info"].get("name") or metadata["kernelspec"].get("language", "python")
    if "python" not in kernel.lower():
        raise NotebookError(f"notebook must be in Python, got {str(path)!r}, which is in {kernel}. Choose another one.")
    return document


def _without_none(entries: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entries.items() if value is not None}


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        rest = error.doc[error.pos :].encode(errors="replace")[:LONGEST_HEAD]
        what = f"it is {looks_like(rest)}" if rest.strip() else "the file ends before the notebook does"
        return f"line {error.lineno} is not JSON: {what}" if error.doc.strip() else "it is empty"
    if isinstance(error, IsADirectoryError):
        return "it is a folder"
    if isinstance(error, OSError):
        return f"an error while reading it ({error.strerror or error})"
    return "its JSON is not a notebook" if isinstance(error, AttributeError | TypeError | KeyError) else str(error)


def _check_output(output: Path, notebook: Path) -> None:
    """Check before the run that the result can be written after it."""
    if output.resolve() == notebook.resolve():
        raise NotebookError(f"output must not be the notebook itself, got {str(output)!r} for both. Name another file.")
    if output.is_dir() or not os.access(output.parent, os.W_OK):
        raise NotebookError(
            f"output must be a file in a folder that can be written, got {str(output)!r}. Make the folder first, or "
            "name another one."
        )


@dataclass(frozen=True)
class Code:
    """The code of a notebook."""

    source: str  # of all cells, unchanged
    trees: list[ast.Module]  # of all cells that say something, magics and Python 2 translated; if unreadable, empty
    old: str  # how many cells are Python 2: "all", "some", or "" for none
    features: set[str]  # what is imported from __future__

    @staticmethod
    def of(document: Any) -> Code:
        """The code of a parsed notebook."""
        from IPython.core.inputtransformer2 import TransformerManager

        plain = TransformerManager()  # type: ignore[no-untyped-call]
        cells = [plain.transform_cell(cell.source) for cell in document.cells if cell.cell_type == "code"]
        source = "\n".join(cells)
        features = python2.future_features(source)
        old = _old(document, cells)
        trees = []
        for cell in filter(str.strip, cells):
            trees.append(ast.Module([], []))
            with contextlib.suppress(SyntaxError, ValueError):
                trees[-1] = ast.parse(python2.translate(cell, features) if old and python2.is_old(cell) else cell)
        return Code(source, trees, old, features)


def _old(document: Any, cells: list[str]) -> str:
    """Which cells are Python 2: "all"; "some" if the metadata say Python 3 but a cell cannot be; "" for none."""
    metadata = document.metadata
    recorded = metadata.get("language_info", {}).get("version") or metadata.get("kernelspec", {}).get("name", "")
    version = re.match(r"(?:python)?([23])", str(recorded))
    if version and version.group(1) == "2":
        return "all"
    if any(map(python2.is_old, cells)):
        return "some" if version else "all"
    return ""


def _recorded(document: Any) -> str:
    """What the notebook's author got printed."""
    outputs = [output for cell in document.cells if cell.cell_type == "code" for output in cell.outputs]
    return "\n".join(str(output.get("text", "")) for output in outputs if output.get("output_type") == "stream")


def _clear(document: Any) -> None:
    document.metadata.pop("widgets", None)
    for cell in document.cells:
        for trace in RECORDS:
            cell.metadata.pop(trace, None)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None


def _said(document: Any) -> list[str]:
    """The messages of the stand-ins in the cells, without repetitions."""
    lines = dict.fromkeys(_recorded(document).splitlines())
    return [line.removeprefix(MARK) for line in lines if line.startswith(MARK)]


def _finished(cell: Any) -> bool:
    if cell.cell_type != "code" or cell.execution_count is None:
        return False
    return not any(output.output_type == "error" for output in cell.outputs)
