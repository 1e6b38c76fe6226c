"""Importing code under check, old as it may be, in a process of its own."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import pickle
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import thinnet.course
from thinnet.check import old_python
from thinnet.check.findings import Reading
from thinnet.check.unit import MissingPackage, of_a_library
from thinnet.course.finder import OUT_OF_SCOPE, PACKAGES
from thinnet.errors import OutOfScopeError

OLD_PACKAGES: dict[str, dict[str, dict[str, Any]]] = {
    "past": {"past": {}, "past.builtins": {"xrange": range, "basestring": str, "unicode": str}},
    "six": {"six": {}, "six.moves": {"xrange": range, "range": range, "cPickle": pickle, "zip": zip, "map": map}},
}
PARTS_LEFT_OUT = {f"{package}.{name}" for package in PACKAGES for name in OUT_OF_SCOPE}  # of the courses
MOST_STUBS = 30


class _Missing(ModuleType):
    """A module that is not there; whatever is taken from it fails when it is used, and not before."""

    __path__: list[str] = []  # noqa: RUF012 -- what makes a module a package
    __all__: list[str] = []  # noqa: RUF012

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Name(f"{self.__name__}.{name}", self.__name__.partition(".")[0])


class _Base:
    """Stands in for a base class from a missing package."""


class _Name:
    """Something from a missing package: it can be named, decorate and be derived from in an import, and no more."""

    importing = True

    def __init__(self, name: str, package: str) -> None:
        self._name, self._package = name, package

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not _Name.importing:
            raise MissingPackage(self._name, self._package)
        if len(args) == 1 and isinstance(args[0], FunctionType):
            return args[0]  # as a decorator
        return _Name(f"{self._name}()", self._package)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return (_Base,)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Name(f"{self._name}.{name}", self._package)


class _StubFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the modules in `names`, and all below them, as stand-ins."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if any(fullname == name or fullname.startswith(name + ".") for name in self.names):
            return ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Missing(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


def load(root: Path, module: str, reading: Reading, old: bool = False) -> tuple[dict[str, Any], list[str]]:
    """Import a module; return its names, and the packages and files that it asked for in vain.

    A missing module of a course comes from `thinnet.course`; any other becomes a stand-in which fails when used.
    With `old`, everything is read as Python 2.
    """
    _old_packages()
    old_python.install(root, old)
    sys.path[:0] = [str(root)]
    folder = root.joinpath(*module.split(".")[:-1])
    if folder != root:
        sys.path.append(str(folder))  # Python 2 found its neighbors without a dot
    stubs = _StubFinder()
    sys.meta_path.append(stubs)
    # From the start: handouts try to import what must be compiled first, and go on without it.
    thinnet.course.activate(_dialect_of(reading, module))
    before = set(sys.modules)
    for _ in range(MOST_STUBS):
        try:
            namespace = _import(root, module)
            _Name.importing = False
            return namespace, sorted(stubs.names - PARTS_LEFT_OUT)
        except ModuleNotFoundError as error:
            name = error.name or ""
            if not name or name == module or name in stubs.names:
                raise
            stubs.names.add(name)
        except OutOfScopeError:
            # Asked after the ordinary finders and before the course's: files that are there stay in use.
            stubs.names |= PARTS_LEFT_OUT
        for name in set(sys.modules) - before:  # half-imported modules; those of libraries cannot be imported twice
            if not of_a_library(getattr(sys.modules[name], "__file__", None) or ""):
                del sys.modules[name]
    raise ImportError(f"more than {MOST_STUBS} modules are not there, among them {', '.join(sorted(stubs.names)[:3])}")


def _dialect_of(reading: Reading, module: str) -> str:
    """The dialect for the modules that a file asks for, and that are not there."""
    if "nndl" in (reading.course, module.partition(".")[0]):
        return "nndl-drop" if reading.means == "drop" else "nndl"
    return "cs231n-2017" if reading.means == "drop" else "cs231n-2021"


def _import(root: Path, module: str) -> dict[str, Any]:
    """The names of a module; one that stands alone is loaded by its file, whatever its name."""
    if "." in module and (root / module.partition(".")[0]).is_dir():
        return vars(importlib.import_module(module))
    name = module if module.isidentifier() and module not in sys.modules else f"checked_{abs(hash(module))}"
    path = root / f"{module}.py"
    loader = old_python.Loader(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None  # only without a loader
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    try:
        loader.exec_module(made)
    except BaseException:
        del sys.modules[name]
        raise
    return vars(made)


def _old_packages() -> None:
    """What packages brought that helped one source to serve Python 2 and 3."""
    for package, modules in OLD_PACKAGES.items():
        if importlib.util.find_spec(package) is None:
            for name, names in modules.items():
                sys.modules[name] = made = ModuleType(name)
                made.__path__ = []
                vars(made).update(names)
                parent, _, child = name.rpartition(".")
                if parent:
                    setattr(sys.modules[parent], child, made)
