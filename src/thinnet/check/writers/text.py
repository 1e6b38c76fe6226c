"""The report as a table for the terminal."""

from __future__ import annotations

import os
import textwrap
from typing import TextIO

from thinnet.check.findings import Finding, FunctionReport, Reading, Report

WIDTH = 100
COLORS = {"right": "32", "wrong": "1;31", "not checked": "33", "note": "33", "fault": "31"}


def table(report: Report, *, color: bool = False, prints: bool = False) -> str:
    """All functions, and under each what was found; `prints` adds what the code printed."""
    lines: list[str] = []
    files = list(dict.fromkeys(one.file for one in report.functions))
    for file in files:
        name = file or report.subject
        lines += [_paint(name, "1", color), *_reading(report.readings.get(name)), ""]
        for function in (one for one in report.functions if one.file == file):
            lines += _function(function, color, prints)
        lines.append("")
    return "\n".join([*lines, summary(report)])


def summary(report: Report) -> str:
    """One line of counts."""
    counts = {state: sum(one.state == state for one in report.functions) for state in ("right", "wrong", "not checked")}
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count or state != "not checked")
    number = len(report.functions)
    return f"{number} function{'s' if number != 1 else ''} checked: {told}"


def wants_color(stream: TextIO) -> bool:
    """Whether a stream is a terminal that shows colors."""
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def meaning(reading: Reading) -> str:
    """What p means, in words."""
    if not reading.means:
        return ""
    verb = "dropping" if reading.means == "drop" else "keeping"
    return f"p is the probability of {verb} a unit, by {reading.source}"


def _reading(reading: Reading | None) -> list[str]:
    return [meaning(reading)] if reading and reading.means else []


def _function(function: FunctionReport, color: bool, prints: bool) -> list[str]:
    state = function.state
    lines = [f"  {function.name:<28} {_paint('WRONG' if state == 'wrong' else state, COLORS[state], color)}"]
    for one in function.findings:
        lines += _finding(one, color)
    if prints and function.printed.strip():
        lines += [f"      printed: {_printable(line)}" for line in function.printed.strip().splitlines()[-5:]]
    return lines


def _finding(one: Finding, color: bool) -> list[str]:
    name = one.verdict if one.severity == "fault" else f"{one.verdict} (a note)"
    lines = [f"      {_paint(name, COLORS[one.severity], color)}", *_wrapped(one.cause, " " * 8, " " * 8)]
    for word, text in one.told:
        label = f"{word}:"
        lines += _wrapped(_printable(text), f"        {label:<10}", " " * 18)
    return lines


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def _printable(text: str) -> str:
    """Without the control characters that could steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def _paint(text: str, code: str, color: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if color else text
