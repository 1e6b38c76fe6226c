"""The report as Gradescope's results.json: points for each function that is right."""

from collections.abc import Mapping
from typing import Any

from thinnet.check.findings import FunctionReport
from thinnet.check.report import Report


def results(report: Report, points: Mapping[str, float]) -> dict[str, Any]:
    """What Gradescope reads; a function has one point, or as many as `points` says.

    One that could not be checked has none, unless `points` names it and no other of its name could be.

    Source: https://gradescope-autograders.readthedocs.io/en/latest/specs/ ("Output Format").
    """
    checked = {function.name for function in report.functions if function.state != "not checked"}
    tests = []
    for function in report.functions:
        alone, usual = function.name not in checked, float(function.state != "not checked")
        tests.append(_test(function, points.get(function.name, usual) if usual or alone else 0.0))
    return {
        "score": sum(test["score"] for test in tests),
        "output": report.summary,
        "output_format": "text",
        "tests": tests,
    }


def _test(function: FunctionReport, most: float) -> dict[str, Any]:
    right = function.state == "right"
    status = {} if function.state == "not checked" and not most else {"status": "passed" if right else "failed"}
    return {
        "name": function.name,
        "score": most if right else 0.0,
        "max_score": most,
        **status,
        "output": "\n\n".join(filter(None, [function.place, *map(str, function.findings)])) or "right",
        "output_format": "text",
    }
