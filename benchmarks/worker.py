"""One contender in a process of its own: builds its step, then takes as many as it is told to, and prints the times.

Processes of their own keep the contenders' threads apart: whoever is not on turn sleeps.
"""

from __future__ import annotations

import importlib
import json
import sys
import time

from job import Job


def main(contender: str, job: str) -> None:
    """Answer each number n on standard input with the seconds of n steps, as a line of JSON."""
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
