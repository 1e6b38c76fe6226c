"""Runs a notebook's cells in a kernel of the current Python."""

import asyncio
import atexit
import contextlib
import os
import re
import signal
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

from thinnet.bars import bars
from thinnet.old_python import of_a_library

OWN_WARNINGS = (  # from the kernel itself, when it starts and stops
    "ignore:There is no current event loop:DeprecationWarning",
    "ignore::PendingDeprecationWarning:ipykernel.kernelbase",
)
LAUNCH = "import runpy, sys; sys.modules['debugpy'] = None; runpy.run_module('ipykernel_launcher', run_name='__main__')"
COLORS = re.compile(r"\x1b\[[0-9;]*m")  # of a traceback meant for a terminal
OVERWRITTEN = re.compile(r"^.*\r(?=[^\n])", re.MULTILINE)  # what a line of a progress bar said before
ENDED = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
SHOWN_LINES = 12  # of the traceback of a cell that failed
LONGEST_FOLDER = 96  # bytes; systems take paths of sockets up to 103 or 107


def execute(document: Any, folder: Path, opening: dict[str, Any], progress: bool) -> str | None:
    """Run all cells in a folder, leaving the outputs in `document`; return why it stopped early, if it did: a text that
    begins with one of `ENDED` where a signal ended it.

    `opening` is what `thinnet.course.kernel.open_door` takes, which runs before the first cell.
    """
    import nbclient

    line = f"__import__('thinnet.course.kernel', fromlist=['open_door']).open_door(**{opening!r})"
    total = sum(cell.cell_type == "code" for cell in document.cells)
    client = nbclient.NotebookClient(
        document,
        timeout=None,
        startup_timeout=600,  # a busy machine may be slow
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        extra_arguments=["--log-level=ERROR", f"--IPKernelApp.exec_lines={line}"],
    )
    begun: list[Any] = []
    client.ended = ENDED[signal.SIGINT]
    client.on_cell_start = lambda cell, **_: begun.extend([cell] if cell.source.strip() else [])
    try:
        with (
            tempfile.TemporaryDirectory(prefix="thinnet-") as connection,
            bars()(total=total, unit="cell", file=sys.stderr, disable=not progress) as bar,
        ):
            # Not passed as an argument: the client shuts down only a kernel that it considers its own.
            client.km = manager = _kernel_manager(Path(connection))
            client.on_cell_complete = lambda **_: bar.update()
            client.on_cell_executed = lambda cell, **_: merge_streams(cell)
            client.on_notebook_start = lambda **_: _interrupt_gently(client)
            client.execute()
    except nbclient.exceptions.CellExecutionError as error:
        said = next((each for each in begun[-1].outputs if each.output_type == "error"), error)
        why = client.ended if error.ename == "KeyboardInterrupt" else f"{said.ename}: {said.evalue}"
        return "\n".join([why.removesuffix(": "), *(_where(COLORS.sub("", str(error))) or _source(begun))])
    except RuntimeError as error:
        if not begun:
            return f"the kernel did not start ({error}); its messages are above"
        if not isinstance(error, nbclient.exceptions.DeadKernelError):
            raise
        begun[-1].execution_count = None  # it did not come to its end
        return "\n".join([_how_it_died(manager), *_source(begun)])
    # The latter come from the client, when the former hits it at work.
    except (KeyboardInterrupt, AssertionError, asyncio.CancelledError):
        return str(client.ended)
    finally:
        if client.km is None and (at_exit := getattr(client, "_cleanup_kernel", None)):
            atexit.unregister(at_exit)  # what it would do at the end of Python is done
    return None


def _how_it_died(manager: Any) -> str:
    status = getattr(getattr(manager.provisioner, "process", None), "returncode", None)
    if status is not None and 0 <= status < 256:  # Windows has larger ones for a crash
        return f"the kernel exited with status {status}, as after os._exit({status}): leave that call out"
    if status is not None and -status in (signal.SIGSEGV, signal.SIGABRT):
        return f"the kernel crashed ({signal.Signals(-status).name}), in compiled code that the cell called"
    return "the kernel died; it may have run out of memory"


def merge_streams(cell: Any) -> None:
    """Merge all that a cell printed into one output, and all its warnings into another, without overwritten text.

    nbclient could do it too, but in time quadratic in the length of the longest line.
    """
    parts: dict[str, list[str]] = {}
    merged = []
    for output in cell.outputs:
        if output.output_type != "stream" or output.name not in parts:
            merged.append(output)
        if output.output_type == "stream":
            parts.setdefault(output.name, []).append(output.text)
    for output in merged:
        if output.output_type == "stream":
            output.text = OVERWRITTEN.sub("", "".join(parts[output.name]))
    for i, (one, other) in enumerate(pairwise(merged)):  # their order of arrival is random
        if (one.get("name"), other.get("name")) == ("stderr", "stdout"):
            merged[i : i + 2] = other, one
    cell.outputs = merged


def _where(traceback: str) -> list[str]:
    """The last frame, if any, from the notebook or a module next to it, rather than from a library."""
    for frame in reversed(traceback.split("\n\n")):
        start = re.search(r"^ *(?:Cell In|File ([^<].*?):\d+)", frame, re.MULTILINE)
        if start and not of_a_library(os.path.expanduser(start[1] or "")):
            return frame[start.start() :].splitlines()[-SHOWN_LINES:]
    return []


def _source(begun: list[Any]) -> list[str]:
    code = [cell.source for cell in begun if cell.cell_type == "code"]
    return [f"Cell In[{len(code)}]", *code[-1].splitlines()[:SHOWN_LINES]]


def _interrupt_gently(client: Any) -> None:
    """Let the first Ctrl-C or SIGTERM end the cell, which says where it was, and with it the run; the second ends the
    kernel."""
    loop = asyncio.get_running_loop()

    def stop(**_: Any) -> None:
        raise KeyboardInterrupt

    def interrupt(number: signal.Signals) -> None:
        client.ended = ENDED[number]
        loop.remove_signal_handler(number)
        client.on_cell_execute = stop  # in case that the cell goes on, or that none runs
        client.interrupting = loop.create_task(client.km.interrupt_kernel())  # kept, or the loop might forget it

    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # Windows; another thread than the main
        for number in ENDED:
            loop.add_signal_handler(number, interrupt, number)


def _kernel_manager(connection: Path) -> Any:
    """A manager of kernels with the current Python and its warning filters, and no debugger, for a quick start.

    It talks to them through sockets in the folder `connection`, since two notebooks that start at the same time may
    pick the same free TCP port. If the path of that folder is too long for a socket, it uses ports.
    """
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

    options = [f"-W{option}" for option in (*sys.warnoptions, *OWN_WARNINGS)] if sys.warnoptions else []
    argv = [sys.executable, *options, "-c", LAUNCH, "-f", "{connection_file}"]

    class ThisPython(KernelSpecManager):  # type: ignore[misc]
        def get_kernel_spec(self, kernel_name: str) -> Any:
            return KernelSpec(argv=argv, display_name="Python 3", language="python")

    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=ThisPython())
    if os.name == "posix" and len(os.fsencode(connection)) <= LONGEST_FOLDER:
        manager.transport, manager.ip = "ipc", str(connection / "k")
    return manager
