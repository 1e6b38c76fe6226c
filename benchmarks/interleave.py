"""Contenders take turns, so that other load on the machine affects them all alike."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from job import Job

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Times:
    """The seconds of each step of one contender, round by round, or why it is missing."""

    rounds: tuple[tuple[float, ...], ...] = ()
    missing: str = ""

    @property
    def median(self) -> float:
        """The median of all steps, in milliseconds."""
        return 1e3 * statistics.median(second for seconds in self.rounds for second in seconds)


def take_turns(
    job: Job, contenders: Sequence[str], rounds: int = 9, steps: int = 40, extra: Mapping[str, str] | None = None
) -> dict[str, Times]:
    """Time whole steps: in each round, every contender in turn takes `steps` steps.

    `extra` is added to the environment of the contenders' processes.
    """
    workers = {name: _start(name, job, extra or {}) for name in contenders}
    missing = {}
    for name, worker in workers.items():
        answer = _read(worker)
        if "ready" not in answer:
            missing[name] = answer.get("missing", "it failed")
    times: dict[str, list[tuple[float, ...]]] = {name: [] for name in contenders if name not in missing}
    for _ in range(rounds):
        for name in times:
            worker = workers[name]
            assert worker.stdin is not None
            worker.stdin.write(f"{steps}\n")
            worker.stdin.flush()
            # The first steps of a turn wake up threads and refill caches.
            times[name].append(tuple(_read(worker)[steps // 8 :]))
    for worker in workers.values():
        assert worker.stdin is not None
        worker.stdin.close()
        worker.wait()
    return {name: Times(tuple(times[name])) if name in times else Times(missing=missing[name]) for name in contenders}


def ratio(one: Times, other: Times) -> float:
    """The median over rounds of the ratio of the rounds' medians: drift of the machine's speed cancels out."""
    pairs = zip(one.rounds, other.rounds, strict=True)
    return statistics.median(statistics.median(a) / statistics.median(b) for a, b in pairs)


def _start(name: str, job: Job, extra: Mapping[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, str(HERE / "worker.py"), name, json.dumps(asdict(job))]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | extra)


def _read(worker: subprocess.Popen[str]):  # type: ignore[no-untyped-def]
    assert worker.stdout is not None
    line = worker.stdout.readline()
    return json.loads(line) if line else {"missing": f"its process ended with status {worker.wait()}"}
