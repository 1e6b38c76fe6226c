"""What a fault comes to: how often it was tried, what came of it, and how long that took."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    fault: str
    times: str
    result: str
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"| {self.fault} | {self.times} | {self.result} | {self.seconds:.1f} |"
