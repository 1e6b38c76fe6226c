"""The child process: imports the code under check and runs the probes, one function after the other.

It reads one job as JSON from its standard input and writes one event a line to what was its standard output; what the
code under check prints goes to a file.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from thinnet.check import old_python
from thinnet.check.findings import Finding, Reading, finding
from thinnet.check.load import load
from thinnet.check.plan import check_unit
from thinnet.check.unit import place
from thinnet.errors import MissingExtraError

MOST_PRINTED = 2000  # characters of a function's prints that are kept
MOST_WRITTEN = 64 * 2**20  # bytes that the code may write to one file


@dataclass
class Prints:
    """What was printed since it was last asked for."""

    file: IO[bytes]
    seen: int = 0

    def take(self) -> str:
        """The last of the prints since then."""
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # the code may have closed or replaced it
                stream.flush()
        end = os.fstat(self.file.fileno()).st_size
        start = max(self.seen, end - MOST_PRINTED)
        cut = "... " if start > self.seen else ""
        self.seen = end
        with open(self.file.name, "rb") as reader:
            reader.seek(start)
            return cut + reader.read(end - start).decode("utf-8", "replace")


def main() -> None:
    """Do the job on standard input."""
    job = json.load(sys.stdin)
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    with tempfile.NamedTemporaryFile() as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
        limit_resources(job["memory"], job["cpu"])
        run(job, events, Prints(file))


def run(job: dict[str, Any], events: IO[str], prints: Prints) -> None:
    """Import, then check each function in turn."""

    def tell(event: str, **more: Any) -> None:
        events.write(json.dumps({"event": event, **more}) + "\n")
        events.flush()

    root = Path(job["root"])
    os.chdir(root)
    reading = Reading(**job["reading"])
    readings = {name: Reading(**one) for name, one in job["readings"].items()}
    try:
        namespace, absent = load(root, job["module"], reading, job["old"])
    except BaseException as error:
        what = f"{type(error).__name__}: {error}"[:300]
        old = "Python 2" if isinstance(error, MissingExtraError) else old_python.why_it_stops(what)
        why = f"it is written for {old}: " if old else ""
        if isinstance(error, FileNotFoundError):  # a script that begins with its data
            why = "it reads a file that is not there when it is imported: "
        tell("refused", verdict="not-checked" if why else "cannot-import", evidence=f"{why}{what}, {place(error)}")
        return
    prints.take()  # those of the import
    notes = _notes(absent) if job["first"] else []
    for name in job["units"]:
        tell("begin", unit=name)
        owner = name.partition(".")[0]
        if owner in namespace:
            unit = check_unit(name, namespace, readings.get(owner, reading))
            findings = unit.findings
            if name in ("dropout_forward", "dropout_backward"):
                reading = unit.reading  # by its behavior, where nothing says it
        else:
            findings = [finding("function-missing", f"{name} is not there after the import")]
        told, notes = [asdict(one) for one in (*findings, *notes)], []
        tell("end", unit=name, findings=told, reading=asdict(reading), printed=prints.take())
    tell("done")


def _notes(absent: list[str]) -> list[Finding]:
    """What is to be told of the file as a whole."""
    notes = []
    if absent:
        notes.append(finding("package-absent", f"not found: {', '.join(absent)}"))
    if old_python.OLD:
        notes.append(finding("old-python", f"in {', '.join(sorted(map(os.path.basename, old_python.OLD)))}"))
    if old_python.OLD_NUMPY:
        replaced = (f"{', '.join(names)} in {os.path.basename(file)}" for file, names in old_python.OLD_NUMPY.items())
        notes.append(finding("old-numpy", "; ".join(sorted(replaced))))
    return notes


def limit_resources(memory: int, cpu: int) -> None:
    """Limit memory, in bytes, time on the processor, in seconds, and the size of files, where the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    limits = {"RLIMIT_AS": memory, "RLIMIT_CPU": cpu, "RLIMIT_FSIZE": MOST_WRITTEN, "RLIMIT_CORE": 0}
    for name, most in limits.items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (most, most))


if __name__ == "__main__":
    main()
