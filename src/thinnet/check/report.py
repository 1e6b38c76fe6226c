"""The report of a whole check: of a file, a folder or a namespace."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from thinnet.check.findings import Finding, FunctionReport
from thinnet.check.p_convention import PConvention
from thinnet.check.writers import text


@dataclass
class Report:
    """The whole check; printing it gives a table.

    Attributes:
        subject: what was checked.
        functions: one report for each function found.
        conventions: what p means, for each file.
        problem: why nothing could be checked; empty if something was.
    """

    subject: str
    functions: list[FunctionReport] = field(default_factory=list)
    conventions: dict[str, PConvention] = field(default_factory=dict)
    problem: str = ""

    @property
    def ok(self) -> bool:
        """Whether something was checked and nothing is wrong; what could not be checked does not count."""
        return self.count("right") > 0 and not self.count("wrong")

    @property
    def verdicts(self) -> set[str]:
        """The names of all verdicts, notes included."""
        return {found.verdict for _, found in self}

    @property
    def faults(self) -> set[str]:
        """The names of all faults."""
        return {found.verdict for _, found in self if found.severity == "fault"}

    @property
    def summary(self) -> str:
        """One line of counts, or why there are none."""
        if self.problem:
            return f"nothing was checked: {self.problem}"
        counts = {state: self.count(state) for state in ("right", "wrong", "not checked")}
        message = ", ".join(f"{count} {state}" for state, count in counts.items() if count or state != "not checked")
        number = len(self.functions)
        return f"{number} function{'s' if number != 1 else ''}: {message}"

    def count(self, state: str) -> int:
        """How many functions are ``"right"``, ``"wrong"`` or ``"not checked"``."""
        return sum(function.state == state for function in self.functions)

    def files(self) -> Iterator[tuple[str, PConvention, list[FunctionReport]]]:
        """Each file's name, what p means in it, and its functions."""
        for file in dict.fromkeys(function.file for function in self.functions):
            name = file or self.subject
            own = [function for function in self.functions if function.file == file]
            yield name, self.conventions.get(name, PConvention()), own

    def __iter__(self) -> Iterator[tuple[str, Finding]]:
        """Pairs of a function's name and a finding."""
        return ((function.name, found) for function in self.functions for found in function.findings)

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
            "dialects": {file: asdict(convention) for file, convention in self.conventions.items()},
            "functions": [{**asdict(function), "state": function.state} for function in self.functions],
        }
