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
