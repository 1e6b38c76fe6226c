"""A finder of stand-ins for modules that are not there."""

from __future__ import annotations

import importlib.abc
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType


class StandInFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the modules whose names, and the path of whose package, `stands_in` accepts; `make` makes them."""

    def __init__(
        self, stands_in: Callable[[str, Sequence[str] | None], object], make: Callable[[str], ModuleType]
    ) -> None:
        self.stands_in, self.make = stands_in, make

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a stand-in, or None."""
        return ModuleSpec(fullname, self, is_package=True) if self.stands_in(fullname, path) else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The stand-in, complete."""
        return self.make(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """There is nothing to run."""
