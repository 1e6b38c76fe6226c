"""Imports code under check, with stand-ins for missing packages."""

import builtins
import importlib
import importlib.abc
import importlib.util
import itertools
import re
import sys
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any
from unittest import mock

import numpy as np

import thinnet.course
from thinnet import old_python
from thinnet.check.p_convention import PConvention
from thinnet.check.subject import MISSING_STARS, MissingPackage
from thinnet.course.finder import OUT_OF_SCOPE, PACKAGES, StandInFinder
from thinnet.errors import OutOfScopeError
from thinnet.old_python import Loader

PARTS_LEFT_OUT = {f"{package}.{name}" for package in PACKAGES for name in OUT_OF_SCOPE}  # modules of the courses
MOST_STUBS = 30


class _Missing(ModuleType):
    """A missing module; what is imported from it fails only when it is used."""

    __path__: list[str] = []  # noqa: RUF012 -- what makes a module a package

    @property
    def __all__(self) -> list[str]:
        """Nothing, but it is noted that code with a star import may use any name."""
        MISSING_STARS.add(self.__name__)
        return []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        around = itertools.accumulate(self.__name__.split("."), "{}.{}".format)  # the outer ones may exist
        missing = next((one for one in around if isinstance(sys.modules.get(one), _Missing)), self.__name__)
        return FromMissingPackage(f"{self.__name__}.{name}", missing)


class FromMissingPackage:
    """Something from a missing package: an import can name it, decorate with it and subclass it, and no more."""

    importing = True

    def __init__(self, name: str, package: str) -> None:
        self._name, self._package = name, package

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not FromMissingPackage.importing:
            raise MissingPackage(self._name, self._package)
        if len(args) == 1 and isinstance(args[0], FunctionType):
            return args[0]  # as a decorator
        return FromMissingPackage(f"{self._name}()", self._package)

    def __instancecheck__(self, value: object) -> bool:
        return False

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return FromMissingPackage(f"{self._name}.{name}", self._package)


class _Beside(importlib.abc.MetaPathFinder):
    """Finds modules that are imported from a package but lie beside the importing module, as in a flat submission."""

    def __init__(self, folder: Path, packages: set[str]) -> None:
        self.folder, self.packages = folder, packages

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        package, _, name = fullname.rpartition(".")
        file = self.folder / f"{name}.py"
        if package not in self.packages or not file.is_file():
            return None
        return importlib.util.spec_from_file_location(fullname, file, loader=Loader(fullname, str(file)))


def load(root: Path, module: str, convention: PConvention, old: bool = False) -> tuple[dict[str, Any], list[str]]:
    """Import a module; return its names, and the missing packages and files that it imports.

    A missing module of a course comes from `thinnet.course`; any other becomes a stand-in that fails when used.
    With `old`, everything is read as Python 2.
    """
    old_python.install(root, old)
    Loader.script = str(root.joinpath(*module.split(".")).with_suffix(".py"))
    sys.path[:0] = [str(root)]
    folders = module.split(".")[:-1]  # it may have been run from any of them; Python 2 found neighbors without a dot
    sys.path += [str(root.joinpath(*folders[: i + 1])) for i in range(len(folders))]
    packages = {".".join(folders[: i + 1]) for i in range(len(folders))}
    sys.meta_path.append(_Beside(root.joinpath(*folders), packages))
    absent: set[str] = set()

    def stands_in(name: str, path: object) -> bool:
        return any(f"{name}.".startswith(f"{known}.") for known in absent)

    sys.meta_path.append(StandInFinder(stands_in, _Missing))
    # From the start: handouts try to import compiled modules first, and continue without them.
    thinnet.course.activate(_dialect_of(convention, module))
    vars(builtins).update({name: mock.MagicMock() for name in ("get_ipython", "display")})  # for exported notebooks
    before = set(sys.modules)
    for _ in range(MOST_STUBS):
        try:
            namespace = _import(root, module)
            FromMissingPackage.importing = False
            return namespace, sorted(absent - PARTS_LEFT_OUT)
        except ModuleNotFoundError as error:
            name = error.name or ""
            if not name or name == module or name in absent:
                raise
            near = _near(root, name.partition(".")[0])
            if near and str(near) not in sys.path:
                sys.meta_path.insert(0, old_python.Finder(near))
                sys.path.append(str(near))
            else:
                absent.add(name)
        except OutOfScopeError:
            # Looked up after the ordinary finders and before the course's: existing files are still used.
            absent |= PARTS_LEFT_OUT
        except ImportError as error:  # a name of another library version, most often in an import that an editor added
            found, library = re.search(r"cannot import name '(\w+)'", str(error)), sys.modules.get(error.name or "")
            if not found or library is None or not old_python.of_a_library(library.__file__ or ""):
                raise
            absent.add(f"{library.__name__}.{found[1]}")
            stand_in = FromMissingPackage(f"{library.__name__}.{found[1]}", library.__name__)
            setattr(library, found[1], getattr(np, found[1], stand_in) if "numpy." in library.__name__ else stand_in)
        for name in set(sys.modules) - before:  # half-imported modules; libraries cannot be imported twice
            if not old_python.of_a_library(getattr(sys.modules[name], "__file__", None) or ""):
                del sys.modules[name]
    raise ImportError(f"more than {MOST_STUBS} modules are missing, among them {', '.join(sorted(absent)[:3])}")


def _near(root: Path, package: str) -> Path | None:
    """The folder above that contains a package or module that the code imports: it was run from there."""
    found = [up for up in root.parents[:2] if (up / f"{package}.py").is_file() or [*up.glob(f"{package}/*.py")]]
    return found[0] if found else None


def _dialect_of(convention: PConvention, module: str) -> str:
    """The dialect for the missing modules that a file imports."""
    if "nndl" in (convention.course, module.partition(".")[0]):
        return "nndl-drop" if convention.means == "drop" else "nndl"
    return "cs231n-2017" if convention.means == "drop" else "cs231n-2021"


def _import(root: Path, module: str) -> dict[str, Any]:
    """The names of a module; a standalone one is loaded from its file, whatever its name."""
    if "." in module and (root / module.partition(".")[0]).is_dir():
        return vars(importlib.import_module(module))
    name = module if module.isidentifier() and module not in sys.modules else f"checked_{abs(hash(module))}"
    path = root / f"{module}.py"
    loader = Loader(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None  # it is only without a loader
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    loader.exec_module(made)
    return vars(made)
