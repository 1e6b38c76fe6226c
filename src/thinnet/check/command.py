"""The command ``thinnet check``; its arguments are in `thinnet.cli`."""

import argparse
import json
import sys
from dataclasses import replace

from thinnet.check import Limits, check_path
from thinnet.check.findings import FunctionReport, finding
from thinnet.check.plan import check_names
from thinnet.check.report import Report
from thinnet.check.writers import gradescope, html, junit, text
from thinnet.checks import check_number
from thinnet.errors import ArgumentError
from thinnet.storage.files import check_page, write_atomically


def run(options: argparse.Namespace) -> int:
    """Check, write what was asked for, and return the exit status.

    That is 0 if nothing is wrong, 1 if something is, and 2 if nothing could be checked. Before an error is raised, the
    files are written too, if possible: an autograder without results would tell a student nothing.
    """
    paths = [path for path in (options.html, options.junit, options.gradescope) if path is not None]
    for path in paths:
        if not path.absolute().parent.is_dir():
            raise ArgumentError(f"the folder for {str(path)!r} must exist. Create it first.")
    if options.html is not None:
        check_page("--html", options.html, "thinnet check")
    points = dict(options.points)
    try:
        check_names("--points", points)
        limits = Limits(options.timeout, check_number("--memory", int(options.memory), "megabytes"))
        report = check_path(options.path, options.dialect, limits=limits, expected=options.expect)
    except Exception as error:
        _write(_nothing_checked(options, error), options, points)
        raise
    _write(report, options, points)
    if not options.json:
        print(report.table(color=text.wants_color(sys.stdout), prints=options.prints))
        if paths:  # apart from the answer, which may be a file for a student
            print(f"wrote {', '.join(map(str, paths))}", file=sys.stderr)
    return 0 if report.ok else 1 if report.count("wrong") else 2


def _write(report: Report, options: argparse.Namespace, points: dict[str, float]) -> None:
    forms = [
        (options.gradescope, json.dumps(gradescope.results(report, points), indent=2)),
        (options.junit, junit.xml(report)),
        (options.html, html.page(report)),
    ]
    for path, form in forms:
        if path is not None:
            write_atomically(path, form.encode("utf-8", "replace"))
    if options.json:
        print(json.dumps(report.as_dict(), indent=2))


def _nothing_checked(options: argparse.Namespace, error: Exception) -> Report:
    """A report with no points: everything expected, or else the submission as a whole, was not checked."""
    message = str(error) if isinstance(error, (ArgumentError, OSError)) else f"{type(error).__name__}: {error}"
    why = replace(finding("not-checked", message, severity="fault"), mend="")
    names = options.expect or ["submission"]
    return Report(str(options.path), [FunctionReport(name, "", [why]) for name in names], problem=message)
