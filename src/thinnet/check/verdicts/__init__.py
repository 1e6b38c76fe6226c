"""The verdicts, read from verdicts.toml: a stable name, how grave it is, the cause in one line, and the mend."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

Severity = Literal["fault", "note"]


def read_table(name: str) -> dict[str, Any]:
    """A table of the checker's."""
    return tomllib.loads(resources.files("thinnet.check").joinpath(name).read_text(encoding="utf-8"))


GROUPS: dict[str, dict[str, dict[str, Any]]] = read_table("verdicts.toml")
FORMULAS: dict[str, str] = read_table("formulas.toml")  # by the name of a function


@dataclass(frozen=True)
class Verdict:
    """One way in which layer code can be wrong, or worth a remark.

    Where chance plays a part, the share of right implementations that get this verdict stays below `error_rate`.
    """

    name: str
    cause: str
    mend: str
    severity: Severity = "fault"
    error_rate: float | None = None
    mend_in_net: str = ""
    formula: bool = False  # whether that of the function follows the mend
    where: Sequence[tuple[str, str]] = ()  # patterns of what was measured, and the mends for it


VERDICTS = {name: Verdict(name, **row) for group in GROUPS.values() for name, row in group.items()}


def page() -> str:
    """All verdicts as a page of Markdown: docs/verdicts.md, which a test compares with this.

    >>> page().splitlines()[0]
    '# The verdicts of `thinnet check`'
    """
    lines = [
        "# The verdicts of `thinnet check`",
        "",
        "Made by `python -m thinnet.check.verdicts > docs/verdicts.md`.",
        "The names are stable. A fault makes a function wrong, a note does not; some notes count as a fault where",
        "the evidence is stronger, and the other way round, as the report says. In a fix, `keep_prob` stands for the",
        "probability of keeping a unit; the report has `p` or `1 - p` in its place, where it is known.",
        "Some fixes are general; in the report, the formula of the function follows them.",
        "Where several fixes are listed, the report has the one that fits what was measured.",
        "",
    ]
    for title, group in GROUPS.items():
        lines += [f"## {title}", "", "| verdict | | cause | fix |", "| --- | --- | --- | --- |"]
        for verdict in map(VERDICTS.__getitem__, group):
            more = [("Or", mend.replace("\\1", "NAME")) for _, mend in verdict.where]
            more += [("In a net", verdict.mend_in_net)] if verdict.mend_in_net else []
            mend = " ".join([verdict.mend, *map(": ".join, more)])
            lines.append(f"| `{verdict.name}` | {verdict.severity} | {verdict.cause} | {mend} |")
        lines.append("")
    return "\n".join(lines)
