"""Values in config that an optimizer reads under other names than the given ones."""

import sys
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

from thinnet.check.location import line_of
from thinnet.old_python import of_a_library

MOST_RUNS = 500


class Asked(dict[str, Any]):
    """A config that records which keys are read, where, and with which default; and which it is then given, where."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__(given)
        self.asked: dict[str, tuple[str, Any]] = {}
        self.taken: dict[str, tuple[str, Any]] = {}  # the value in place of one that is not there

    def _note(self, key: str, usual: Any = None, read: bool = True) -> None:
        code, number = (frame := sys._getframe(2)).f_code, frame.f_lineno
        if of_a_library(code.co_filename):
            return
        line = line_of(code.co_filename, number)
        if read:
            self.asked.setdefault(key, (line, 0.0 if usual is None else usual))
        if usual is not None and not super().__contains__(key):
            self.taken.setdefault(key, (line, usual))

    def __getitem__(self, key: str) -> Any:
        self._note(key)
        return super().__getitem__(key)

    def __setitem__(self, key: str, value: Any) -> None:
        self._note(key, value, read=False)
        super().__setitem__(key, value)

    def __contains__(self, key: object) -> bool:
        self._note(str(key))
        return super().__contains__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self._note(key, default)
        return super().get(key, default)

    def setdefault(self, key: str, default: Any = None) -> Any:
        self._note(key, default)
        return super().setdefault(key, default)


def renamed(first: Asked, is_right: Callable[[Asked], bool], options: Mapping[str, Any]) -> str:
    """The names under which code that is wrong with its `first` config reads options, if it is right with these."""
    left = MOST_RUNS

    def search(asked: Mapping[str, tuple[str, Any]], names: Mapping[str, str]) -> str:
        nonlocal left
        given = {name: value for name, value in options.items() if name not in names.values()}
        others = (own for own, (_, usual) in asked.items() if own not in {*options, *names} and isinstance(usual, Real))
        for own, name in [(own, name) for own in others for name in given if name not in asked]:
            tried = {**names, own: name}
            config, left = Asked(given | {own: options[name] for own, name in tried.items()}), left - 1
            if is_right(config):
                lines = [f"{own!r}, which is never given, in place of {tried[own]!r}, {asked[own][0]}" for own in tried]
                return f"it reads from config {'; and '.join(lines)}"
            if left > 0 and (found := search(config.asked, tried)):
                return found
        return ""

    return search(first.asked, {})
