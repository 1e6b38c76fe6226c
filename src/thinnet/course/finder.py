"""Makes the courses' packages importable, unless the student has their own of that name, and stand-ins for others."""

import importlib.abc
import keyword
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from thinnet.errors import ArgumentError, OutOfScopeError

PACKAGES = ("cs231n", "nndl")
HERE = Path(__file__).parent

# Modules of the courses about other kinds of classifiers, recurrence, attention and pictures.
OUT_OF_SCOPE = str.split(
    "rnn_layers rnn_layers_pytorch transformer_layers classifiers.rnn classifiers.rnn_pytorch classifiers.transformer "
    "classifiers.neural_net classifiers.softmax classifiers.linear_svm classifiers.linear_classifier "
    "classifiers.k_nearest_neighbor classifiers.squeezenet classifiers.pretrained_cnn captioning_solver "
    "captioning_solver_transformer coco_utils image_utils features net_visualization_pytorch "
    "net_visualization_tensorflow style_transfer_pytorch style_transfer_tensorflow gan_pytorch gan_tf simclr "
    "neural_net knn svm softmax"
)

_aliases: dict[str, tuple[str, ...]] = {}  # another package's name: the packages here in which its modules are


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
        inner, _, module = rest.partition(".")
        if root in _aliases and (inner in PACKAGES or inner in _aliases):  # assignment2.cs231n.layers
            root, rest = inner, module
        for package in _aliases.get(root, (root,) if root in PACKAGES else ()):
            folder = HERE.joinpath(package, *rest.split(".")[:-1]) if rest else HERE
            name = fullname if rest else package
            spec = PathFinder.find_spec(name, [str(folder)])
            if spec is not None and name != fullname:  # the same package under another name
                return spec_from_file_location(fullname, spec.origin, submodule_search_locations=[str(folder / name)])
            if spec is not None:
                return spec
        if (root in PACKAGES or root in _aliases) and any(f"{rest}.".startswith(f"{name}.") for name in OUT_OF_SCOPE):
            raise out_of_scope(fullname, f"Put the course's own {rest.replace('.', '/')}.py into your {root} folder")
        return None


def checked_names(packages: Sequence[str]) -> tuple[str, ...]:
    """Other names for the courses' package; each must be importable and not a module of Python's own."""
    if isinstance(packages, str):
        raise ArgumentError(f"packages must be a list of names, got {packages!r}. Write [{packages!r}].")
    for name in packages:
        if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
            raise ArgumentError(
                f"packages must be names of packages, got {name!r}. Give the part of the import before the first dot: "
                f"cs682 for cs682.layers."
            )
        if name in (*sys.stdlib_module_names, "thinnet"):
            raise ArgumentError(
                f"packages must be names of the course's package, got {name!r}, which is a different one. Leave it out."
            )
    return tuple(packages)


def install(aliases: dict[str, tuple[str, ...]]) -> None:
    """Add the finder after all others, once; `aliases` maps other package names to the packages that serve them."""
    remove()
    _aliases.update(aliases)
    sys.meta_path.append(CourseFinder)


def remove() -> None:
    """Remove the finder."""
    _aliases.clear()
    sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not CourseFinder]


def out_of_scope(name: str, mend: str) -> OutOfScopeError:
    """The error for a part of a course that Thinnet lacks; `mend` is the advice, without a final period."""
    return OutOfScopeError(
        f"Thinnet has no {name}: it covers the courses' fully connected and convolutional nets, but not recurrence, "
        f"attention, nearest neighbors or linear classifiers. {mend}; Thinnet will use it."
    )


def left_out(module: str, names: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of a course module whose original also has `names`, which Thinnet lacks."""
    root, _, rest = module.removeprefix("thinnet.course.").partition(".")

    def get(name: str) -> Any:
        if name in names.split():
            file = rest.replace("classifiers", "classifiers/__init__") + ".py"
            put = f"{file} into your {root} folder" if rest else f"{root} folder beside the notebook"
            raise out_of_scope(f"{module.removeprefix('thinnet.course.')}.{name}", f"Put the course's own {put}")
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return get


class StandInFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the modules whose names, and the path of whose package, `stands_in` accepts; `make` makes them."""

    def __init__(
        self, stands_in: Callable[[str, Sequence[str] | None], object], make: Callable[[str], ModuleType]
    ) -> None:
        self.stands_in, self.make = stands_in, make

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a stand-in, or None."""
        return ModuleSpec(fullname, self, is_package=True) if self.stands_in(fullname, path) else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The stand-in, complete."""
        return self.make(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: the module is complete already."""


def stand_ins(modules: Mapping[str, Mapping[str, Any]], empty: str = "") -> StandInFinder:
    """A finder that makes modules with these contents where the real ones are missing, and empty ones for `empty`."""

    def make(name: str) -> ModuleType:
        module = ModuleType(name)
        vars(module).update(modules[name])
        return module

    return StandInFinder(
        lambda name, path: name in modules and (name == empty or PathFinder.find_spec(name, path) is None), make
    )
