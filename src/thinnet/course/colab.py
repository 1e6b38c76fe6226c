"""Stand-ins for ``google.colab``: whatever a notebook asks of it does nothing, and says so."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from thinnet.course.finder import StandInFinder

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


# The last of the finders, so that the real package wins, where there is one.
FINDER = StandInFinder(
    lambda name, path: name == "google" or f"{name}.".startswith(f"{ROOT}."),
    lambda name: ModuleType(name) if name == "google" else StandIn(name),
)


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
    if FINDER not in sys.meta_path:
        sys.meta_path.append(FINDER)
