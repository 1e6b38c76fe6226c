"""Runs the checks of a file in a child process, and continues after a function that crashes or hangs it."""

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import thinnet
from thinnet import old_python
from thinnet.check.findings import Finding, FunctionReport, finding
from thinnet.check.p_convention import PConvention
from thinnet.check.scan import Source
from thinnet.checks import check_number

JOB, EVENTS, PRINTED, ERRORS = "job.pickle", "events.jsonl", "printed.txt", "errors.txt"  # in the worker's folder
TICK, RANG = 0.1, "the time is over"  # of the worker's clock: its tick in seconds, and its message when time is up
NOT_RUN = {"crashed", "cannot-import", "missing-package", "out-of-memory", "timed-out", "unimplemented", "wrong-return"}
PATIENCE = 3  # the wall-clock limit over the CPU limit: on a busy machine a process gets only part of the CPU
WORKED = "it worked for all of its time"
START = 20.0  # extra seconds for starting Python and for imports


@dataclass(frozen=True)
class Limits:
    """What the code under check may use.

    Attributes:
        seconds: CPU time for each function; it may take three times as long in wall-clock time.
        megabytes: of address space, for the whole process; at least 300.
    """

    seconds: float = 20.0
    megabytes: int = 2048

    def __post_init__(self) -> None:
        check_number("megabytes", self.megabytes)


@dataclass(frozen=True)
class Job:
    """What one worker has to check; `first` if it is the file's first worker, `old` to run the code as Python 2."""

    source: Source
    subjects: list[str]
    convention: PConvention
    limits: Limits
    first: bool
    old: bool
    import_seconds: float


def _events(job: Job) -> tuple[list[dict[str, Any]], str | None]:
    """Run the worker on a job; return its events and how it ended, None if it took too long.

    All processes that it started are killed with it.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / JOB).write_bytes(pickle.dumps(job))
        with open(folder / ERRORS, "wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "thinnet.check.worker", name],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                env=_environment(),
                start_new_session=True,
            )
        most = 2 * START + PATIENCE * job.limits.seconds * (1 + len(job.subjects))
        try:  # the worker keeps time itself; this is for code that interferes with it
            for _ in range(int(most)):  # in steps: a single wait would count time while this process is stopped
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(1)
                    break
        finally:
            late = process.poll() is None
            _end(process)
        events = []
        with contextlib.suppress(FileNotFoundError, ValueError):  # it did not get that far, or a line is cut off
            for line in (folder / EVENTS).read_bytes().splitlines():
                events.append(json.loads(line))
        said = (folder / ERRORS).read_text("utf-8", "replace").strip()
        late = late or RANG in said
        return events, None if late else _ending(process.returncode, said.rpartition("\n")[2])


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # it has already ended
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _ending(status: int, last: str) -> str:
    """How a process ended, and the last line of its output."""
    ending = f"the process ended with status {status}" if status else "the process ended before the function did"
    if status < 0:
        name = signal.Signals(-status).name
        if name == "SIGPROF":
            return WORKED
        ending = f"the process was ended by the signal {name}"
    return f"{ending}: {last}" if last else ending


def check_source(source: Source, limits: Limits) -> tuple[list[FunctionReport], PConvention]:
    """Check everything a file defines; return the reports in the order of its subjects, and what p means."""
    file = str(source.path)
    reports = {name: FunctionReport(name, file, [finding("not-checked", why)]) for name, why in source.excluded.items()}
    names = [name for name in source.subjects if name not in reports]
    if source.problem and names:
        problem = finding("cannot-import", source.problem)
        return [FunctionReport(name, file, [problem]) for name in source.subjects], source.convention
    found, convention = _run(source, names, limits)
    errors = {} if source.only_python_3 else {name: _old(report) for name, report in found.items()}
    if any(errors.values()):  # once more, as Python 2, with everything that may depend on them
        again, _ = _run(source, [name for name in names if found[name].state != "right"], limits, old=True)
        if all(_stops_in_both(again[name], error) for name, error in errors.items() if error):
            again = {}  # Python 2 does not explain it
        for name, report in again.items():
            found[name] = report
            if errors[name] and report.state == "right":
                message = f"it is right in Python 2, but stops in Python 3 with {errors[name]}"
                found[name] = FunctionReport(name, file, [finding("not-checked", message)])
    for name, why in source.doubtful.items():  # wrong results count; failing to run does not
        stops = [fault.evidence for fault in found[name].faults if fault.verdict in NOT_RUN]
        if stops:
            found[name] = FunctionReport(name, file, [finding("not-checked", f"{why}: {stops[0]}")])
    reports |= found
    for name, report in reports.items():
        report.line = source.lines.get(name, 0)
    return [reports[name] for name in source.subjects if name in reports], convention


def _old(report: FunctionReport) -> str:
    """The error that stops a function but may not occur in Python 2, or ""."""
    stops = [found.evidence for found in report.faults if found.verdict in ("crashed", "cannot-import")]
    return next(filter(old_python.PYTHON_2_ERRORS.search, stops), "")


def _stops_in_both(report: FunctionReport, error: str) -> bool:
    """Whether a function stops with the same error as Python 2."""
    return any(error in found.evidence for found in report.findings)


def _run(
    source: Source, pending: list[str], limits: Limits, old: bool = False
) -> tuple[dict[str, FunctionReport], PConvention]:
    """Check some of what a file defines, as Python 2 if `old`."""
    file, convention = str(source.path), source.convention
    reports: dict[str, FunctionReport] = {}
    while pending:
        job = Job(source, pending, convention, limits, not reports, old, START + limits.seconds)
        events, ending = _events(job)
        current = ""  # the function being checked
        for event in events:
            if event["event"] == "begin":
                current = event["subject"]
            if event["event"] == "end":
                findings = [Finding(**found) for found in event["findings"]]
                reports[current] = FunctionReport(current, file, findings, event["printed"])
                convention, current = PConvention(**event["convention"]), ""
        pending = [name for name in pending if name not in reports]
        if not pending:
            break
        failure = _failure(events[-1:], current, ending, limits)
        # Without a current function, the import itself failed.
        reports |= {name: FunctionReport(name, file, [failure]) for name in ([current] if current else pending)}
        needs_it = current.removesuffix("forward") + "backward" if current.endswith("forward") else ""
        for name in (name for name in pending if needs_it and name.removesuffix("_alt") == needs_it):
            why = finding("not-checked", f"it needs {current}, and {failure.evidence}")
            reports[name] = FunctionReport(name, file, [why])
        pending = [name for name in pending if name not in reports]
    return reports, convention


def _failure(last: list[dict[str, Any]], current: str, ending: str | None, limits: Limits) -> Finding:
    """Why the worker stopped at a function or, without one, at the import."""
    if last and last[0]["event"] == "refused":
        return finding(last[0]["verdict"], last[0]["evidence"])
    if ending == WORKED:
        return finding("timed-out", f"it was stopped after {limits.seconds:g} s of CPU time")
    if ending is None:
        what, seconds = ("it", PATIENCE * limits.seconds) if current else ("the import", START + limits.seconds)
        return finding("timed-out", f"{what} was stopped after {seconds:g} s")
    return finding("crashed" if current else "cannot-import", ending)


def _environment() -> dict[str, str]:
    paths = [str(Path(thinnet.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    ours = {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PYTHONDONTWRITEBYTECODE": "1",  # nothing is written into the folder under check
        "PYTHONIOENCODING": "utf-8",
        "PYTHONHASHSEED": "0",
        "MPLBACKEND": "Agg",
        "NUMBA_DISABLE_JIT": "1",  # each kind of array that a compiled function is tried with takes seconds
        "OPENBLAS_NUM_THREADS": "1",  # each of its threads takes address space
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
    theirs = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    return {**theirs, **ours}
