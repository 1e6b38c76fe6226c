"""Listening to the layer functions that a net calls, and putting others in their place."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from thinnet.check.unit import of_a_library
from thinnet.course import conv_layers, fast_layers
from thinnet.course import layers as course_layers
from thinnet.course.dialects import DIALECTS, Activation
from thinnet.typing import AnyArray

LAYERS = (*course_layers.__all__, *conv_layers.__all__, *fast_layers.NAMES, "dropout_forward")


@dataclass(eq=False)
class Call:
    """One call of a layer function.

    Attributes:
        name: of the function, and `given`, its first argument as it was.
        param: the last argument that is a dict, `option`, what it held before the call, and `after`, after it.
        taken: what backward was given as its cache.
        out: what forward returned, as it was, and `left`, the cache beside it.
    """

    name: str
    given: AnyArray
    param: dict[str, Any] | None = None
    option: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    taken: Any = None
    out: AnyArray | None = None
    left: Any = None


class Tap:
    """While it is open, records the layer functions' calls in all modules that a class can reach.

    Calls of one layer function by another are not recorded.

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
        self._inside = False  # of one of them

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

    def _listening(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def listening(*args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return function(*args, **kwargs)
            call = _recorded(name, args, kwargs)
            self.calls.append(call)  # before it can fail
            self._inside = True
            try:
                result = function(*args, **kwargs)
            finally:
                self._inside = False
            call.after = _copied(call.param)
            if isinstance(result, tuple) and len(result) == 2:
                call.out = np.array(result[0]) if isinstance(result[0], np.ndarray) else None
                call.left = result[1]
            return result

        return listening


def _recorded(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
    values = [*args, *kwargs.values()]
    first = args[0] if args else kwargs.get("dout" if "_backward" in name else "x")
    call = Call(name, np.array(first) if isinstance(first, np.ndarray) else np.empty(0))
    if "_backward" in name:
        call.taken = kwargs.get("cache", values[1] if len(values) > 1 else None)
        return call
    call.param = next((value for value in reversed(values) if isinstance(value, dict)), None)
    call.option = _copied(call.param)
    return call


def _copied(param: dict[str, Any] | None) -> dict[str, Any]:
    return {key: value.copy() if isinstance(value, np.ndarray) else value for key, value in (param or {}).items()}


def right_layers(means: str) -> dict[str, Callable[..., Any]]:
    """Layers that are right, to tell a net's own faults from those of the layers that it calls."""
    activation = Activation(DIALECTS["cs231n-2017" if means == "drop" else "cs231n-2021"], "inverted")
    modules = (
        (course_layers, course_layers.__all__),
        (conv_layers, conv_layers.__all__),
        (fast_layers, fast_layers.NAMES),
    )
    found: dict[str, Callable[..., Any]] = {name: getattr(one, name) for one, names in modules for name in names}
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
