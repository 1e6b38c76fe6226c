"""The functions of one file as a table for the terminal."""

import os
import textwrap
from collections.abc import Iterable
from typing import TextIO

from thinnet.check.findings import Finding, FunctionReport
from thinnet.check.p_convention import PConvention

WIDTH = 100
COLORS = {"right": "32", "wrong": "1;31", "not checked": "33", "note": "33", "fault": "31"}


def file_table(
    name: str, convention: PConvention, functions: Iterable[FunctionReport], color: bool = False, prints: bool = False
) -> str:
    """All functions of a file, each with its findings; `prints` adds what the code printed."""
    lines = [_paint(name, "1", color)]
    if convention.means:
        lines.append(str(convention))
    lines.append("")
    for function in functions:
        lines += _function(function, color, prints)
    return "\n".join(lines)


def wants_color(stream: TextIO) -> bool:
    """Whether a stream is a terminal that shows colors."""
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def _function(function: FunctionReport, color: bool, prints: bool) -> list[str]:
    state = function.state
    told = _paint("WRONG" if state == "wrong" else state, COLORS[state], color)
    lines = [f"  {function.name:<28} {told}  {function.place}".rstrip()]
    for finding in function.findings:
        lines += _finding(finding, color)
    if prints and function.printed.strip():
        lines += [f"      printed: {_printable(line)}" for line in function.printed.strip().splitlines()[-5:]]
    return lines


def _finding(finding: Finding, color: bool) -> list[str]:
    name = finding.verdict if finding.severity == "fault" else f"{finding.verdict} (a note)"
    lines = [f"      {_paint(name, COLORS[finding.severity], color)}", *_wrapped(finding.cause, " " * 8, " " * 8)]
    for word, text in finding.details:
        lines += _wrapped(_printable(text), f"        {word + ':':<10}", " " * 18)
    return lines


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def _printable(text: str) -> str:
    """The text without control characters, which could manipulate a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def _paint(text: str, code: str, color: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if color else text
