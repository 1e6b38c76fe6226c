"""Stand-ins for ``google.colab``, whose functions do nothing and say so."""

from __future__ import annotations

import ast
import importlib
import sys
from types import ModuleType
from typing import Any

from thinnet.course.finder import StandInFinder
from thinnet.course.saying import say

ROOT = "google.colab"


class Nothing(dict[str, Any]):
    """What a stand-in returns: an empty dict that also works in ``with`` and that a notebook does not display."""

    def __enter__(self) -> Nothing:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def _ipython_display_(self) -> None:
        pass


class StandIn(ModuleType):
    """``google.colab``, whose attributes are modules, or one of those, whose functions do nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if self.__name__ == ROOT:
            return importlib.import_module(f"{ROOT}.{name}")

        def nothing(*args: Any, **options: Any) -> Any:
            say(f"{self.__name__}.{name}", "this is not Colab; nothing done")
            return "" if self.__name__ == f"{ROOT}.userdata" else Nothing()

        return nothing


# Added after the other finders, so that the real package wins if there is one.
FINDER = StandInFinder(
    lambda name, path: name == "google" or f"{name}.".startswith(f"{ROOT}."),
    lambda name: ModuleType(name) if name == "google" else StandIn(name),
)


class Unfilled(ast.NodeTransformer):
    """Lets ``assert FOLDERNAME is not None`` pass: only Colab needs the name of a folder on Drive.

    >>> ast.unparse(Unfilled().visit(ast.parse("assert FOLDERNAME is not None, 'Enter the foldername.'")))
    'pass'
    """

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        """Replace that assertion, and no other, with ``pass``."""
        names = {inner.id for inner in ast.walk(node.test) if isinstance(inner, ast.Name)}
        return ast.copy_location(ast.Pass(), node) if names == {"FOLDERNAME"} else node


def install() -> None:
    """Make ``google.colab`` importable if it is not; each call says that nothing happened.

    >>> install()
    >>> from google.colab import drive
    >>> mounted = drive.mount("/content/drive")
    [thinnet] google.colab.drive.mount: this is not Colab; nothing done
    """
    if FINDER not in sys.meta_path:
        sys.meta_path.append(FINDER)
