"""The report as Gradescope's results.json: points for each function that is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thinnet.check.findings import FunctionReport
from thinnet.check.report import Report


def results(report: Report, points: Mapping[str, float]) -> dict[str, Any]:
    """What Gradescope reads; a function has one point, or as many as `points` says.

    Source: https://gradescope-autograders.readthedocs.io/en/latest/specs/ ("Output Format").
    """
    tests = [_test(one, points.get(one.name, 1.0)) for one in report.functions]
    return {
        "score": sum(test["score"] for test in tests),
        "output": report.summary,
        "output_format": "text",
        "tests": tests,
    }


def _test(one: FunctionReport, most: float) -> dict[str, Any]:
    right = one.state == "right"
    return {
        "name": one.name,
        "score": most if right else 0.0,
        "max_score": most,
        "status": "passed" if right else "failed",
        "output": "\n\n".join(map(str, one.findings)) or "right",
        "output_format": "text",
    }
