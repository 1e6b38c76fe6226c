"""The report as Gradescope's results.json: points for each function that is right."""

from collections.abc import Mapping
from typing import Any

from thinnet.check.report import Report


def results(report: Report, points: Mapping[str, float]) -> dict[str, Any]:
    """The content of results.json; a function is worth one point, or as many as `points` says.

    One that could not be checked is worth none, unless `points` names it and no other of that name could be checked.

    Source: https://gradescope-autograders.readthedocs.io/en/latest/specs/ ("Output Format").
    """
    checked = {function.name for function in report.functions if function.state != "not checked"}
    tests: list[dict[str, Any]] = []
    for function in report.functions:
        right, usual = function.state == "right", float(function.state != "not checked")
        most = points.get(function.name, usual) if usual or function.name not in checked else 0.0
        test = {
            "name": function.name,
            "score": most if right else 0.0,
            "max_score": most,
            "output": "\n\n".join(filter(None, [function.place, *map(str, function.findings)])) or "right",
            "output_format": "text",
        }
        tests.append(test | ({"status": "passed" if right else "failed"} if usual or most else {}))
    score = sum(test["score"] for test in tests)
    return {"score": score, "output": report.summary, "output_format": "text", "tests": tests}
