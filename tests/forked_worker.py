"""A checker worker that starts once and forks for each job, for tests that are not about starting workers."""

from __future__ import annotations

import select
import subprocess
import sys
from typing import IO, Any

from thinnet.check import runner

PROGRAM = """
import os, sys, traceback
from pathlib import Path
from thinnet import python2
from thinnet.check import worker

for source in ("print 1", "from __future__ import print_function; 1L"):
    python2.is_old(source)  # which loads the translator, that each copy would have to load again
for line in sys.stdin:
    folder, output = line.rstrip("\\n").split("\\t")
    pid = os.fork()
    if not pid:
        os.setsid()
        for number, path, flags in ((0, os.devnull, os.O_RDONLY), (1, output, os.O_WRONLY), (2, output, os.O_WRONLY)):
            os.dup2(os.open(path, flags), number)
        try:
            worker.main(Path(folder))
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


def environment() -> dict[str, str]:
    """A worker's environment, without the variables that pytest changes from test to test."""
    return {name: value for name, value in runner._environment().items() if not name.startswith("PYTEST_")}


class ForkedWorkers:
    """Replaces `subprocess` in the runner; jobs with another environment get their own process."""

    DEVNULL, TimeoutExpired = subprocess.DEVNULL, subprocess.TimeoutExpired

    def __init__(self) -> None:
        self.environment = environment()
        command = [sys.executable, "-P", "-c", PROGRAM]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=self.environment, bufsize=0)

    def Popen(self, command: list[str], *, stdout: IO[bytes], **others: Any) -> Any:  # noqa: N802 -- as in subprocess
        """A forked copy that does the job in the folder that is the command's last word."""
        if environment() != self.environment:
            return subprocess.Popen(command, stdout=stdout, **others)
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command[-1]}\t{stdout.name}\n".encode())
        return _Forked(self._number(), self)

    def _number(self, timeout: float | None = None) -> int:
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("a job of the worker", timeout or 0)
        return int(self.process.stdout.readline())

    def close(self) -> None:
        """End the worker."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class _Forked:
    """One copy, with the parts of the process interface that the runner needs."""

    def __init__(self, pid: int, workers: ForkedWorkers) -> None:
        self.pid, self.workers = pid, workers
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> None:
        if self.returncode is None:
            self.returncode = self.workers._number(timeout)

    def poll(self) -> int | None:
        return self.returncode
