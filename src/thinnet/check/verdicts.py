"""The verdicts, read from verdicts.toml: a stable name, the severity, the cause in one line, and the fix."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

Severity = Literal["fault", "note"]


def read_table(name: str) -> dict[str, Any]:
    """Read one of the checker's tables."""
    return tomllib.loads(resources.files("thinnet.check").joinpath(name).read_text(encoding="utf-8"))


GROUPS: dict[str, dict[str, dict[str, Any]]] = read_table("verdicts.toml")
FORMULAS: dict[str, str] = read_table("formulas.toml")  # by function name


@dataclass(frozen=True)
class Verdict:
    """One way in which layer code can be wrong, or worth a note.

    If it depends on random draws, right implementations get it with a probability below `error_rate`; evidence that
    matches the pattern `certain` does not depend on them.
    """

    name: str
    cause: str
    mend: str
    severity: Severity = "fault"
    error_rate: float | None = None
    certain: str = ""
    mend_in_net: str = ""
    formula: bool = False  # whether the function's formula follows `mend`
    where: Sequence[tuple[str, str]] = ()  # patterns for the evidence, each with its fix


VERDICTS = {name: Verdict(name, **row) for group in GROUPS.values() for name, row in group.items()}
