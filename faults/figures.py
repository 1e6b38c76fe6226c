"""The results of a fault: how often it was tried, what happened, and how long it took."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One row of the table."""

    fault: str
    times: str
    result: str
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"| {self.fault} | {self.times} | {self.result} | {self.seconds:.1f} |"
