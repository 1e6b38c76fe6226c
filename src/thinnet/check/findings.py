"""The result of checking one function: its findings."""

import re
from dataclasses import dataclass, field

from thinnet.check.verdicts import FORMULAS, VERDICTS, Severity


@dataclass(frozen=True)
class Finding:
    """One verdict on one function, with what was measured.

    Attributes:
        verdict: the name, a key of `thinnet.check.VERDICTS`.
        severity: ``"fault"`` or ``"note"``; only faults make a function wrong.
        cause: what is wrong, in one line.
        evidence: the numbers that show it.
        mend: how to fix it.
        example: a small input and output that show it, or nothing.
        error_rate: if it depends on random draws, a bound on how often a right implementation gets this verdict.
    """

    verdict: str
    severity: Severity
    cause: str
    evidence: str
    mend: str
    example: str = ""
    error_rate: float | None = None

    @property
    def details(self) -> list[tuple[str, str]]:
        """What to show below the cause: pairs of a label and a text."""
        chance = ""
        if self.error_rate:
            chance = f"a right implementation gets this verdict in fewer than 1 of {1 / self.error_rate:,.0f} checks"
        rows = (("measured", self.evidence), ("example", self.example), ("chance", chance), ("fix", self.mend))
        return [(word, text) for word, text in rows if text]

    def __str__(self) -> str:
        return "\n".join([f"{self.verdict}: {self.cause}", *(f"{word}: {text}" for word, text in self.details)])


def finding(
    verdict: str,
    evidence: str,
    function: str = "",
    *,
    example: str = "",
    severity: Severity | None = None,
    keep: str = "keep_prob",
    in_net: bool = False,
) -> Finding:
    """A finding with the cause and the fix from VERDICTS.

    `keep` replaces keep_prob in the fix, and `function` is the course's name of the wrong function, if known.
    """
    known, formula = VERDICTS[verdict], FORMULAS.get(function.removesuffix("_alt"))
    matches = ((re.search(pattern, f"{function} {evidence}"), mend) for pattern, mend in known.where)
    special = next((match.expand(mend) for match, mend in matches if match), "")
    mend = (special or (in_net and known.mend_in_net) or known.mend).replace("keep_prob", keep)
    if not re.search(r"\bline \d", evidence):
        mend = mend.replace("the line shown", "the line where it stops")
    if known.formula and formula and not (in_net or special):
        mend += f" Written out: {formula}"
    rate = None if known.certain and re.search(known.certain, evidence) else known.error_rate
    return Finding(verdict, severity or known.severity, known.cause, evidence, mend, example, rate)


@dataclass
class FunctionReport:
    """All findings on one function (or class).

    Attributes:
        name: of the function, such as ``"dropout_forward"``.
        file: the file that defines it, or nothing.
        findings: in the order in which they were found.
        printed: what the code printed during the check, shortened.
        line: the line where it begins in the file, or 0.
    """

    name: str
    file: str = ""
    findings: list[Finding] = field(default_factory=list)
    printed: str = ""
    line: int = 0

    @property
    def faults(self) -> list[Finding]:
        """The findings that are faults."""
        return [found for found in self.findings if found.severity == "fault"]

    @property
    def state(self) -> str:
        """``"wrong"``, ``"not checked"`` or ``"right"``."""
        if self.faults:
            return "wrong"
        return "not checked" if any(found.verdict == "not-checked" for found in self.findings) else "right"

    @property
    def place(self) -> str:
        """``"line 12"``, if something is wrong and the line is known."""
        return f"line {self.line}" if self.state == "wrong" and self.line else ""
