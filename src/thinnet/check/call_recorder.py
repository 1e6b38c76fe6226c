"""Records a net's calls of layer functions, and can replace these with right ones."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from thinnet import old_python
from thinnet.check.findings import Finding
from thinnet.check.subject import Subject
from thinnet.course import conv_layers, fast_layers
from thinnet.course import layers as course_layers
from thinnet.course.dialects import DIALECTS, Activation
from thinnet.typing import AnyArray

Layers = Mapping[str, Callable[..., Any]]
FAILURES = {"crashed", "unimplemented", "missing-package", "wrong-return", "out-of-memory", "not-checked"}
FAILURES |= {"weights-transposed"}
LAYERS = (*course_layers.__all__, *conv_layers.__all__, *fast_layers.NAMES, "dropout_forward")


@dataclass(eq=False)
class Call:
    """One call of a layer function."""

    name: str
    input: AnyArray  # a copy of the first argument
    param: dict[str, Any] | None = None  # the last dict argument; its contents before and after
    param_before: dict[str, Any] = field(default_factory=dict)
    param_after: dict[str, Any] = field(default_factory=dict)
    cache_given: Any = None  # the cache that backward was given
    output: AnyArray | None = None  # a copy of the first value returned
    cache: Any = None  # the second value that forward returned


class CallRecorder:
    """While open, records the calls of layer functions in all modules that the callers can reach.

    `replacements`, by name, are called instead.  Calls of one layer function by another are not recorded.
    """

    def __init__(self, callers: Iterable[Any], replacements: Layers, names: Collection[str] = LAYERS) -> None:
        self.calls: list[Call] = []
        self.found: set[str] = set()
        self.generators: list[tuple[np.random.Generator, Any]] = []  # those of the modules, with their states
        self._callers, self._replacements, self._names = callers, replacements, names
        self._undo: list[tuple[dict[str, Any], str, Any]] = []
        self._inside = self._paused = False  # whether in a layer function; whether not to record

    def __enter__(self) -> CallRecorder:
        namespaces = _namespaces(self._callers)
        for names in (*namespaces, *filter(None, map(_globals, self._callers))):
            own = (value for value in names.values() if isinstance(value, np.random.Generator))
            self.generators += [(generator, generator.bit_generator.state) for generator in own]
        for names in namespaces:
            for name in self._names:
                if isinstance(names.get(name), FunctionType):
                    self._undo.append((names, name, names[name]))
                    self.found.add(name)
        for names, name, old in self._undo:
            names[name] = self._recording(name, self._replacements.get(name, old))
        return self

    def restart(self, recorded: bool = True) -> None:
        """Forget the calls, and record the following ones if `recorded`."""
        self.calls, self._paused = [], not recorded

    def __exit__(self, *error: object) -> None:
        for names, name, old in self._undo:
            names[name] = old

    def _recording(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def recording(*args: Any, **kwargs: Any) -> Any:
            if self._inside or self._paused:
                return function(*args, **kwargs)
            call = _recorded(name, args, kwargs)
            self.calls.append(call)  # before it can fail
            self._inside = True
            try:
                result = function(*args, **kwargs)
            finally:
                self._inside = False
            call.param_after = _copied(call.param)
            first = result[0] if isinstance(result, tuple) and result else result
            call.output = np.array(first) if isinstance(first, np.ndarray) else None
            if isinstance(result, tuple) and len(result) == 2:
                call.cache = result[1]
            return result

        return recording


def _recorded(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
    values = [*args, *kwargs.values()]
    first = args[0] if args else kwargs.get("dout" if "_backward" in name else "x")
    call = Call(name, np.array(first) if isinstance(first, np.ndarray) else np.empty(0))
    if "_backward" in name:
        call.cache_given = kwargs.get("cache", values[1] if len(values) > 1 else None)
        return call
    call.param = next((value for value in reversed(values) if isinstance(value, dict)), None)
    call.param_before = _copied(call.param)
    return call


def _copied(param: dict[str, Any] | None) -> dict[str, Any]:
    return {key: value.copy() if isinstance(value, np.ndarray) else value for key, value in (param or {}).items()}


def right_layers(means: str) -> dict[str, Callable[..., Any]]:
    """Right layers, to tell a net's own faults from those of the layers that it calls."""
    activation = Activation(DIALECTS["cs231n-2017" if means == "drop" else "cs231n-2021"], "inverted")
    modules = (course_layers, conv_layers, fast_layers)
    found = {name: getattr(module, name) for module in modules for name in LAYERS if hasattr(module, name)}
    return {**found, "dropout_forward": functools.partial(course_layers.dropout_forward, activation=activation)}


def report_own_faults(subject: Subject, run: Callable[[Layers], tuple[list[Finding], bool]]) -> None:
    """Report what `run` finds; if something is wrong, run once more with right layers in place of the code's.

    Faults that are then gone follow from the layers, which have their own verdicts.  `run` also returns whether any
    layers were found.
    """
    findings, calls_layers = run({})
    faults = [found for found in findings if found.severity == "fault" or found.verdict == "not-checked"]
    gone = []
    if faults and calls_layers:
        again, _ = run(right_layers(subject.convention.means))
        names, old_names = {found.verdict for found in again}, {found.verdict for found in findings}
        if not names & FAILURES or old_names & FAILURES:
            gone = [found for found in faults if found.verdict not in names]
            hidden = [found for found in again if found.verdict not in old_names]  # by a layer that failed
            # Right layers say what is wrong with their arguments, where the code's stop somewhere inside.
            clearer = {found.verdict: found for found in again if found.verdict == "crashed"}
            findings = [clearer.get(found.verdict, found) for found in findings if found not in gone] + hidden
    subject.findings += findings
    if gone:
        evidence = "; ".join(found.evidence for found in gone[:2])
        subject.report("follows-from-layers", f"with right layers in their place this is gone: {evidence}")


def _namespaces(callers: Iterable[Any]) -> list[dict[str, Any]]:
    """The globals of the callers, of the functions and modules among these, and so on."""
    found: dict[int, dict[str, Any]] = {}
    todo = [*map(_globals, callers)]
    while todo:
        names = todo.pop()
        if names is None or id(names) in found or _of_a_library(names):
            continue
        found[id(names)] = names
        todo += map(_globals, list(names.values()))
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
    if not file:  # a notebook or an exec: relevant if it has layers
        return not any("forward" in name for name in names)
    return old_python.of_a_library(file)
