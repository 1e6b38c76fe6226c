"""What the command ``thinnet check`` does; its arguments are in `thinnet.cli`."""

from __future__ import annotations

import argparse
import json
import sys

from thinnet.check import Limits, check_path
from thinnet.check.plan import check_names
from thinnet.check.writers import gradescope, html, junit, text
from thinnet.errors import ArgumentError
from thinnet.storage.files import write_atomically


def run(options: argparse.Namespace) -> int:
    """Check, write what was asked for, and return the exit status.

    That is 0 if nothing is wrong, 1 if something is, and 2 if nothing could be checked.
    """
    for path in (options.html, options.junit, options.gradescope):
        if path is not None and not path.absolute().parent.is_dir():
            raise ArgumentError(f"the folder for {str(path)!r} must exist. Create it first.")
    points = dict(options.points)
    check_names("--points", points)
    limits = Limits(options.timeout, int(options.memory))
    report = check_path(options.path, options.dialect, limits=limits, expected=options.expect)
    if options.html:
        write_atomically(options.html, html.page(report).encode("utf-8", "replace"))
    if options.junit:
        write_atomically(options.junit, junit.xml(report).encode("utf-8", "replace"))
    if options.gradescope:
        results = gradescope.results(report, points)
        write_atomically(options.gradescope, json.dumps(results, indent=2).encode())
    if options.json:
        print(json.dumps(report.as_dict(), indent=2))
    else:
        print(report.table(color=text.wants_color(sys.stdout), prints=options.prints))
    return 0 if report.ok else 1 if report.count("wrong") else 2
