"""Stand-ins for ``google.colab``: whatever a notebook asks of it does nothing, and says so."""

from __future__ import annotations

import ast
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

ROOT = "google.colab"


class Nothing(dict[str, Any]):
    """What a stand-in returns: an empty dict, which ``with`` takes too, and of which a notebook shows nothing."""

    def __enter__(self) -> Nothing:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def _ipython_display_(self) -> None:
        pass


class StandIn(ModuleType):
    """``google.colab``, whose names are modules, or one of them, whose names are functions that do nothing."""

    say: Callable[[str, str], None]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if self.__name__ == ROOT:
            return importlib.import_module(f"{ROOT}.{name}")

        def nothing(*args: Any, **options: Any) -> Any:
            type(self).say(f"{self.__name__}.{name}", "this is not Colab; nothing done")
            return "" if self.__name__ == f"{ROOT}.userdata" else Nothing()

        return nothing


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """The last of the finders, so that the real package wins, where there is one."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "google" and fullname != ROOT and not fullname.startswith(f"{ROOT}."):
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return StandIn(spec.name) if spec.name != "google" else ModuleType(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """There is nothing to run."""


class Unfilled(ast.NodeTransformer):
    """Lets ``assert FOLDERNAME is not None`` pass: the folder on Drive, which only Colab needs, may stay unnamed.

    >>> ast.unparse(Unfilled().visit(ast.parse("assert FOLDERNAME is not None, 'Enter the foldername.'")))
    'pass'
    """

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        """Leave out the assertion, and only that."""
        names = {inner.id for inner in ast.walk(node.test) if isinstance(inner, ast.Name)}
        return ast.copy_location(ast.Pass(), node) if names == {"FOLDERNAME"} else node


def install(say: Callable[[str, str], None]) -> None:
    """Make ``google.colab`` importable, where it is not; `say` is called with what was asked for and why not.

    >>> install(lambda what, why: print(what, "-", why))
    >>> from google.colab import drive
    >>> mounted = drive.mount("/content/drive")
    google.colab.drive.mount - this is not Colab; nothing done
    """
    StandIn.say = staticmethod(say)
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.append(Finder())
