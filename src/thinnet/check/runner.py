"""Running the checks of a file in a child process, and going on after a function that ends or hangs it."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import thinnet
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

    def __init__(self, source: Source, units: list[str], limits: Limits) -> None:
        job = {
            "root": str(source.root),
            "module": source.module,
            "units": units,
            "reading": asdict(source.reading),
            "readings": {name: asdict(one) for name, one in source.readings.items()},
            "memory": limits.megabytes * 2**20,
            "cpu": int(START + limits.seconds * len(units)) + 1,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "thinnet.check.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
            start_new_session=True,
        )
        self.events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.complaints: list[str] = []
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._listen, self._complain)]
        for thread in self._threads:
            thread.start()
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(job).encode())
            self.process.stdin.close()
        except BrokenPipeError:  # it ended at once; its complaints tell why
            pass

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                continue  # not ours
            if isinstance(event, dict) and "event" in event:
                self.events.put(event)
        self.events.put(None)

    def _complain(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.complaints = [*self.complaints[-5:], line.decode("utf-8", "replace").strip()]

    def next(self, seconds: float) -> dict[str, Any] | None:
        """The next event, or None where the process has ended.

        Raises:
            queue.Empty: if there is none in time.
        """
        return self.events.get(timeout=seconds)

    def ending(self) -> str:
        """How it ended by itself, in words; for a process whose events have ended."""
        try:
            status = self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            status = 0
        said = f": {self.complaints[-1]}" if self.complaints else ""
        return _ending(status) + said

    def end(self) -> None:
        """End it, and all that it started."""
        try:
            if hasattr(os, "killpg"):
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()
        except (ProcessLookupError, PermissionError):
            pass  # it has ended by itself
        self.process.wait()
        for thread in self._threads:
            thread.join(timeout=5)
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()


def check_source(source: Source, limits: Limits) -> tuple[list[FunctionReport], Reading]:
    """Check all that a file defines; return the reports in the order of its units, and what p means."""
    if source.problem:
        return _all(source, finding("cannot-import", source.problem)), source.reading
    reports: dict[str, FunctionReport] = {}
    reading, pending = source.reading, list(source.units)
    while pending:
        child = Child(source, pending, limits)
        try:
            current, failure, reading = _follow(child, source, reports, reading, limits)
        finally:
            child.end()
        if failure is None:
            break
        if not current:  # before the first function: the import itself
            for name in pending:
                reports[name] = FunctionReport(name, str(source.path), [failure])
            break
        reports[current] = FunctionReport(current, str(source.path), [failure])
        pending = pending[pending.index(current) + 1 :]
        for name in [one for one in pending if _needs(one, current)]:
            why = finding("not-checked", f"it needs {current}, and {failure.evidence}")
            reports[name] = FunctionReport(name, str(source.path), [why])
            pending.remove(name)
    return [reports[name] for name in source.units if name in reports], reading


def _needs(name: str, forward: str) -> bool:
    """Whether a function is the backward pass of another."""
    return forward.endswith("forward") and name.removesuffix("_alt") == forward.removesuffix("forward") + "backward"


def _follow(
    child: Child, source: Source, reports: dict[str, FunctionReport], reading: Reading, limits: Limits
) -> tuple[str, Finding | None, Reading]:
    """Take down the child's events until it is done, ends or hangs: the function it was at, and why it stopped."""
    current = ""
    absent: list[str] = []
    old: list[str] = []
    while True:
        try:
            event = child.next(limits.seconds if current else limits.seconds + START)
        except queue.Empty:
            told = f"it was stopped after {limits.seconds:g} seconds"
            return current, finding("timed-out", told if current else f"the import {told}"), reading
        if event is None:
            return current, finding("crashed" if current else "cannot-import", child.ending()), reading
        if event["event"] == "refused":
            return "", finding("cannot-import", event["evidence"]), reading
        if event["event"] == "loaded":
            absent, old = event["absent"], event["old"]
        elif event["event"] == "begin":
            current = event["unit"]
        elif event["event"] == "end":
            findings = [Finding(**one) for one in event["findings"]]
            if absent and not reports:
                findings.append(finding("package-absent", f"not found: {', '.join(absent)}"))
            if old and not reports:
                findings.append(finding("old-python", f"in {', '.join(old)}"))
            reports[current] = FunctionReport(current, str(source.path), findings, event["printed"])
            if not reading.means and current.startswith("dropout_"):
                reading = Reading(**event["reading"])
            current = ""
        elif event["event"] == "done":
            return "", None, reading


def _all(source: Source, one: Finding) -> list[FunctionReport]:
    return [FunctionReport(name, str(source.path), [one]) for name in source.units]


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


def _ending(status: int) -> str:
    if status == 0:
        return "the process ended before the function did"
    if status < 0:
        return f"the process was ended by the signal {signal.Signals(-status).name}"
    return f"the process ended with status {status}"
