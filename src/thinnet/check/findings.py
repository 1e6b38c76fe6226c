"""What a check of one function comes to: its findings, and what p means in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from thinnet.check.verdicts import VERDICTS, Severity

VERBS = {"drop": "dropping", "keep": "keeping"}
BEHAVIOR = "the behavior of dropout_forward"  # where nothing in the code says what p means


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
        chance = ""
        if self.error_rate:
            chance = f"a right implementation gets this verdict in less than 1 of {1 / self.error_rate:,.0f} checks"
        rows = (("measured", self.evidence), ("example", self.example), ("chance", chance), ("mend", self.mend))
        return [(word, text) for word, text in rows if text]

    def __str__(self) -> str:
        return "\n".join([f"{self.verdict}: {self.cause}", *(f"{word}: {text}" for word, text in self.told)])


def finding(
    verdict: str,
    evidence: str,
    *,
    example: str = "",
    severity: Severity | None = None,
    keep: str = "keep_prob",
    in_net: bool = False,
) -> Finding:
    """A finding with the registry's words; `keep` is the probability of keeping in terms of p, for the mend."""
    known = VERDICTS[verdict]
    mend = ((in_net and known.mend_in_net) or known.mend).replace("keep_prob", keep)
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
        return {"drop": "(1 - p)", "keep": "p"}.get(self.means, "keep_prob")

    def __str__(self) -> str:
        if not self.means:
            return ""
        doubt = " alone: name your course's dialect to have that checked too" if self.source == BEHAVIOR else ""
        doubt += f", though {self.contrary} says the opposite" if self.contrary and not self.given else ""
        return f"p is the probability of {VERBS[self.means]} a unit, by {self.source}{doubt}"
