"""The report as JUnit XML, which most test runners can show: one test case per function."""

import re
from xml.etree import ElementTree

from thinnet.check.findings import FunctionReport
from thinnet.check.report import Report

FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # not allowed in XML 1.0


def xml(report: Report) -> str:
    """The whole document."""
    failures, skipped = str(report.count("wrong")), str(report.count("not checked"))
    counts = {"tests": str(len(report.functions)), "failures": failures, "errors": "0", "skipped": skipped}
    suites = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(suites, "testsuite", {"name": _clean(report.subject), **counts})
    for function in report.functions:
        _case(suite, function, report.subject)
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


def _case(suite: ElementTree.Element, function: FunctionReport, subject: str) -> None:
    case = ElementTree.SubElement(
        suite, "testcase", {"name": function.name, "classname": _clean(function.file or subject)}
    )
    text = _clean("\n\n".join(filter(None, [function.place, *map(str, function.findings)])))
    if function.state == "wrong":
        names = ", ".join(fault.verdict for fault in function.faults)
        ElementTree.SubElement(case, "failure", {"message": names, "type": function.faults[0].verdict}).text = text
    elif function.state == "not checked":
        ElementTree.SubElement(case, "skipped", {"message": _clean(function.findings[0].evidence)})
    elif text:
        ElementTree.SubElement(case, "system-out").text = text


def _clean(text: str) -> str:
    return FORBIDDEN.sub("?", text)
