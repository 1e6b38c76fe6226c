"""Making the courses' packages importable, behind whatever a student has of the same name."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from thinnet.errors import OutOfScopeError

PACKAGES = ("cs231n", "nndl")
HERE = Path(__file__).parent

# Modules of the courses about recurrence and attention.
OUT_OF_SCOPE = (
    "rnn_layers",
    "transformer_layers",
    "classifiers.rnn",
    "captioning_solver",
)


class CourseFinder:
    """Finds the modules of `PACKAGES` in this folder; the last of the finders, so that everybody else's win.

    A student's folder may hold only some of the modules, or none (``cs231n/datasets``): it keeps what it has, and
    the rest is found here.
    """

    @staticmethod
    def find_spec(
        fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of one of our modules, or None."""
        root, _, rest = fullname.partition(".")
        if root not in PACKAGES:
            return None
        if rest in OUT_OF_SCOPE:
            raise OutOfScopeError(
                f"Thinnet has no {fullname}: it covers no recurrence and no attention. "
                f" Put the course's own {rest.replace('.', '/')}.py into your {root} folder."
            )
        folder = HERE.joinpath(*fullname.split(".")[:-1])
        return PathFinder.find_spec(fullname, [str(folder)])


def install() -> None:
    """Put the finder behind all others, once."""
    remove()
    sys.meta_path.append(CourseFinder)


def remove() -> None:
    """Take the finder away."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not CourseFinder]
