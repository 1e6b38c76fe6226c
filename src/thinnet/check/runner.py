"""Running the checks of a file in a child process, and going on after a function that ends or hangs it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import thinnet
from thinnet.check import old_python
from thinnet.check.findings import Finding, FunctionReport, Reading, finding
from thinnet.check.scan import Source

START = 20.0  # seconds that the start of Python and the imports may take on top of the limit


@dataclass(frozen=True)
class Limits:
    """What the code under check may use.

    Attributes:
        seconds: for each function, on the clock.
        megabytes: of address space, for the whole process.
    """

    seconds: float = 20.0
    megabytes: int = 2048


class Child:
    """One child process and its events."""

    def __init__(
        self, source: Source, units: list[str], reading: Reading, limits: Limits, first: bool, old: bool
    ) -> None:
        job = {
            "root": str(source.root),
            "module": source.module,
            "units": units,
            "first": first,
            "old": old,
            "reading": asdict(reading),
            "readings": {name: asdict(one) for name, one in source.readings.items()},
            "memory": limits.megabytes * 2**20,
            "cpu": int(START + limits.seconds * len(units)) + 1,
        }
        self.late = False
        with tempfile.TemporaryFile() as file:
            file.write(json.dumps(job).encode())
            file.seek(0)
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "thinnet.check.worker"],
                stdin=file,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,  # of the start; later the child writes to a file
                env=_environment(),
                start_new_session=True,
            )

    def next(self, seconds: float) -> dict[str, Any] | None:
        """The next event, or None where the process has ended, or was ended since there was none in time."""
        timer = threading.Timer(seconds, self._ring)
        timer.start()
        assert self.process.stdout is not None
        try:
            for line in self.process.stdout:
                with contextlib.suppress(ValueError):  # a line that is not ours
                    event = json.loads(line)
                    if isinstance(event, dict) and "event" in event:
                        return event
            return None
        finally:
            timer.cancel()

    def ending(self) -> str:
        """How it ended by itself, in words."""
        try:
            status = self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:  # it has closed what it should tell its events by
            status = 0
        assert self.process.stderr is not None
        last = self.process.stderr.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
        words = f"the process ended with status {status}"
        if status == 0:
            words = "the process ended before the function did"
        if status < 0:
            words = f"the process was ended by the signal {signal.Signals(-status).name}"
        return f"{words}: {last}" if last else words

    def end(self) -> None:
        """End it, and all that it started."""
        self._kill()
        with self.process:  # waits, and closes the pipes
            pass

    def _ring(self) -> None:
        self.late = True
        self._kill()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended by itself
            if hasattr(os, "killpg"):
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()


def check_source(source: Source, limits: Limits) -> tuple[list[FunctionReport], Reading]:
    """Check all that a file defines; return the reports in the order of its units, and what p means."""
    file = str(source.path)
    reports = {name: FunctionReport(name, file, [finding("not-checked", why)]) for name, why in source.excluded.items()}
    names = [name for name in source.units if name not in reports]
    if source.problem and names:
        problem = finding("cannot-import", source.problem)
        return [FunctionReport(name, file, [problem]) for name in source.units], source.reading
    found, reading = _run(source, names, limits)
    stopped = {} if source.only_python_3 else {name: _old(one) for name, one in found.items() if _old(one)}
    if stopped:  # once more, as Python 2, with what may be waiting for it
        again, _ = _run(source, [name for name in names if found[name].state != "right"], limits, old=True)
        for name, report in again.items():
            found[name] = report
            if name in stopped and report.state == "right":
                told = f"it is right in Python 2, and stops in Python 3 with {stopped[name]}"
                found[name] = FunctionReport(name, file, [finding("not-checked", told)])
    reports |= found
    return [reports[name] for name in source.units if name in reports], reading


def _old(report: FunctionReport) -> str:
    """The error by which a function stops that Python 2 may have run, or ""."""
    stops = [one.evidence for one in report.faults if one.verdict in ("crashed", "cannot-import")]
    return next(filter(old_python.OF_PYTHON_2.search, stops), "")


def _run(
    source: Source, names: list[str], limits: Limits, old: bool = False
) -> tuple[dict[str, FunctionReport], Reading]:
    """Check some of what a file defines, as Python 2 if `old`."""
    file, reading = str(source.path), source.reading
    reports: dict[str, FunctionReport] = {}
    pending = names
    while pending:
        child = Child(source, pending, reading, limits, first=not reports, old=old)
        try:
            current, failure, reading = _follow(child, file, reports, reading, limits)
        finally:
            child.end()
        if failure is None:
            break
        # Without a current one it was the import itself.
        reports |= {name: FunctionReport(name, file, [failure]) for name in ([current] if current else pending)}
        pending = pending[pending.index(current) + 1 :] if current else []
        for name in [one for one in pending if _needs(one, current)]:
            why = finding("not-checked", f"it needs {current}, and {failure.evidence}")
            reports[name] = FunctionReport(name, file, [why])
            pending.remove(name)
    return reports, reading


def _needs(name: str, forward: str) -> bool:
    """Whether a function is the backward pass of another."""
    return forward.endswith("forward") and name.removesuffix("_alt") == forward.removesuffix("forward") + "backward"


def _follow(
    child: Child, file: str, reports: dict[str, FunctionReport], reading: Reading, limits: Limits
) -> tuple[str, Finding | None, Reading]:
    """Take down the child's events until it is done, ends or hangs: the function it was at, and why it stopped."""
    current = ""
    while True:
        seconds = limits.seconds if current else limits.seconds + START
        event = child.next(seconds)
        if event is None and child.late:
            told = f"{'it' if current else 'the import'} was stopped after {seconds:g} s"
            return current, finding("timed-out", told), reading
        if event is None:
            return current, finding("crashed" if current else "cannot-import", child.ending()), reading
        if event["event"] == "refused":
            return "", finding(event["verdict"], event["evidence"]), reading
        if event["event"] == "done":
            return "", None, reading
        if event["event"] == "begin":
            current = event["unit"]
        if event["event"] == "end":
            findings = [Finding(**one) for one in event["findings"]]
            reports[current] = FunctionReport(current, file, findings, event["printed"])
            reading, current = Reading(**event["reading"]), ""


def _environment() -> dict[str, str]:
    paths = [str(Path(thinnet.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    ours = {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PYTHONDONTWRITEBYTECODE": "1",  # nothing is written into the folder under check
        "PYTHONIOENCODING": "utf-8",
        "PYTHONHASHSEED": "0",
        "MPLBACKEND": "Agg",
        "OPENBLAS_NUM_THREADS": "1",  # each thread of it takes address space
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
    theirs = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    return {**theirs, **ours}
