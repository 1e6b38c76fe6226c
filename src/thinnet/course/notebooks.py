"""Running a course's notebook, unmodified, in a real kernel in which the course door is open."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thinnet.checks import check_choice
from thinnet.course.dialects import DIALECTS
from thinnet.errors import DialectError, NotebookError, require
from thinnet.layers.dropout import SCALINGS
from thinnet.storage.files import write_atomically

SUFFIX = ".executed.ipynb"
OWN_WARNING = "ignore::PendingDeprecationWarning:ipykernel.kernelbase"  # ipykernel's about itself, when it ends
COLORS = re.compile(r"\x1b\[[0-9;]*m")  # of a traceback meant for a terminal
SHOWN_LINES = 12  # of the traceback of a cell that failed


@dataclass(frozen=True)
class Run:
    """What came of running a notebook.

    Attributes:
        output: the file with the executed notebook.
        num_cells: how many code cells ran to their end.
        seconds: how long that took, on the wall clock.
        failure: where and why it stopped early; None if it did not.
    """

    output: Path
    num_cells: int
    seconds: float
    failure: str | None


def run_notebook(
    notebook: Path,
    *,
    dialect: str | None = None,
    scaling: str = "inverted",
    output: Path | None = None,
    progress: bool = False,
) -> Run:
    """Execute a notebook in its own folder, with `cs231n` and `nndl` importable in a dialect, and write the result.

    The kernel runs the Python that runs Thinnet, whatever kernel the notebook names, and with the same warning
    filters. The notebook itself is not changed; what a failed run printed so far is kept in the output too.

    Args:
        notebook: an ``.ipynb`` file.
        dialect: as for `thinnet.course.activate`; may be left out where only one fits (a notebook that imports nndl,
            names ``dropout_keep_ratio``, or opens the door itself).
        scaling: as for `thinnet.course.activate`.
        output: where to write; by default ``<name>.executed.ipynb`` beside the notebook.
        progress: whether to show a bar over the cells on standard error.

    Raises:
        NotebookError: if the file is not a notebook.
        DialectError: if the dialect is left out where more than one would fit.
        MissingExtraError: if the extra ``course`` is not installed.
    """
    for package in ("ipykernel", "nbclient", "nbformat"):
        require(package, extra="course", purpose="running a notebook")
    import nbformat

    document = _read(notebook)
    output = output or notebook.with_name(notebook.stem + SUFFIX)
    _check_output(output, notebook)
    opening = _opening_lines(_source(document), dialect, scaling)
    started = time.perf_counter()
    failure = _execute(document, notebook.resolve().parent, opening, progress)
    seconds = time.perf_counter() - started
    finished = sum(_finished(cell) for cell in document.cells)
    write_atomically(output, nbformat.writes(document).encode())
    return Run(output, finished, seconds, failure)


def choose_dialect(source: str) -> str:
    """The dialect that the code of a notebook can only be meant in.

    Raises:
        DialectError: if there are several.

    >>> choose_dialect("from nndl.layers import *")
    'nndl'
    """
    if re.search(r"^\s*(from|import)\s+nndl\b", source, re.MULTILINE):
        return "nndl"
    if "dropout_keep_ratio" in source:
        return "cs231n-2021"
    raise DialectError(
        "dialect must be given, since p means dropping in some years of CS231n and keeping in others; got none. Look "
        "at the notebook: where dropout=0 means no dropout it is cs231n-2017, where dropout=1 does it is cs231n-2018, "
        f"where the argument is dropout_keep_ratio it is cs231n-2021. Known are {', '.join(DIALECTS)}."
    )


def _read(path: Path) -> Any:
    import nbformat

    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        _, document = nbformat.validator.normalize(document)  # older files lack ids of cells
        return nbformat.reads(json.dumps(document), as_version=4)
    except FileNotFoundError:
        raise NotebookError(f"notebook must be an .ipynb file, got {str(path)!r}, which is not there.") from None
    except (OSError, ValueError, AttributeError, TypeError, KeyError, nbformat.ValidationError) as error:
        raise NotebookError(
            f"notebook must be an .ipynb file in nbformat 4, got {str(path)!r}, which cannot be read as one: {error}. "
            "Save it anew from Jupyter."
        ) from error


def _check_output(output: Path, notebook: Path) -> None:
    """Refuse before the run what could not be written after it."""
    if output.resolve() == notebook.resolve():
        raise NotebookError(f"output must be another file than the notebook, got {str(output)!r} for both.")
    if output.is_dir() or not os.access(output.parent, os.W_OK):
        raise NotebookError(
            f"output must be a file in a folder that can be written, got {str(output)!r}. Make the folder first, or "
            "name another one."
        )


def _source(document: Any) -> str:
    return "\n".join(cell.source for cell in document.cells if cell.cell_type == "code")


def _opening_lines(source: str, dialect: str | None, scaling: str) -> str:
    """Code to run in the kernel before the first cell."""
    if dialect is None and "thinnet.course" in source:
        return "pass"  # the notebook opens the door itself
    dialect = choose_dialect(source) if dialect is None else check_choice("dialect", dialect, tuple(DIALECTS))
    check_choice("scaling", scaling, SCALINGS)
    return f"import thinnet.course; thinnet.course.activate({dialect!r}, scaling={scaling!r}); del thinnet"


def _execute(document: Any, folder: Path, opening: str, progress: bool) -> str | None:
    """Run all cells, leaving the outputs in `document`; return why it stopped early, if it did."""
    import nbclient
    from tqdm.auto import tqdm

    total = sum(cell.cell_type == "code" for cell in document.cells)
    client = nbclient.NotebookClient(
        document,
        timeout=None,
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR", f"--IPKernelApp.exec_lines={opening}"],
    )
    client.km = _kernel_manager()  # not as an argument: the client shuts down only what it takes for its own
    try:
        with tqdm(total=total, unit="cell", file=sys.stderr, disable=not progress) as bar:
            client.on_cell_executed = lambda **_: bar.update()
            client.execute()
    except nbclient.exceptions.CellExecutionError as error:
        lines = COLORS.sub("", str(error)).strip().splitlines()
        return "\n".join([f"{error.ename}: {error.evalue}", *lines[-SHOWN_LINES:-1]])
    except nbclient.exceptions.DeadKernelError:
        return "the kernel died; it may have run out of memory"
    except (KeyboardInterrupt, AssertionError):  # the latter comes from the client, when the former hits it at work
        return "interrupted"
    return None


def _kernel_manager() -> Any:
    """A manager of kernels that run this very Python with these very warning filters."""
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

    options = [f"-W{option}" for option in (*sys.warnoptions, OWN_WARNING)] if sys.warnoptions else []
    argv = [sys.executable, *options, "-m", "ipykernel_launcher", "-f", "{connection_file}"]

    class ThisPython(KernelSpecManager):  # type: ignore[misc]
        def get_kernel_spec(self, kernel_name: str) -> Any:
            return KernelSpec(argv=argv, display_name="Python 3", language="python")

    return AsyncKernelManager(kernel_name="python3", kernel_spec_manager=ThisPython())


def _finished(cell: Any) -> bool:
    """Whether a code cell ran to its end."""
    if cell.cell_type != "code" or cell.execution_count is None:
        return False
    return not any(output.output_type == "error" for output in cell.outputs)
