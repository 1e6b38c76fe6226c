"""Try on Thinnet what goes wrong in practice, and write the results to RELIABILITY.md: `make faults`.

It stops at the first broken promise, and then writes nothing.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "tests")]

import numpy as np  # noqa: E402

import damage  # noqa: E402
import disk  # noqa: E402
import downloads  # noqa: E402
import fuzzed  # noqa: E402
import killed  # noqa: E402
import rivals  # noqa: E402
from figures import Figure  # noqa: E402
from thinnet import kernels  # noqa: E402

FAULTS = [killed, disk, damage, rivals, downloads, fuzzed]
PROMISES = Path(__file__).parent / "promises.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the tries, for a short run")
    parser.add_argument("--output", type=Path, default=ROOT / "RELIABILITY.md")
    options = parser.parse_args()
    started = time.perf_counter()
    figures = [figure for fault in FAULTS for figure in _timed(fault.run(options.share))]
    options.output.write_text(_report(figures, time.perf_counter() - started), encoding="utf-8")
    print(f"wrote {options.output.name}")


def _timed(figures: Iterator[Figure]) -> Iterator[Figure]:
    """The figures, each with the seconds it took, printed as they come in."""
    started = time.perf_counter()
    for figure in figures:
        now = time.perf_counter()
        timed = Figure(figure.fault, figure.times, figure.result, now - started)
        print(timed, flush=True)
        yield timed
        started = time.perf_counter()


def _report(figures: list[Figure], seconds: float) -> str:
    table = "\n".join(map(str, figures))
    with_kernels = "with kernels" if kernels.available() else "without kernels"
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, {with_kernels}, {platform.system()}"
    return (
        f"{PROMISES.read_text(encoding='utf-8')}\n## The figures\n\n"
        f"Written by `make faults` in {seconds / 60:.1f} minutes on {versions}.\n\n"
        f"| what was done | how often | what came of it | seconds |\n| --- | --- | --- | --- |\n{table}\n"
    )


if __name__ == "__main__":
    main()
