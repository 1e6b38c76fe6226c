"""What a check comes to: findings, one report for each function, and the report of the whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from thinnet.check.verdicts import VERDICTS, Severity


@dataclass(frozen=True)
class Finding:
    """One verdict on one function, with what was measured.

    Attributes:
        verdict: the name, a key of `thinnet.check.VERDICTS`.
        severity: ``"fault"`` or ``"note"``; only faults make a function wrong.
        cause: what is wrong, in one line.
        evidence: the numbers that show it.
        mend: what to do about it.
        example: a small input and output that show it, or nothing.
        error_rate: for what was found by random draws, a bound on how often a right implementation is accused of it.
    """

    verdict: str
    severity: Severity
    cause: str
    evidence: str
    mend: str
    example: str = ""
    error_rate: float | None = None

    @property
    def told(self) -> list[tuple[str, str]]:
        """What to show below the cause: pairs of a word and a text."""
        rate = f"a right implementation gets this verdict in less than 1 of {1 / self.error_rate:,.0f} checks" if (
            self.error_rate) else ""  # fmt: skip
        rows = (("measured", self.evidence), ("example", self.example), ("chance", rate), ("mend", self.mend))
        return [(word, text) for word, text in rows if text]


def finding(
    verdict: str, evidence: str, *, example: str = "", severity: Severity | None = None, keep: str = "the keep rate"
) -> Finding:
    """A finding with the registry's words; `keep` is the probability of keeping in terms of p."""
    known = VERDICTS[verdict]
    drop = {"p": "1 - p", "1 - p": "p"}.get(keep, "the drop rate")
    mend = known.mend.replace("{keep}", keep if keep != "1 - p" else "(1 - p)").replace("{drop}", drop)
    return Finding(verdict, severity or known.severity, known.cause, evidence, mend, example, known.error_rate)


@dataclass
class FunctionReport:
    """All findings on one function (or class).

    Attributes:
        name: of the function, such as ``"dropout_forward"``.
        file: where it stands, or nothing.
        findings: in the order in which they were found.
        printed: what the code printed meanwhile, shortened.
    """

    name: str
    file: str = ""
    findings: list[Finding] = field(default_factory=list)
    printed: str = ""

    @property
    def faults(self) -> list[Finding]:
        """The findings that are faults."""
        return [one for one in self.findings if one.severity == "fault"]

    @property
    def state(self) -> str:
        """``"wrong"``, ``"not checked"`` or ``"right"``."""
        if self.faults:
            return "wrong"
        return "not checked" if any(one.verdict == "not-checked" for one in self.findings) else "right"


@dataclass(frozen=True)
class Reading:
    """What p means in the code: ``"drop"``, ``"keep"`` or ``""`` for unknown; and how that is known.

    `given` is set where the user has said it, `course` is the package's name
    where that is a course's, and `contrary` is what in the code says the opposite.
    """

    means: str = ""
    source: str = ""
    given: bool = False
    course: str = ""
    contrary: str = ""

    @property
    def keep(self) -> str:
        """The probability of keeping a unit, in terms of p."""
        return {"drop": "1 - p", "keep": "p"}.get(self.means, "the probability of keeping")


@dataclass
class Report:
    """The whole check.

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
        """Whether something was checked, and all of it is right."""
        return bool(self.functions) and all(one.state == "right" for one in self.functions)

    @property
    def verdicts(self) -> set[str]:
        """The names of all verdicts, notes included."""
        return {one.verdict for _, one in self}

    @property
    def faults(self) -> set[str]:
        """The names of all faults."""
        return {one.verdict for _, one in self if one.severity == "fault"}

    def __iter__(self) -> Iterator[tuple[str, Finding]]:
        """Pairs of a function's name and a finding."""
        return ((function.name, one) for function in self.functions for one in function.findings)

    def __str__(self) -> str:
        from thinnet.check.writers.text import table

        return table(self)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "subject": self.subject,
            "ok": self.ok,
            "dialects": {file: asdict(reading) for file, reading in self.readings.items()},
            "functions": [{**asdict(one), "state": one.state} for one in self.functions],
        }
