"""Listening to the layer functions that a net calls, and putting others in their place."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from thinnet.check.unit import of_a_library
from thinnet.course import layers as course_layers
from thinnet.course.dialects import DIALECTS, Activation
from thinnet.typing import AnyArray

LAYERS = (*course_layers.__all__, "dropout_forward")


@dataclass(frozen=True)
class Call:
    """One call of a layer function: its first argument, and its last where that is a dict."""

    name: str
    given: AnyArray
    option: dict[str, Any]


class Tap:
    """While it is open, records the layer functions' calls in all modules that a class can reach.

    Args:
        owner: the class of the net.
        replacements: functions to be called instead, by name.
    """

    def __init__(self, owner: type, replacements: Mapping[str, Callable[..., Any]]) -> None:
        self.calls: list[Call] = []
        self.found: set[str] = set()
        self._owner = owner
        self._replacements = replacements
        self._undo: list[tuple[dict[str, Any], str, Any]] = []

    def __enter__(self) -> Tap:
        for names in _namespaces(self._owner):
            for name in LAYERS:
                if isinstance(names.get(name), FunctionType):
                    self._undo.append((names, name, names[name]))
                    self.found.add(name)
        for names, name, old in self._undo:
            names[name] = self._listening(name, self._replacements.get(name, old))
        return self

    def __exit__(self, *error: object) -> None:
        for names, name, old in self._undo:
            names[name] = old

    def named(self, name: str) -> list[Call]:
        """The calls of one function."""
        return [call for call in self.calls if call.name == name]

    def _listening(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def listening(*args: Any, **kwargs: Any) -> Any:
            given = np.array(args[0]) if args else np.empty(0)
            result = function(*args, **kwargs)
            option = dict(args[-1]) if args and isinstance(args[-1], dict) else {}
            self.calls.append(Call(name, given, option))
            return result

        return listening


def right_layers(means: str) -> dict[str, Callable[..., Any]]:
    """Layers that are right, to tell a net's own faults from those of the layers that it calls."""
    activation = Activation(DIALECTS["cs231n-2017" if means == "drop" else "cs231n-2021"], "inverted")
    found: dict[str, Callable[..., Any]] = {name: getattr(course_layers, name) for name in course_layers.__all__}
    return {**found, "dropout_forward": functools.partial(course_layers.dropout_forward, activation=activation)}


def _namespaces(owner: type) -> list[dict[str, Any]]:
    """The global names of the class's methods, of the functions and modules among them, and so on."""
    found: dict[int, dict[str, Any]] = {}
    todo = [_globals(value) for one in owner.__mro__ for value in vars(one).values()]
    while todo:
        names = todo.pop()
        if names is None or id(names) in found or _of_a_library(names):
            continue
        found[id(names)] = names
        todo += [_globals(value) for value in list(names.values())]
    return list(found.values())


def _globals(value: Any) -> dict[str, Any] | None:
    if isinstance(value, FunctionType):
        return value.__globals__
    if isinstance(value, ModuleType):
        return vars(value)
    return None


def _of_a_library(names: dict[str, Any]) -> bool:
    file, name = str(names.get("__file__") or ""), str(names.get("__name__") or "")
    if name.partition(".")[0] == "thinnet":
        return not name.startswith("thinnet.course")
    if not file:  # of a notebook or of an exec: of interest if it has layers
        return not any("forward" in one for one in names)
    return of_a_library(file)
