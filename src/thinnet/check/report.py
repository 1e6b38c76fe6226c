"""The report of a whole check: of a file, a folder or a namespace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from thinnet.check.findings import Finding, FunctionReport, Reading
from thinnet.check.writers import text


@dataclass
class Report:
    """The whole check; printing it gives a table.

    Attributes:
        subject: what was checked.
        functions: one report for each function found.
        readings: what p means, for each file.
    """

    subject: str
    functions: list[FunctionReport] = field(default_factory=list)
    readings: dict[str, Reading] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether something was checked and nothing is wrong; what could not be checked does not count."""
        return self.count("right") > 0 and not self.count("wrong")

    @property
    def verdicts(self) -> set[str]:
        """The names of all verdicts, notes included."""
        return {one.verdict for _, one in self}

    @property
    def faults(self) -> set[str]:
        """The names of all faults."""
        return {one.verdict for _, one in self if one.severity == "fault"}

    @property
    def summary(self) -> str:
        """One line of counts."""
        counts = {state: self.count(state) for state in ("right", "wrong", "not checked")}
        told = ", ".join(f"{count} {state}" for state, count in counts.items() if count or state != "not checked")
        number = len(self.functions)
        return f"{number} function{'s' if number != 1 else ''} checked: {told}"

    def count(self, state: str) -> int:
        """How many functions are ``"right"``, ``"wrong"`` or ``"not checked"``."""
        return sum(one.state == state for one in self.functions)

    def files(self) -> Iterator[tuple[str, Reading, list[FunctionReport]]]:
        """Each file's name, what p means in it, and its functions."""
        for file in dict.fromkeys(one.file for one in self.functions):
            name = file or self.subject
            yield name, self.readings.get(name, Reading()), [one for one in self.functions if one.file == file]

    def __iter__(self) -> Iterator[tuple[str, Finding]]:
        """Pairs of a function's name and a finding."""
        return ((function.name, one) for function in self.functions for one in function.findings)

    def __str__(self) -> str:
        return self.table()

    def table(self, *, color: bool = False, prints: bool = False) -> str:
        """A table for the terminal; `prints` adds what the code printed."""
        files = [text.file_table(*file, color, prints) for file in self.files()]
        return "\n\n".join([*files, self.summary])

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "subject": self.subject,
            "ok": self.ok,
            "dialects": {file: asdict(reading) for file, reading in self.readings.items()},
            "functions": [{**asdict(one), "state": one.state} for one in self.functions],
        }
