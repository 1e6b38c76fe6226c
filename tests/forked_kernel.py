"""A notebook kernel that starts once and forks for each notebook, for tests that are not about starting kernels."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from typing import Any

from thinnet.course.execution import LAUNCH

# It imports what each kernel would import again. A forked copy exits like any Python process, with all its cleanup.
PROGRAM = """
import gc, json, os, socket, sys
os.environ['JPY_PARENT_PID'] = str(os.getpid())  # whose end is theirs too
sys.modules['debugpy'] = None
import ipykernel.ipkernel, ipykernel.kernelapp, matplotlib_inline.backend_inline, thinnet.course.kernel, thinnet.python2

gc.freeze()  # or each copy would look through it again and again, and with that make it its own
channel = socket.socket(fileno=int(sys.argv[1]))
while True:
    message, streams, _, _ = socket.recv_fds(channel, 1 << 20, 3)
    if not message:
        sys.exit()
    pid = os.fork()
    if not pid:
        break
    for stream in streams:
        os.close(stream)
    channel.send(f'{pid} {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}'.encode())
os.setsid()  # before anybody knows its number, and can interrupt it with all of its group
channel.send(f'{os.getpid()} begins'.encode())
channel.close()
job = json.loads(message)
for number, stream in enumerate(streams):
    os.dup2(stream, number)
    os.close(stream)
os.chdir(job['folder'])
os.environ.clear()
os.environ.update(job['environment'])
sys.argv = ['-c', *job['arguments']]
exec(job['launch'], {'__name__': '__main__'})
"""


class ForkedKernels:
    """Replaces `Popen` for launching kernels; commands with other options get their own process."""

    def __init__(self) -> None:
        self.channel, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ended: dict[int, int] = {}  # process ids of copies, and their exit codes
        with there:
            command = [sys.executable, "-c", PROGRAM, str(there.fileno())]
            self.process = subprocess.Popen(command, pass_fds=[there.fileno()], stdin=subprocess.DEVNULL)

    def __call__(self, command: list[str], *, env: dict[str, str], cwd: str, **others: Any) -> Any:
        """A forked copy that runs the command."""
        python, option, launch, *arguments = command
        if (python, option, launch) != (sys.executable, "-c", LAUNCH):
            return subprocess.Popen(command, env=env, cwd=cwd, **others)
        job = {"folder": cwd, "environment": env, "launch": launch, "arguments": arguments}
        with open(os.devnull) as nothing:
            socket.send_fds(self.channel, [json.dumps(job).encode()], [nothing.fileno(), 1, 2])
        begun = None
        while begun is None:
            begun = self.hear()
        return _Copy(begun, self)

    def hear(self) -> int | None:
        """Read the next message: the process id of a copy that begins, or None if one ended."""
        pid, what = self.channel.recv(100).decode().split()
        if what == "begins":
            return int(pid)
        self.ended[int(pid)] = int(what)
        return None

    def close(self) -> None:
        """End the kernel."""
        self.channel.shutdown(socket.SHUT_RDWR)  # even if other processes hold it
        self.channel.close()
        self.process.wait()


class _Copy:
    """One copy, with the parts of the process interface that `jupyter_client` needs."""

    stdout = stderr = None

    def __init__(self, pid: int, kernels: ForkedKernels) -> None:
        self.pid, self.kernels = pid, kernels
        self.stdin = open(os.devnull)  # noqa: SIM115 -- the client closes it

    @property
    def returncode(self) -> int | None:
        return self.kernels.ended.get(self.pid)

    def poll(self) -> int | None:
        return self.wait(0)

    def wait(self, timeout: float | None = None) -> int | None:
        if self.returncode is None and select.select([self.kernels.channel], [], [], timeout)[0]:
            self.kernels.hear()
        return self.returncode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
