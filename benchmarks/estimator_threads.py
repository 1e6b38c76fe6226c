"""Whether a search in two processes uses more threads than there are cores.

``python estimator_threads.py`` runs a GridSearchCV with n_jobs=1 and 2, and again with n_jobs=2 and each process told
to use as many threads as there are cores (the mistake to avoid). It prints seconds, CPU seconds, and the number of
threads running or ready to run at once, sampled every 10 ms from /proc (Linux only).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

CORES = len(os.sched_getaffinity(0))
CASES = {"n_jobs=1": (1, False), "n_jobs=2": (2, False), "n_jobs=2, all threads in each": (2, True)}


class Sampler(threading.Thread):
    """Counts the threads of this process and its descendants that are running or ready to run, except itself."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.counts: list[int] = []
        self.going = True

    def run(self) -> None:
        me = threading.get_native_id()
        while self.going:
            self.counts.append(sum(_is_ready(path) for path in _threads() if int(path.name) != me))
            time.sleep(0.01)


def _threads() -> list[Path]:
    """The folders in /proc of all threads of this process and its descendants."""
    parents = {}
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            fields = _stat(path)
            if fields:
                parents[int(path.name)] = int(fields[1])
    family = {os.getpid()}
    for _ in range(4):  # a worker is at most a grandchild
        family |= {child for child, parent in parents.items() if parent in family}
    found = []
    for pid in family:
        try:
            found += list(Path(f"/proc/{pid}/task").iterdir())
        except OSError:
            continue  # it has ended in the meantime
    return found


def _stat(path: Path) -> list[str]:
    """State, parent and all later fields of a ``stat`` file."""
    try:
        return (path / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _is_ready(path: Path) -> bool:
    return _stat(path)[:1] == ["R"]


def run(case: str) -> dict[str, float]:
    """One search, timed and monitored."""
    from joblib import parallel_config
    from sklearn.datasets import make_classification
    from sklearn.model_selection import GridSearchCV

    from thinnet.sklearn import ThinNetClassifier

    jobs, crowded = CASES[case]
    X, y = make_classification(2000, 500, n_informative=50, n_classes=5, random_state=0)
    grid = {"dropout": [0.0, 0.1, 0.25, 0.5]}
    net = ThinNetClassifier((500, 500), batch_size=500, max_iter=6, random_state=0)
    options: dict[str, Any] = {"inner_max_num_threads": CORES} if crowded else {}
    sampler = Sampler()
    with parallel_config("loky", n_jobs=jobs, **options):
        GridSearchCV(net, {"dropout": [0.0, 0.1]}, cv=2).fit(X[:1000], y[:1000])  # starts the workers
        before, started = os.times(), time.perf_counter()
        sampler.start()
        search = GridSearchCV(net, grid, cv=2, refit=False).fit(X, y)
    seconds, after = time.perf_counter() - started, os.times()
    sampler.going = False
    sampler.join()
    return {
        "seconds": seconds,
        "own CPU seconds": after.user + after.system - before.user - before.system,
        "mean ready": statistics.mean(sampler.counts),
        "95% ready": float(np.percentile(sampler.counts, 95)),
        "most ready": max(sampler.counts),
        "score": float(search.best_score_),
    }


def section() -> str:
    """The table for BENCHMARKS.md."""
    text = f"## A search in two processes\n\nGridSearchCV over 4 rates, {CORES} cores; threads that run or could run, "
    text += "sampled every 10 ms.\n\n| | seconds | threads, mean | threads, 95% | threads, most |\n"
    text += "| --- | ---: | ---: | ---: | ---: |\n"
    for case in CASES:
        command = [sys.executable, str(Path(__file__)), case]
        answer = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
        text += f"| {case} | {answer['seconds']:.1f} | {answer['mean ready']:.1f} | {answer['95% ready']:.0f} | "
        text += f"{answer['most ready']:.0f} |\n"
    return text


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1])) if sys.argv[1:] else section())
