"""One contender in its own process: builds its step, then takes as many as requested, and prints the times.

Separate processes keep the contenders' threads apart: while one has its turn, the others sleep.
"""

from __future__ import annotations

import importlib
import json
import sys
import time

from job import Job


def main(contender: str, job: str) -> None:
    """For each number n on standard input, print the seconds of n steps as a line of JSON."""
    try:
        step = importlib.import_module(f"contenders.{contender}").build(Job(**json.loads(job)))
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), flush=True)
        return
    for _ in range(5):
        step()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line)):
            started = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - started)
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
