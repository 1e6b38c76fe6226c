"""The command ``thinnet check``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from thinnet.errors import ArgumentError
from thinnet.files import write_atomically

DESCRIPTION = """\
Run somebody's layer functions (dropout_forward, batchnorm_backward, FullyConnectedNet, ...) and name what is wrong with
them: the verdict, what was measured, and the mend. The code runs in a process of its own, with limits on time and
memory. Exit status: 0 if all is right, 1 if something is wrong, 2 if there is nothing to check.
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of ``thinnet check``."""
    from thinnet.course.dialects import DIALECTS

    command.description = DESCRIPTION
    command.epilog = "example: thinnet check cs231n/layers.py --dialect cs231n-2021"
    command.add_argument("path", metavar="FILE_OR_FOLDER", type=Path, help="a Python file, or a folder of them")
    command.add_argument(
        "--dialect",
        choices=(*DIALECTS, "drop", "keep"),
        help="what p means (default: by docstrings, arguments and behavior)",
    )
    command.add_argument("--json", action="store_true", help="print the report as JSON instead of a table")
    command.add_argument("--html", type=Path, metavar="FILE", help="write the report as one HTML page")
    command.add_argument("--junit", type=Path, metavar="FILE", help="write the report as JUnit XML")
    command.add_argument("--gradescope", type=Path, metavar="FILE", help="write Gradescope's results.json")
    command.add_argument(
        "--expect", nargs="+", default=[], metavar="NAME", help="functions that must be there; a missing one is a fault"
    )
    command.add_argument(
        "--points", nargs="+", type=_points, default=[], metavar="NAME=NUMBER", help="points in Gradescope (default: 1)"
    )
    command.add_argument(
        "--timeout", type=_positive, default=20.0, metavar="SECONDS", help="for each function (default: 20)"
    )
    command.add_argument("--memory", type=_positive, default=2048, metavar="MB", help="for the process (default: 2048)")
    command.add_argument("--prints", action="store_true", help="show what the code printed")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check, write what was asked for, and return the exit status."""
    from thinnet.check import Limits, check_path
    from thinnet.check.writers import gradescope, html, junit, text

    for path in (options.html, options.junit, options.gradescope):
        if path is not None and not path.absolute().parent.is_dir():
            raise ArgumentError(f"the folder for {str(path)!r} must exist. Create it first.")
    limits = Limits(options.timeout, int(options.memory))
    report = check_path(options.path, options.dialect, limits=limits, expected=options.expect)
    if options.html:
        write_atomically(options.html, html.page(report).encode("utf-8", "replace"))
    if options.junit:
        write_atomically(options.junit, junit.xml(report).encode("utf-8", "replace"))
    if options.gradescope:
        results = gradescope.results(report, dict(options.points))
        write_atomically(options.gradescope, json.dumps(results, indent=2).encode())
    if options.json:
        print(json.dumps(report.as_dict(), indent=2))
    else:
        print(text.table(report, color=text.wants_color(sys.stdout), prints=options.prints))
    return 0 if report.ok else 1


def _positive(word: str) -> float:
    try:
        number = float(word)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {word!r}")
    return number


def _points(word: str) -> tuple[str, float]:
    name, _, number = word.partition("=")
    try:
        points = float(number)
    except ValueError:
        points = -1.0
    if not name or not 0 <= points < float("inf"):
        raise argparse.ArgumentTypeError(f"must be NAME=NUMBER with a number of at least 0, got {word!r}")
    return name, points
