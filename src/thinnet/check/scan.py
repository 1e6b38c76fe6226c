"""Finds the functions in files and folders by reading the sources, without running them."""

import ast
import contextlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from thinnet import old_python
from thinnet.check import p_convention
from thinnet.check.classes import kind_of, methods_of
from thinnet.check.dropout_functions import DROPOUT_FUNCTIONS
from thinnet.check.frameworks import not_numpy
from thinnet.check.p_convention import PConvention
from thinnet.check.plan import NONE_OF_THESE, is_known, subjects_of
from thinnet.checks import shortened
from thinnet.errors import ArgumentError, MissingExtraError
from thinnet.old_python import only_python_3

SKIPPED = {"__pycache__", "node_modules", "site-packages", "datasets", "venv", "env", "build", "dist"}
PACKAGE_NAMES = {"cs231n", "nndl", "utils", "classifiers", "lib", "src"}
WHOLE_NET = (
    "it computes a whole net and its dropout in one function, so there is no layer whose input and output could "
    "be compared; put the dropout into a function dropout_layer(X, p) to have it checked"
)
SOLVER = (
    "How a Solver trains is not checked: add the files of the net, the layers and the optimizers that it trains with "
    "(fc_net.py, layers.py, optim.py), and check the folder."
)


@dataclass
class Source:
    """One file, and what to check in it."""

    path: Path
    root: Path  # the folder to import from
    module: str  # its dotted name, relative to root
    subjects: list[str]  # what to check, in order
    problem: str  # why the file cannot be read as Python, or ""
    excluded: dict[str, str] = field(default_factory=dict)  # those not to check, and why
    doubtful: dict[str, str] = field(default_factory=dict)  # those that may not be code for NumPy, and why
    only_python_3: bool = False  # whether it uses what Python 2 never had
    convention: PConvention = field(default_factory=PConvention)  # what the file, or its package, says that p means
    conventions: dict[str, PConvention] = field(default_factory=dict)  # what each of its dropout classes says
    lines: dict[str, int] = field(default_factory=dict)  # where each function, class and method begins


def scan(target: Path) -> list[Source]:
    """All files at `target` that define something to check.

    Raises:
        ArgumentError: if there is no such file or folder, or nothing in it that can be checked.
    """
    if not target.exists():
        raise ArgumentError(f"the file or folder to check must exist, got {str(target)!r}. Check the path.")
    if target.is_file() and target.suffix != ".py":
        raise ArgumentError(
            f"the file to check must be a Python source file, got {target.name!r}. "
            "For a notebook, call thinnet.check.check_layers(globals()) in its last cell."
        )
    trees: dict[Path, ast.Module] = {}
    files = [target] if target.is_file() else _python_files(target)
    found = [_source(path.resolve(), trees) for path in files]
    sources = [source for source in found if source.subjects]
    if not sources:
        unread = "".join(f" What cannot be read: {source.problem}." for source in found if source.problem)
        defined = [name for source in found for name in source.lines if "." not in name]
        trains = f" {SOLVER}" if "Solver" in defined else ""
        raise ArgumentError(
            f"{target} must define something to check (dropout_forward, affine_forward, FullyConnectedNet or the "
            f"like), got {f'only {shortened(defined, 3)}' if defined else 'none of them'}.{trains} The functions must "
            "have the courses' names; a class must be called Dropout, ReLU, Affine or the like, with forward and "
            f"backward.{unread}"
        )
    for source in sources:  # when all of them are parsed
        source.convention = _said(source, trees)
    return sources


def _methods(node: ast.ClassDef | ast.FunctionDef) -> dict[str, ast.FunctionDef]:
    return {inner.name: inner for inner in node.body if isinstance(inner, ast.FunctionDef)}


def _lines(node: ast.ClassDef | ast.FunctionDef) -> dict[str, int]:
    """Where a function or a class and its methods begin, with forward and backward also under these names."""
    methods = _methods(node)
    methods |= {known: methods[name] for known, name in zip(("forward", "backward"), methods_of(methods), strict=False)}
    return {node.name: node.lineno} | {f"{node.name}.{name}": inner.lineno for name, inner in methods.items()}


def _python_files(folder: Path) -> list[Path]:
    def skipped(path: Path) -> bool:
        return any(part in SKIPPED or part.startswith(".") for part in path.relative_to(folder).parts[:-1])

    os.listdir(folder)  # which says so where the folder may not be read, unlike what looks into it below
    return [path for path in sorted(folder.rglob("*.py")) if not skipped(path)][:2000]


def _source(path: Path, trees: dict[Path, ast.Module]) -> Source:
    text = path.read_bytes()
    try:
        tree = trees[path] = old_python.parse(text).tree
    except (SyntaxError, ValueError, RecursionError, MemoryError, MissingExtraError) as error:
        names = set(re.findall(r"^(?:def|class)\s+(\w+)", text.decode("utf-8", "replace"), re.MULTILINE))
        line = f", line {error.lineno}: {(error.text or '').strip()}" if isinstance(error, SyntaxError) else ""
        problem = f"{type(error).__name__}: {getattr(error, 'msg', error)} in {path.name}{line}"
        if b"\0" in text:
            found = "is in UTF-16" if text.startswith((b"\xff\xfe", b"\xfe\xff")) else "contains zero bytes"
            problem = f"{path.name} {found}, which Python does not read: save it as UTF-8"
        subjects = subjects_of(names, {})
        excluded = dict.fromkeys(subjects, str(error)) if isinstance(error, MissingExtraError) else {}
        return Source(path, *_root_and_module(path), subjects, problem, excluded)
    assigned = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    names = {target.id for target in assigned if isinstance(target, ast.Name)} - set(DROPOUT_FUNCTIONS)
    defined = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    names |= {node.name for node in defined if isinstance(node, ast.FunctionDef) or not kind_of(node.name)}
    classes = {node.name: _methods(node) for node in defined if isinstance(node, ast.ClassDef)}
    subjects = subjects_of(names, classes)
    for name, methods in classes.items():
        if kind_of(name) and "forward" in methods and not methods_of(methods):  # a framework derives backward itself
            subjects += not_numpy(tree, [f"{name}.forward"])[0]
    nets = {node.name: WHOLE_NET for node in defined if _is_whole_net(node) and node.name not in subjects}
    foreign, doubtful = not_numpy(tree, subjects)
    others = {name: NONE_OF_THESE for name in subjects if not is_known(name)}  # nothing is imported for them
    doubtful = {name: why for name, why in doubtful.items() if name not in others}
    source = Source(path, *_root_and_module(path, tree), [*subjects, *nets], "", others | nets | foreign, doubtful)
    source.only_python_3 = only_python_3(tree)
    alone = [node for node in defined if node.name in DROPOUT_FUNCTIONS or kind_of(node.name) == "dropout"]
    source.conventions = {node.name: p_convention.from_dropout(node) for node in alone}
    source.lines = {name: line for node in defined for name, line in _lines(node).items()}
    return source


def _root_and_module(path: Path, tree: ast.Module | None = None) -> tuple[Path, str]:
    """The folder from which to import a file, outside of its packages, and the module's name from there.

    Folders that the file's relative imports reach are packages, whatever their names.
    """
    imports = [node for node in (ast.walk(tree) if tree else ()) if isinstance(node, ast.ImportFrom)]
    dots = max((node.level for node in imports), default=0)
    folder, parts = path.parent, [path.stem]
    while len(parts) <= dots or (folder / "__init__.py").exists() or folder.name in PACKAGE_NAMES:
        if "." in folder.name or folder.parent == folder:
            break
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(parts)


def _is_whole_net(node: ast.FunctionDef | ast.ClassDef) -> bool:
    """Whether it is a function that computes a net and its dropout together, as ``f(X, parameters, keep_prob)``."""
    if not isinstance(node, ast.FunctionDef):
        return False
    names = {argument.arg for argument in node.args.args}
    of_dropout = any(re.search(r"keep_?prob|drop(out)?_?(rate|prob)", name) for name in names)
    return of_dropout and bool(names & {"parameters", "params", "weights", "cache", "caches"})


def _said(source: Source, trees: dict[Path, ast.Module]) -> PConvention:
    """What the file itself says about p, or else its neighbors in the package."""
    tree, folders = trees.get(source.path), source.module.split(".")[::-1]
    course = next((name for name in folders if name in ("nndl", "cs231n")), "")
    near = [source.path.parent, source.path.parent.parent] if course else [source.path.parent]
    if tree:
        asked = {(node.module or "").partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        course = course or ("nndl" if "nndl" in asked else "")
        own = p_convention.from_trees([tree], course)
        if own.means:
            return own
    neighbors = []
    for folder in near:
        for path in (folder / "fc_net.py", folder / "layers.py", folder / "classifiers" / "fc_net.py"):
            if path != source.path:
                with contextlib.suppress(SyntaxError, ValueError, OSError, MissingExtraError):
                    neighbors.append(trees.get(path) or old_python.parse(path.read_bytes()).tree)
    return p_convention.from_trees(neighbors, course)
