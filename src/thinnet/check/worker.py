"""The child process: imports the code under check and runs the probes, one function after another.

In the folder that it is given, it reads one job and writes one event per line; what the code under check prints goes
to another file there.
"""

import contextlib
import json
import os
import pickle
import signal
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from thinnet import old_python
from thinnet.check.findings import Finding, finding
from thinnet.check.load import load
from thinnet.check.location import location, said
from thinnet.check.plan import check_subject
from thinnet.check.runner import EVENTS, JOB, PATIENCE, PRINTED, RANG, TICK, Job
from thinnet.errors import MissingExtraError

MOST_PRINTED = 2000  # characters of a function's output to keep
MOST_WRITTEN = 64 * 2**20  # bytes that the code may write to one file


def take_prints(file: IO[bytes]) -> str:
    """Empty a file opened for appending; return its contents, or the end of them if they are long."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # the code may have closed or replaced it
            stream.flush()
    with open(file.name, "rb") as reader:
        left_out = max(0, reader.seek(0, os.SEEK_END) - MOST_PRINTED)
        reader.seek(left_out)
        text = reader.read().decode("utf-8", "replace")
    file.truncate(0)
    return f"... {text}" if left_out else text


class Clock(threading.Thread):
    """Ends the process after `seconds`, counted in ticks, so that no time passes while the process is stopped."""

    def __init__(self, seconds: float, errors: int) -> None:
        super().__init__(daemon=True)
        self.seconds, self._errors, self._sleep = seconds, errors, time.sleep  # the code may replace time.sleep
        self.start()

    def run(self) -> None:
        """Count down."""
        while self.seconds > 0:
            self._sleep(TICK)
            self.seconds -= TICK
        os.write(self._errors, RANG.encode())
        os._exit(1)


def main(folder: Path) -> None:
    """Do the job in the folder; exceeding a time limit ends the process."""
    job: Job = pickle.loads((folder / JOB).read_bytes())
    errors = os.dup(2)
    with open(folder / EVENTS, "w", encoding="utf-8") as events, open(folder / PRINTED, "ab") as printed:
        for number in (1, 2):
            os.dup2(printed.fileno(), number)
        seconds = job.import_seconds + job.limits.seconds * (len(job.subjects) - 1)
        limit_resources(job.limits.megabytes * 2**20, int(time.process_time() + seconds) + 2)
        run(job, events, printed, errors)
    os._exit(0)  # without anything that the code registered to run at exit


def run(job: Job, events: IO[str], printed: IO[bytes], errors: int) -> None:
    """Import, then check each function in turn; `errors` is the file descriptor to write to when time is up."""

    def send(event: str, **more: Any) -> None:
        events.write(json.dumps({"event": event, **more}) + "\n")
        events.flush()

    source, convention = job.source, job.convention
    clock = Clock(job.import_seconds, errors)
    os.chdir(source.root)
    try:
        namespace, absent = load(source.root, source.module, convention, job.old)
    except BaseException as error:
        what = said(error)
        old = "Python 2" if isinstance(error, MissingExtraError) else old_python.why_it_stops(what)
        why = f"it is written for {old}: " if old else ""
        if isinstance(error, FileNotFoundError):  # a script that starts by reading its data
            why = "when imported, it reads a file that is not there: "
        if "FromMissingPackage" in what:
            why = "when imported, it uses a package that is not there: "
        if "failed to map segment" in what:
            why = "an import needs more memory than is allowed; --memory allows more megabytes: "
        send("refused", verdict="not-checked" if why else "cannot-import", evidence=f"{why}{what}, {location(error)}")
        return
    take_prints(printed)  # discard what the import printed
    notes = _notes(absent) if job.first else []
    for name in job.subjects:
        send("begin", subject=name)
        clock.seconds = PATIENCE * job.limits.seconds
        if hasattr(signal, "setitimer"):  # its signal ends the process
            signal.setitimer(signal.ITIMER_PROF, job.limits.seconds)
        owner = name.partition(".")[0]
        if owner in namespace:
            subject = check_subject(name, namespace, source.conventions.get(owner, convention))
            findings = subject.findings
            if name in ("dropout_forward", "dropout_backward"):
                convention = subject.convention  # from its behavior, if nothing in the code says it
        else:
            findings = [finding("function-missing", f"{name} is not there after the import")]
        message, notes = [asdict(found) for found in (*findings, *notes)], []
        send("end", findings=message, convention=asdict(convention), printed=take_prints(printed))


def _notes(absent: list[str]) -> list[Finding]:
    """Findings on the file as a whole."""
    told = {"package-absent": f"not found: {', '.join(absent)}" if absent else ""}
    for verdict, files in old_python.NOTED.items():
        told[verdict] = "; ".join(sorted(f"in {os.path.basename(file)}{why}" for file, why in files.items()))
    return [finding(verdict, evidence) for verdict, evidence in told.items() if evidence]


def limit_resources(memory: int, cpu: int) -> None:
    """Limit memory (in bytes), CPU time (in seconds) and file sizes, if the system supports it."""
    try:
        import resource
    except ImportError:  # Windows
        return
    limits = {"RLIMIT_AS": memory, "RLIMIT_CPU": cpu, "RLIMIT_FSIZE": MOST_WRITTEN, "RLIMIT_CORE": 0}
    for name, most in limits.items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (most, most))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
