"""Measured results on tables: one line per table, split and contender, written as soon as it is available."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from table_contenders import made_by

Result = dict[str, Any]


class Results:
    """The lines of a file `results.jsonl`; several processes may append to it, each for its own part."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "results.jsonl"
        self._made_by: dict[str, str | None] = {}
        text = self._path.read_text(encoding="utf-8") if self._path.exists() else ""
        if text and not text.endswith("\n"):  # its writer was killed in the middle of a line
            with self._path.open("a", encoding="utf-8") as file:
                file.write("\n")
        self._lines: list[Result] = [json.loads(line) for line in text.splitlines() if line.endswith("}")]

    def add(self, table: str, contender: str, split: int, answer: Result) -> None:
        """Append a line in a single write."""
        line = {"table": table, "contender": contender, "split": split, "made_by": self._version(contender), **answer}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self._lines.append(line)

    def of(self, table: str, contender: str) -> dict[int, Result]:
        """Results by split, from the installed version; if the contender is not installed, the newest ones."""
        lines = [one for one in self._lines if (one["table"], one["contender"]) == (table, contender)]
        version = self._version(contender) or (lines[-1]["made_by"] if lines else None)
        return {one["split"]: one for one in lines if one["made_by"] == version}

    def complete(self, table: str, contender: str, splits: Sequence[int]) -> dict[int, Result]:
        """The results of these splits; empty if one is not measured yet."""
        runs = self.of(table, contender)
        return {split: runs[split] for split in splits} if runs.keys() >= set(splits) else {}

    def _version(self, contender: str) -> str | None:
        if contender not in self._made_by:
            self._made_by[contender] = made_by(contender)
        return self._made_by[contender]
